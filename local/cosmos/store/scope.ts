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
