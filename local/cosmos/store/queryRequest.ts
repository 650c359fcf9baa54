import { badRequest } from '../errors.ts';
import type { Json } from '../json.ts';
import { isJsonObject } from '../json.ts';
import type { Evaluate, Parameters } from '../sql/evaluate.ts';
import { parseQuery } from '../sql/parser.ts';
import { compileRows, compileSelection, isGrouped, type Rows } from '../sql/select.ts';
import { containerAlias, type Query } from '../sql/syntax.ts';

export interface QueryRequest {
  readonly query: string;
  readonly parameters: Parameters;
}

export interface CompiledQuery {
  readonly query: Query;
  /** What the items are called in the query; a query that reads none has its own name for them. */
  readonly alias: string;
  readonly rows: Rows;
  readonly project: Evaluate;
}

const maxCompiled = 500;
const compiledQueries = new Map<string, CompiledQuery>();

/** Reads `{query, parameters: [{name, value}]}`. */
export function readQueryRequest(body: Json): QueryRequest {
  if (!isJsonObject(body) || typeof body.query !== 'string') throw badRequest('The body holds no query.');
  const parameters = new Map<string, Json>();
  for (const one of Array.isArray(body.parameters) ? body.parameters : []) {
    if (isJsonObject(one) && typeof one.name === 'string' && one.value !== undefined) {
      parameters.set(one.name, one.value);
    }
  }
  return { query: body.query, parameters };
}

export function compileQuery(sql: string): CompiledQuery {
  const known = compiledQueries.get(sql);
  if (known !== undefined) return known;
  const query = parseQuery(sql);
  const alias = containerAlias(query);
  if (alias === undefined) throw badRequest('The query names no container: it needs FROM c.');
  const compiled = { query, alias, rows: compileRows(query), project: compileSelection(query) };
  if (compiledQueries.size >= maxCompiled) compiledQueries.clear();
  compiledQueries.set(sql, compiled);
  return compiled;
}

/**
 * Whether a query only filters. Such a query may run over all partitions; any other one is sent back for the client to
 * merge what each partition answers.
 */
export function onlyFilters(query: Query): boolean {
  return (
    !isGrouped(query) &&
    !query.distinct &&
    query.orderBy.length === 0 &&
    query.top === undefined &&
    query.offset === undefined
  );
}
