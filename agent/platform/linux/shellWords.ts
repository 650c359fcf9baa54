/** Words that begin a command and are no program of their own. */
const notPrograms: ReadonlySet<string> = new Set([
  'if',
  'for',
  'while',
  'until',
  'case',
  'test',
  '[',
  '[[',
  'cd',
  '!',
  'true',
  ':',
  '.',
  'source',
  'eval',
]);
/** Programs that only run another one. */
const runners: ReadonlySet<string> = new Set(['exec', 'command', 'env', 'nice', 'nohup', 'setsid', 'ionice']);
const interpreters =
  /^(?:(?:ba|da|z|k|c|tc|fi)?sh|python[\d.]*|perl[\d.]*|ruby[\d.]*|node|nodejs|php[\d.]*)$/;

/** Splits as a shell does as far as quotes and backslashes go; nothing is expanded. */
export const shellWords = (line: string): readonly string[] => {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < line.length; at += 1) {
    const letter = line.charAt(at);
    if (letter === '\\' && quote !== "'" && at + 1 < line.length) {
      at += 1;
      word = (word ?? '') + line.charAt(at);
    } else if (letter === quote) quote = undefined;
    else if (quote === undefined && (letter === '"' || letter === "'")) {
      quote = letter;
      word ??= '';
    } else if (quote === undefined && /[ \t\n]/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + letter;
  }
  if (word !== undefined) words.push(word);
  return words;
};

const baseName = (word: string): string => word.slice(word.lastIndexOf('/') + 1);

/**
 * The program that a command line starts first, or the script that an interpreter is given; undefined where a shell would have
 * to be asked. What the program starts in turn is not followed.
 */
export const programOf = (line: string): string | undefined => {
  const words = shellWords(line).filter((word) => !/^[A-Za-z_]\w*=/.test(word));
  let at = 0;
  while (runners.has(baseName(words[at] ?? ''))) {
    at += 1;
    while (words[at]?.startsWith('-') === true) at += 1;
  }
  const [program, ...rest] = words.slice(at);
  if (program === undefined || notPrograms.has(program) || /[$`|&;<>(){}*?]/.test(program)) return undefined;
  if (!interpreters.test(baseName(program))) return program;
  const script = rest.find((word) => !word.startsWith('-'));
  return script?.startsWith('/') === true && !rest.includes('-c') ? script : program;
};
