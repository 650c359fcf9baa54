import type { Catalogue } from './catalogue.ts';

/** A database that set-up wants to be there. */
export interface DeclaredDatabase {
  readonly id: string;
  readonly containers: readonly {
    readonly id: string;
    /** A path such as `/pk`. */
    readonly partitionKey: string;
    /** Seconds, or -1. */
    readonly defaultTtl?: number;
  }[];
}

/** Makes what is missing and adjusts default times to live. Throws when a partition key differs: that cannot change. */
export async function makeDeclared(
  catalogue: Catalogue,
  databases: readonly DeclaredDatabase[],
): Promise<void> {
  for (const { id, containers } of databases) {
    const existing =
      catalogue.databases().find((one) => one.id === id) ?? (await catalogue.createDatabase({ id }));
    for (const { id: containerId, partitionKey, defaultTtl } of containers) {
      const wanted = {
        id: containerId,
        partitionKey: { paths: [partitionKey] },
        ...(defaultTtl === undefined ? {} : { defaultTtl }),
      };
      const container = existing.containers.get(containerId);
      if (container === undefined) await catalogue.createContainer(id, wanted);
      else if (
        container.defaultTtl !== defaultTtl ||
        `/${container.partitionPath.join('/')}` !== partitionKey
      ) {
        await catalogue.replaceContainer(id, containerId, wanted);
      }
    }
  }
}
