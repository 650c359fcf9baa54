/** What an item was before its last write; `undefined` inside = it did not exist. */
export interface PreviousVersion {
  readonly before: { readonly etag: string; readonly body: string } | undefined;
  /** The transaction that replaced it. */
  readonly lsn: number;
}

export interface PreviousVersions {
  remember(row: number, version: PreviousVersion): void;
  find(row: number): PreviousVersion | undefined;
}

const maxRemembered = 1000;

/** Remembers recent writes in memory, so that a lagging replica can be imitated. Older writes have reached everyone. */
export function createPreviousVersions(): PreviousVersions {
  const versions = new Map<number, PreviousVersion>();
  return {
    remember(row, version) {
      versions.delete(row);
      versions.set(row, version);
      if (versions.size <= maxRemembered) return;
      const [oldest] = versions.keys();
      if (oldest !== undefined) versions.delete(oldest);
    },
    find: (row) => versions.get(row),
  };
}
