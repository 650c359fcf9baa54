import { badRequest, notImitated } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { isJsonObject } from '../json.ts';
import { canonicalKey } from '../partitionKey.ts';
import { compareValues, type Value } from '../sql/compare.ts';
import { findConjuncts } from '../sql/conjuncts.ts';
import { compile, compileFields, type Evaluate, type Parameters, propertyOf } from '../sql/evaluate.ts';
import { parseQuery } from '../sql/parser.ts';
import type { Expression, Ordering, Query } from '../sql/syntax.ts';
import type { Container } from './catalogue.ts';
import type { Database } from './database.ts';
import { nowInSeconds } from './itemRules.ts';
import { type Condition, type Scope, scopeCondition } from './scope.ts';

export interface QueryRequest {
  readonly query: string;
  readonly parameters: Parameters;
}

export interface QueryPage {
  /** JSON texts. */
  readonly documents: readonly string[];
  readonly continuation: string | undefined;
  /** Items loaded to make this page. */
  readonly loaded: number;
}

export interface CompiledQuery {
  readonly query: Query;
  readonly where: Evaluate | undefined;
  readonly project: Evaluate | undefined;
}

/** Where a page ended: behind the item `row` whose sort key is `key`, with so many results still wanted. */
interface Position {
  readonly row: number;
  readonly key?: Json | undefined;
  readonly left?: number | undefined;
}

interface Row {
  row: number;
  pk: string;
  id: string;
  body: string;
}

const maxPageSize = 4 * 1024 * 1024;
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
  const { selection } = query;
  const compiled = {
    query,
    where: query.where === undefined ? undefined : compile(query.where),
    project:
      selection.kind === 'value'
        ? compile(selection.expression)
        : selection.kind === 'fields'
          ? compileFields(selection.fields)
          : undefined,
  };
  if (compiledQueries.size >= maxCompiled) compiledQueries.clear();
  compiledQueries.set(sql, compiled);
  return compiled;
}

/**
 * Whether a query only filters. Such a query may run over all partitions; the gateway would send any other one back for
 * the client to merge.
 */
export function onlyFilters({ selection, orderBy, top, offset }: Query): boolean {
  return selection.kind !== 'count' && orderBy === undefined && top === undefined && offset === undefined;
}

/** Runs one page of a query. `continuation` comes from the page before. */
export function runQuery(
  database: Database,
  container: Container,
  request: QueryRequest,
  given: Scope,
  maxItems: number,
  continuation: string | undefined,
): QueryPage {
  const compiled = compileQuery(request.query);
  const { query } = compiled;
  const conjuncts = findConjuncts(query.where, request.parameters);
  const scope = given.kind === 'key' ? given : (scopeOfFilter(container, conjuncts) ?? given);
  if (scope.kind !== 'key' && !onlyFilters(query)) {
    throw notImitated(
      'A query over several partitions with ORDER BY, TOP, OFFSET or COUNT (give a partition key, or filter only)',
    );
  }
  const position = continuation === undefined ? undefined : decodePosition(continuation);
  const conditions = [
    scopeCondition(container, scope),
    { sql: '(expires IS NULL OR expires > ?)', values: [nowInSeconds()] },
    ...idConditions(conjuncts),
  ];
  const run: Run = { database, compiled, parameters: request.parameters, conditions, position, maxItems };
  if (query.selection.kind === 'count') return count(run);
  const { orderBy } = query;
  if (orderBy === undefined) return streamInOrder(run, scope.kind === 'key' ? byRow : byKey);
  return orderBy.path.length === 1 && orderBy.path[0] === 'id'
    ? streamInOrder(run, byId(orderBy.descending))
    : sortInMemory(run, orderBy);
}

interface Run {
  readonly database: Database;
  readonly compiled: CompiledQuery;
  readonly parameters: Parameters;
  readonly conditions: readonly Condition[];
  readonly position: Position | undefined;
  readonly maxItems: number;
}

/** A filter on the partition key makes a query one of that partition, with or without the header. */
function scopeOfFilter(container: Container, conjuncts: ReturnType<typeof findConjuncts>): Scope | undefined {
  const path = container.partitionPath.join('/');
  const equal = conjuncts.find((one) => one.operator === '=' && one.path.join('/') === path);
  if (equal === undefined || typeof equal.value === 'object') return undefined;
  return { kind: 'key', pk: canonicalKey(equal.value) };
}

/** Only narrows what is read; the whole WHERE is evaluated on what comes back. */
function idConditions(conjuncts: ReturnType<typeof findConjuncts>): Condition[] {
  return conjuncts.flatMap(({ path, operator, value }) =>
    path.length === 1 && path[0] === 'id' && typeof value === 'string'
      ? [{ sql: `id ${operator} ?`, values: [value] }]
      : [],
  );
}

function select(run: Run, columns: string, more: readonly Condition[], order: string): Iterable<unknown> {
  const conditions = [...run.conditions, ...more];
  const where = conditions.map((one) => one.sql).join(' AND ');
  return run.database
    .prepare(`SELECT ${columns} FROM items WHERE ${where} ${order}`)
    .iterate(...conditions.flatMap((one) => one.values));
}

function count(run: Run): QueryPage {
  let matches = 0;
  let loaded = 0;
  if (run.compiled.where === undefined) {
    for (const one of select(run, 'count(*) AS n', [], '')) matches = (one as { n: number }).n;
  } else {
    for (const one of select(run, 'row, pk, id, body', [], '')) {
      loaded += 1;
      if (matching(run, one as Row) !== undefined) matches += 1;
    }
  }
  return { documents: [String(matches)], continuation: undefined, loaded };
}

/** An order that an index has. */
interface StreamOrder {
  readonly orderBy: string;
  readonly after: (position: Position) => Condition;
  /** What a position needs to know beside the row. */
  readonly key: (row: Row) => string | undefined;
}

/** The order of creation, which is the service's too when none is asked for. */
const byRow: StreamOrder = {
  orderBy: 'ORDER BY row',
  after: ({ row }) => ({ sql: 'row > ?', values: [row] }),
  key: () => undefined,
};

/** One partition key after the other, for queries over several. */
const byKey: StreamOrder = {
  orderBy: 'ORDER BY pk, row',
  after: ({ key, row }) => ({ sql: '(pk, row) > (?, ?)', values: [String(key), row] }),
  key: ({ pk }) => pk,
};

const byId = (descending: boolean): StreamOrder => ({
  orderBy: descending ? 'ORDER BY id DESC' : 'ORDER BY id',
  after: ({ key }) => ({ sql: descending ? 'id < ?' : 'id > ?', values: [String(key)] }),
  key: ({ id }) => id,
});

/** Stops reading as soon as the page is full. */
function streamInOrder(run: Run, order: StreamOrder): QueryPage {
  const after = run.position === undefined ? [] : [order.after(run.position)];
  const page = new Page(run);
  for (const one of select(run, 'row, pk, id, body', after, order.orderBy)) {
    const row = one as Row;
    page.loaded += 1;
    const document = matching(run, row);
    if (document !== undefined && !page.offer(row, document, order.key(row))) break;
  }
  return page.finish();
}

interface Candidate {
  readonly row: Row;
  readonly document: JsonObject;
  readonly key: Value;
}

/** For other orders: collects the matches behind the position and sorts them. */
function sortInMemory(run: Run, orderBy: Ordering): QueryPage {
  const direction = orderBy.descending ? -1 : 1;
  const compare = (a: { key: Value; row: number }, b: { key: Value; row: number }) =>
    (compareValues(a.key, b.key) || a.row - b.row) * direction;
  const page = new Page(run);
  const candidates: Candidate[] = [];
  for (const one of select(run, 'row, pk, id, body', [], '')) {
    const row = one as Row;
    page.loaded += 1;
    const document = matching(run, row);
    if (document === undefined) continue;
    const key = propertyOf(document, orderBy.path);
    // An item without the property is not in its index, so the service leaves it out.
    if (key === undefined) continue;
    const { position } = run;
    const isBehind =
      position === undefined || compare({ key, row: row.row }, { key: position.key, row: position.row }) > 0;
    if (isBehind) candidates.push({ row, document, key });
  }
  candidates.sort((a, b) => compare({ key: a.key, row: a.row.row }, { key: b.key, row: b.row.row }));
  for (const { row, document, key } of candidates) if (!page.offer(row, document, key)) break;
  return page.finish();
}

function matching({ compiled, parameters }: Run, row: Row): JsonObject | undefined {
  const document = JSON.parse(row.body) as JsonObject;
  return compiled.where === undefined || compiled.where(document, parameters) === true ? document : undefined;
}

/** Takes matches in order and cuts out OFFSET, LIMIT, TOP and the page. */
class Page {
  loaded = 0;
  readonly #run: Run;
  readonly #documents: string[] = [];
  #size = 0;
  #skip: number;
  #left: number;
  #last: Position | undefined;
  #more = false;

  constructor(run: Run) {
    this.#run = run;
    const { top, offset, limit } = run.compiled.query;
    const number = (expression: Expression | undefined, otherwise: number) =>
      expression === undefined ? otherwise : wholeNumber(compile(expression)({}, run.parameters));
    const wanted = Math.min(number(top, Number.POSITIVE_INFINITY), number(limit, Number.POSITIVE_INFINITY));
    this.#skip = run.position === undefined ? number(offset, 0) : 0;
    this.#left = run.position?.left ?? wanted;
  }

  /** Gives false when no further match is wanted. */
  offer(row: Row, document: JsonObject, key: Value): boolean {
    if (this.#left <= 0) return false;
    if (this.#skip > 0) {
      this.#skip -= 1;
      return true;
    }
    if (this.#documents.length >= this.#run.maxItems || this.#size >= maxPageSize) {
      this.#more = true;
      return false;
    }
    const { project } = this.#run.compiled;
    const value = project === undefined ? undefined : project(document, this.#run.parameters);
    if (project !== undefined && value === undefined) return true;
    const text = project === undefined ? row.body : JSON.stringify(value);
    this.#documents.push(text);
    this.#size += text.length;
    this.#left -= 1;
    this.#last = { row: row.row, ...(key === undefined ? {} : { key }) };
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

function wholeNumber(value: Value): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw badRequest('TOP, OFFSET and LIMIT take whole numbers from 0.');
  }
  return value;
}

function encodePosition(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64');
}

function decodePosition(token: string): Position {
  try {
    const position = JSON.parse(Buffer.from(token, 'base64').toString('utf8')) as Position;
    if (Number.isInteger(position.row)) return position;
  } catch {
    // Falls through to the refusal.
  }
  throw badRequest('The query continuation is not known here. Begin the query again.');
}
