/** One physical partition: a half-open interval of effective partition keys. */
export interface PhysicalPartition {
  readonly id: string;
  readonly minInclusive: string;
  readonly maxExclusive: string;
  readonly parents: readonly string[];
}

/** Hashes stay below this, because their two top bits are cleared. */
const ringEnd = 0x4000;

/** Cuts the ring into `count` equal partitions that tile it without holes, ids from `firstId` on. */
export function cutIntoPartitions(
  count: number,
  firstId = 0,
  parents: readonly string[] = [],
): PhysicalPartition[] {
  const edge = (index: number) =>
    Math.floor((index * ringEnd) / count)
      .toString(16)
      .toUpperCase()
      .padStart(4, '0');
  return Array.from({ length: count }, (_, index) => ({
    id: String(firstId + index),
    minInclusive: index === 0 ? '' : edge(index),
    maxExclusive: index === count - 1 ? 'FF' : edge(index + 1),
    parents,
  }));
}

/** The partition that holds an effective partition key. */
export function partitionHolding(
  partitions: readonly PhysicalPartition[],
  effectiveKey: string,
): PhysicalPartition {
  const found = partitions.find((one) => effectiveKey >= one.minInclusive && effectiveKey < one.maxExclusive);
  if (found === undefined) throw new Error(`No partition holds ${effectiveKey}; the ring has a hole.`);
  return found;
}
