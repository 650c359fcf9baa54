import { existsSync } from 'node:fs';
import { CommandFailure } from '../commands/command.ts';

/** Programs that may run a script, with the options that its first line may give them. */
const allowed: Readonly<Record<string, RegExp>> = {
  sh: /^-[aefuvxE]+$/,
  bash: /^-[aefuvxE]+$/,
  python3: /^-[BEsIu]+$/,
};
/** Only here: a folder that other people may write to could hold another program of that name. */
const folders = ['/bin', '/usr/bin', '/usr/local/bin'];

/** How a script is started: the program, and its options before the script. */
export interface Interpreter {
  readonly program: string;
  readonly options: readonly string[];
}

/** What the beginning of a script asks for: its first line when that is `#!`, else Bash. */
export const interpreterOf = (
  head: Buffer,
  name: string,
  exists: (path: string) => boolean = existsSync,
): Interpreter => {
  if (head.includes(0)) throw refused(name, 'it is a program or data, not a text');
  if (head.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf]))) {
    throw refused(name, 'it begins with a byte order mark, which a shell does not understand');
  }
  const [first = ''] = head.toString('latin1').split('\n', 1);
  if (first.endsWith('\r')) throw refused(name, 'its lines end as on Windows. Save it with Unix line ends');
  if (!first.startsWith('#!')) return { program: found('bash', name, exists), options: [] };
  const [path = '', ...words] = first
    .slice(2)
    .trim()
    .split(/[ \t]+/);
  const [wanted = '', ...options] = path === '/usr/bin/env' ? words : [path, ...words];
  const program = path === '/usr/bin/env' ? wanted : nameIn(wanted);
  const allowedOptions = Object.hasOwn(allowed, program) ? allowed[program] : undefined;
  if (allowedOptions === undefined || options.length > 1) throw refused(name, `it asks for ${shown(first)}`);
  if (!options.every((option) => allowedOptions.test(option))) {
    throw refused(name, `it asks for ${shown(first)}, and this option is not one that a script may give`);
  }
  return { program: found(program, name, exists), options };
};

/** Empty for a program that lies elsewhere. */
const nameIn = (path: string): string => {
  const slash = path.lastIndexOf('/');
  return folders.includes(path.slice(0, slash)) ? path.slice(slash + 1) : '';
};

const found = (program: string, name: string, exists: (path: string) => boolean): string => {
  const path = folders.map((folder) => `${folder}/${program}`).find(exists);
  if (path !== undefined) return path;
  throw new CommandFailure(
    'INTERPRETER_MISSING',
    `${name} needs ${program}, which this device does not have.`,
  );
};

const refused = (name: string, why: string): CommandFailure =>
  new CommandFailure(
    'INTERPRETER_REFUSED',
    `${name} was not run: ${why}. A script may begin with #! and sh, bash or python3 (in /bin, /usr/bin or /usr/local/bin, or by /usr/bin/env), or without such a line, and is run by Bash then.`,
  );

const shown = (line: string): string => (line.length > 100 ? `${line.slice(0, 100)}…` : line);
