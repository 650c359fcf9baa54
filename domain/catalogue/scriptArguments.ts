export type ScriptArguments =
  { readonly ok: true; readonly words: readonly string[] } | { readonly ok: false; readonly message: string };

/**
 * Splits the parameters of a script into words as a POSIX shell would, and does nothing else that a shell does: no variables,
 * no patterns, no comments, no commands. Single quotes keep everything; double quotes keep everything but a backslash before
 * `"` or `\`; outside quotes a backslash keeps the next character.
 */
export const splitArguments = (text: string): ScriptArguments => {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] as string;
    if (character === ' ' || character === '\t' || character === '\n') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === "'" || character === '"') {
      const quoted = readQuoted(text, at);
      if (quoted === undefined) return unclosed(character);
      word = (word ?? '') + quoted.text;
      at = quoted.end;
    } else if (character === '\\') {
      at += 1;
      if (at === text.length) {
        return {
          ok: false,
          message:
            'The parameters end with a backslash that has nothing to keep. Double it, or put it into single quotes.',
        };
      }
      word = (word ?? '') + (text[at] as string);
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== undefined) words.push(word);
  return { ok: true, words };
};

const readQuoted = (
  text: string,
  start: number,
): { readonly text: string; readonly end: number } | undefined => {
  const quote = text[start];
  let value = '';
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text[at] as string;
    if (character === quote) return { text: value, end: at };
    const next = text[at + 1];
    if (quote === '"' && character === '\\' && (next === '"' || next === '\\')) {
      value += next;
      at += 1;
    } else {
      value += character;
    }
  }
  return undefined;
};

const unclosed = (quote: string): ScriptArguments => ({
  ok: false,
  message: `The parameters open a ${quote} that is never closed. To pass ${quote} itself, put a backslash before it.`,
});
