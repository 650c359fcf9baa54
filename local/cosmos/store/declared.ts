import type { Catalogue } from './catalogue.ts';

/** A database that set-up wants to be there. */
export interface DeclaredDatabase {
  readonly id: string;
  readonly containers: readonly {
    readonly id: string;
    /** A path such as `/pk`, or up to three of them for a hierarchical key. */
    readonly partitionKey: string | readonly string[];
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
        partitionKey:
          typeof partitionKey === 'string'
            ? { paths: [partitionKey] }
            : { paths: [...partitionKey], kind: 'MultiHash' },
        ...(defaultTtl === undefined ? {} : { defaultTtl }),
      };
      const container = existing.containers.get(containerId);
      if (container === undefined) await catalogue.createContainer(id, wanted);
      else if (
        container.rules.defaultTtl !== defaultTtl ||
        container.rules.partitionPaths.map((path) => `/${path.join('/')}`).join() !==
          [partitionKey].flat().join()
      ) {
        await catalogue.replaceContainer(id, containerId, wanted);
      }
    }
  }
}
