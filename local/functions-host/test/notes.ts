import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { eventually, temporaryFolder } from './startHost.ts';

/** The file in which a fixture writes down what it was given, one JSON value a line. */
export class Notes<T> {
  readonly file = path.join(temporaryFolder(), 'notes.jsonl');

  lines(): string[] {
    if (!existsSync(this.file)) return [];
    return readFileSync(this.file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  }

  all(): T[] {
    return this.lines().map((line) => JSON.parse(line) as T);
  }

  where(matches: (note: T) => boolean): T[] {
    return this.all().filter(matches);
  }

  /** The notes that match, as soon as there are at least `count`. */
  atLeast(count: number, matches: (note: T) => boolean, withinMs?: number): Promise<T[]> {
    return eventually(() => {
      const found = this.where(matches);
      return found.length >= count ? found : undefined;
    }, withinMs);
  }
}
