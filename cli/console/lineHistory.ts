import { appendFileSync, chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SelectedProfile } from '../config/selectedProfile.ts';
import { shownInLine } from '../terminal/neutralise.ts';

/** So many lines are offered again; the file is cut back to them once it has twice as many. */
const keptLines = 1_000;

/** Where the lines of a profile are kept: what was typed for one tenant is not offered in another. */
export const historyFile = ({ folder, name }: SelectedProfile): string => join(folder, 'history', name);

/** The lines typed at the console, over all sessions of a profile. What cannot be read or written is only not offered. */
export class LineHistory {
  /** Newest first, each once. */
  readonly lines: string[];
  /** Why lines are not kept for the next session, once that is so. */
  fault: string | undefined;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    this.lines = this.#read();
  }

  /** Lines with a secret are remembered until the session ends, and those that begin with a space not at all. */
  add(typed: string): void {
    const line = typed.trimEnd();
    if (!isFit(line)) return;
    const known = this.lines.indexOf(line);
    if (known === 0) return;
    if (known > 0) this.lines.splice(known, 1);
    this.lines.unshift(line);
    this.lines.splice(keptLines);
    if (this.fault !== undefined || namesSecret(line)) return;
    this.#attempt(() => {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      appendFileSync(this.#path, `${line}\n`, { mode: 0o600 });
    });
  }

  #read(): string[] {
    const found: string[] = [];
    this.#attempt(() => {
      chmodSync(this.#path, 0o600);
      const written = readFileSync(this.#path, 'utf8').split('\n').filter(isFit);
      found.push(...[...new Set(written.reverse())].slice(0, keptLines));
      if (written.length > 2 * keptLines) this.#rewrite(found);
    });
    return found;
  }

  #rewrite(newestFirst: readonly string[]): void {
    const draft = `${this.#path}.${crypto.randomUUID()}`;
    writeFileSync(draft, `${newestFirst.toReversed().join('\n')}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(draft, this.#path);
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') this.fault = message;
    }
  }
}

/** A line that can be typed again, and that its author did not want to keep to himself. */
const isFit = (line: string): boolean =>
  line.trim() !== '' && !line.startsWith(' ') && line.length <= 10_240 && shownInLine(line) === line;

const secretName =
  '(?:pass(?:word|wd|phrase)?|pwd|secret|token|sig|(?:api|access|account|private|shared-?access)[-_]?key|credentials?|authorization)';
const secrets = [
  new RegExp(`${secretName}["']?\\s*[=:]`, 'i'),
  new RegExp(`(?:^|\\s)["']?-{1,2}[\\w-]*${secretName}["']?\\s+\\S`, 'i'),
  /\bBearer\s+\S/i,
  /:\/\/[^/\s:@]+:[^/\s@]+@/,
];

/** True when the line looks as if it held a password, a key or the like. */
export const namesSecret = (line: string): boolean => secrets.some((pattern) => pattern.test(line));
