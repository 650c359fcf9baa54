import type { AppliedMessages } from './state.ts';

const rememberedHashes = 64;
const rememberedGaps = 32;
/** Starts of the agent within one session. */
const rememberedRuns = 8;

export type MessagePosition =
  | { readonly is: 'applied-before' }
  | { readonly is: 'reused'; readonly firstHash: string }
  | { readonly is: 'next' }
  | { readonly is: 'late' }
  | { readonly is: 'after-gap'; readonly from: number; readonly to: number };

const shortHash = (hash: string): string => hash.slice(0, 32);
const shortRun = (run: string): string => run.slice(0, 13);

/** What of a message its place in the session is judged by. */
export interface MessagePlace {
  readonly sequence: number;
  readonly hash: string;
  /** Random id of one start of the agent. */
  readonly run: string;
}

/** Where a message stands: numbers are per session, so a hole means a message of this session that never came. */
export const positionOf = (
  applied: AppliedMessages,
  { sequence, hash, run }: MessagePlace,
): MessagePosition => {
  const known = applied.recent[String(sequence)];
  if (known !== undefined) {
    return known === shortHash(hash) ? { is: 'applied-before' } : { is: 'reused', firstHash: known };
  }
  if (sequence === applied.last + 1) return { is: 'next' };
  if (sequence > applied.last) return { is: 'after-gap', from: applied.last + 1, to: sequence - 1 };
  if (applied.missing.some(([from, to]) => sequence >= from && sequence <= to)) return { is: 'late' };
  // Its hash was forgotten. From a start that is known it is a repeat; an agent that starts anew with numbers that were used
  // has lost its memory: its journal was set back.
  return applied.runs.includes(shortRun(run)) ? { is: 'applied-before' } : { is: 'reused', firstHash: '' };
};

export const withApplied = (
  applied: AppliedMessages,
  { sequence, hash, run }: MessagePlace,
): AppliedMessages => {
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
  const runs = [...applied.runs.filter((known) => known !== shortRun(run)), shortRun(run)].slice(
    -rememberedRuns,
  );
  return { last, recent, missing, runs };
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
