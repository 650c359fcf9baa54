import type { AppliedMessages } from './state.ts';

const rememberedHashes = 64;
const rememberedGaps = 32;

export type MessagePosition =
  | { readonly is: 'applied-before' }
  | { readonly is: 'reused'; readonly firstHash: string }
  | { readonly is: 'next' }
  | { readonly is: 'late' }
  | { readonly is: 'after-gap'; readonly from: number; readonly to: number };

const shortHash = (hash: string): string => hash.slice(0, 32);

/** Where a message stands: numbers are per session, so a hole means a message of this session that never came. */
export const positionOf = (applied: AppliedMessages, sequence: number, hash: string): MessagePosition => {
  const known = applied.recent[String(sequence)];
  if (known !== undefined) {
    return known === shortHash(hash) ? { is: 'applied-before' } : { is: 'reused', firstHash: known };
  }
  if (sequence === applied.last + 1) return { is: 'next' };
  if (sequence > applied.last) return { is: 'after-gap', from: applied.last + 1, to: sequence - 1 };
  // Older than what is remembered and not missing: it was applied, and its hash was forgotten.
  return applied.missing.some(([from, to]) => sequence >= from && sequence <= to)
    ? { is: 'late' }
    : { is: 'applied-before' };
};

export const withApplied = (applied: AppliedMessages, sequence: number, hash: string): AppliedMessages => {
  const last = Math.max(applied.last, sequence);
  const recent: Record<string, string> = {};
  for (const [known, knownHash] of Object.entries(applied.recent)) {
    if (Number(known) > last - rememberedHashes) recent[known] = knownHash;
  }
  if (sequence > last - rememberedHashes) recent[String(sequence)] = shortHash(hash);
  // A jump that no event records (after the end of a session) must not make what was skipped look applied.
  const skipped: AppliedMessages['missing'] =
    sequence > applied.last + 1 ? [[applied.last + 1, sequence - 1]] : [];
  const missing = [...withoutSequence(applied.missing, sequence), ...skipped].slice(-rememberedGaps);
  return { last, recent, missing };
};

export const withGap = (applied: AppliedMessages, from: number, to: number): AppliedMessages => ({
  ...applied,
  last: Math.max(applied.last, to),
  missing: [...applied.missing, [from, to] as const].slice(-rememberedGaps),
});

const withoutSequence = (missing: AppliedMessages['missing'], sequence: number): AppliedMessages['missing'] =>
  missing.flatMap(([from, to]): (readonly [number, number])[] => {
    if (sequence < from || sequence > to) return [[from, to]];
    const left: (readonly [number, number])[] = [];
    if (from < sequence) left.push([from, sequence - 1]);
    if (sequence < to) left.push([sequence + 1, to]);
    return left;
  });
