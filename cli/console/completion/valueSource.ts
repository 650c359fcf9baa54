import type { TypedValue } from '../../../domain/catalogue/index.ts';

/** A value that may be meant. */
export interface ValueCandidate {
  /** The whole value, without quotes. */
  readonly text: string;
  /** What a list of candidates shows; safe to show. */
  readonly label: string;
  readonly description?: string;
  /** More is typed after it, like after a directory. */
  readonly isOpen?: boolean;
}

/** What a source has for a value, and how it would find out more. */
export interface SourceAnswer {
  readonly candidates: readonly ValueCandidate[];
  /** Present while the source has not all there is: `question` says what asking does. Throws when it cannot be answered. */
  readonly more?: { readonly question: string; readonly ask: () => Promise<void> };
}

/** Knows values of some kind: remote paths, ids of commands, names in a library. Undefined for a value of another kind. */
export type ValueSource = (value: TypedValue) => SourceAnswer | undefined;
