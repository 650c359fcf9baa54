import { effectivePartitionKey } from '../effectivePartitionKey.ts';
import { partitionGone } from '../errors.ts';
import type { Container } from './catalogue.ts';

/** Which items of a container a read may see. */
export type Scope =
  | { readonly kind: 'key'; readonly pk: string }
  | { readonly kind: 'range'; readonly min: string; readonly max: string }
  | { readonly kind: 'all' };

/** A condition in SQL and its values. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

/** The scope of one physical partition, or of a part of it. Throws 410 when the partition was split. */
export function rangeScope(container: Container, rangeId: string, startEpk?: string, endEpk?: string): Scope {
  // After a split the SDK sends "parent,child"; the last one counts.
  const id = rangeId.split(',').at(-1);
  const partition = container.partitions.find((one) => one.id === id);
  if (partition === undefined) throw partitionGone();
  const min = startEpk !== undefined && startEpk > partition.minInclusive ? startEpk : partition.minInclusive;
  const max = endEpk !== undefined && endEpk < partition.maxExclusive ? endEpk : partition.maxExclusive;
  return { kind: 'range', min, max };
}

/** The part of the ring that the keys with these first components lie in, or the place of a whole key. */
export function epkRange(key: string): { min: string; max: string } {
  const min = effectivePartitionKey(key);
  return { min, max: `${min}FF` };
}

/** One partition key. `within` is what the client asked for beside; a key outside it has nothing there. */
export function keyScope(pk: string, within: Scope): Scope {
  if (within.kind !== 'range') return { kind: 'key', pk };
  const epk = effectivePartitionKey(pk);
  return epk >= within.min && epk < within.max ? { kind: 'key', pk } : { ...within, max: within.min };
}

/** All keys with these first components. `within` is what the client asked for beside. */
export function prefixScope(prefix: string, within: Scope): Scope {
  const { min, max } = epkRange(prefix);
  // Partitions are cut between hashes of the first component, so one of them holds all of these keys.
  if (within.kind !== 'range') return { kind: 'range', min, max };
  return {
    ...within,
    min: min > within.min ? min : within.min,
    max: max < within.max ? max : within.max,
  };
}

export function scopeCondition(container: Container, scope: Scope): Condition {
  switch (scope.kind) {
    case 'key':
      return { sql: 'container = ? AND pk = ?', values: [container.n, scope.pk] };
    case 'range':
      return { sql: 'container = ? AND epk >= ? AND epk < ?', values: [container.n, scope.min, scope.max] };
    case 'all':
      return { sql: 'container = ?', values: [container.n] };
  }
}
