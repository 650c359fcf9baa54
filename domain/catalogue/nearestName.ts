import { foldCase } from './findCommand.ts';

/** Edits between two words; two neighbours that changed places are one edit, for that is how fingers slip. */
const distance = (one: string, other: string): number => {
  let before: readonly number[] = [];
  let row: readonly number[] = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      const edits = Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
      const isSwap = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      next.push(isSwap ? Math.min(edits, (before[j - 2] ?? 0) + 1) : edits);
    }
    before = row;
    row = next;
  }
  return row[other.length] ?? 0;
};

/** The name that was probably meant: fewest edits, at most one for short words and two for longer ones. */
export const nearestName = (word: string, names: readonly string[]): string | undefined => {
  const typed = foldCase(word);
  const allowed = typed.length <= 4 ? 1 : 2;
  let best: { readonly name: string; readonly edits: number } | undefined;
  for (const name of names) {
    // Also what keeps a word of 10,000 letters from costing anything.
    if (Math.abs(name.length - typed.length) > allowed) continue;
    const edits = distance(typed, foldCase(name));
    if (edits <= allowed && (best === undefined || edits < best.edits)) best = { name, edits };
  }
  return best?.name;
};
