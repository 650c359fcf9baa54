import type { Json, JsonObject } from '../json.ts';
import { encodePosition, type ItemPosition } from './itemPosition.ts';
import {
  type ItemRow,
  limitsOfRun,
  maxPageSize,
  type QueryPage,
  type QueryRun,
  resultsOf,
  rowsOf,
} from './queryRun.ts';

/** An item that comes next in the order of a query, with its sort keys. */
export interface Candidate {
  readonly row: ItemRow;
  readonly keys: readonly Json[];
  readonly results: readonly string[];
}

/** The results of an item as JSON texts. */
export function resultTexts(run: QueryRun, row: ItemRow, document: JsonObject): string[] {
  const rows = rowsOf(run, document);
  const { selection, sources } = run.compiled.query;
  // The stored text is the item; making it anew would only cost time.
  if (selection.kind === 'all' && sources.length === 1) return rows.map(() => row.body);
  return resultsOf(run, rows).map((value) => JSON.stringify(value));
}

/** Takes items in order and cuts out OFFSET, LIMIT, TOP and the page. */
export class ItemPage {
  loaded = 0;
  readonly #run: QueryRun;
  readonly #resumed: ItemPosition | undefined;
  readonly #documents: string[] = [];
  #size = 0;
  #skip: number;
  #left: number;
  #last: ItemPosition | undefined;
  #more = false;

  constructor(run: QueryRun, resumed: ItemPosition | undefined) {
    const { skip, take } = limitsOfRun(run);
    this.#run = run;
    this.#resumed = resumed;
    // A page ends behind a result, so whoever comes back has the skipped ones behind him.
    this.#skip = resumed === undefined ? skip : 0;
    this.#left = resumed?.left ?? take;
  }

  /** Gives false when nothing further is wanted. `alreadyGiven` = its first results were in the page before. */
  offer({ row, keys, results }: Candidate, alreadyGiven: boolean): boolean {
    const first = alreadyGiven ? (this.#resumed?.done ?? 0) : 0;
    for (let at = first; at < results.length; at += 1) {
      if (this.#left <= 0) return false;
      if (this.#skip > 0) {
        this.#skip -= 1;
        continue;
      }
      if (this.#documents.length >= this.#run.maxItems || this.#size >= maxPageSize) {
        this.#more = true;
        return false;
      }
      const text = results[at] ?? '';
      this.#documents.push(text);
      this.#size += text.length;
      this.#left -= 1;
      this.#last = { row: row.row, done: at + 1, keys };
    }
    return true;
  }

  finish(): QueryPage {
    const last = this.#more ? this.#last : undefined;
    const left = Number.isFinite(this.#left) ? { left: this.#left } : {};
    return {
      documents: this.#documents,
      loaded: this.loaded,
      continuation: last === undefined ? undefined : encodePosition({ ...last, ...left }),
    };
  }
}
