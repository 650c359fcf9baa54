/**
 * Whether a name fits a pattern in which `*` stands for any characters and `?` for one. Takes time proportional to pattern times
 * name at worst: whoever names files on the device must not be able to make it slow, which rules out a regular expression.
 */
export const namePattern = (pattern: string, ignoreCase: boolean): ((name: string) => boolean) => {
  const folded = (text: string): string => (ignoreCase ? text.toLowerCase() : text);
  const wanted = folded(pattern);
  if (!/[*?]/.test(wanted)) return (name) => folded(name) === wanted;
  const parts = Array.from(wanted);
  return (name) => fits(parts, Array.from(folded(name)));
};

const fits = (pattern: readonly string[], name: readonly string[]): boolean => {
  let at = 0;
  let here = 0;
  /** The newest star, and the end of what it stands for so far: only that one ever has to take more. */
  let star = -1;
  let taken = 0;
  while (here < name.length) {
    if (pattern[at] === '*') {
      star = at;
      taken = here;
      at += 1;
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[here])) {
      at += 1;
      here += 1;
    } else if (star !== -1) {
      taken += 1;
      here = taken;
      at = star + 1;
    } else return false;
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
};
