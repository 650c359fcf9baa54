import { CosmosError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { valueAt } from '../partitionKey.ts';
import { keyOf } from '../sql/select.ts';
import type { Container } from './catalogue.ts';
import type { Database } from './database.ts';

export interface UniqueKeys {
  /** Takes the item's unique values in its partition key and frees those it had. Throws 409 when one is taken. */
  claim(container: Container, pk: string, row: number, document: JsonObject): void;
}

export function openUniqueKeys(database: Database, isOver: (row: number) => boolean): UniqueKeys {
  const free = database.prepare('DELETE FROM unique_values WHERE row = ?');
  const find = database.prepare('SELECT row FROM unique_values WHERE container = ? AND pk = ? AND value = ?');
  const take = database.prepare('INSERT INTO unique_values(container, pk, value, row) VALUES(?, ?, ?, ?)');
  return {
    claim(container, pk, row, document) {
      const { uniqueKeys } = container.rules;
      if (uniqueKeys.length === 0) return;
      free.run(row);
      for (const [index, paths] of uniqueKeys.entries()) {
        // An absent property counts as a value: only one item may lack it.
        const values = paths.map((path) => valueAt(document, path) ?? null);
        const value = keyOf([index, ...values]);
        const holder = find.get(container.n, pk, value) as { row: number } | undefined;
        if (holder !== undefined && !isOver(holder.row)) throw taken();
        if (holder !== undefined) free.run(holder.row);
        take.run(container.n, pk, value, row);
      }
    },
  };
}

const taken = () => new CosmosError(409, 'Conflict', 'Unique index constraint violation.');
