/** JSON lines: one object a line. */
export const objectsOf = (lines: string): readonly Record<string, unknown>[] =>
  lines
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
