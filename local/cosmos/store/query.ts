import { CosmosError } from '../errors.ts';
import { canonicalKey } from '../partitionKey.ts';
import { type Conjunct, findConjuncts } from '../sql/conjuncts.ts';
import { isGrouped } from '../sql/select.ts';
import type { Query } from '../sql/syntax.ts';
import type { Container } from './catalogue.ts';
import type { Database } from './database.ts';
import { nowInSeconds } from './itemRules.ts';
import { decodeItemPosition, decodeValuePosition } from './itemPosition.ts';
import { sortInMemory } from './querySort.ts';
import type { QueryPage, QueryRun, Replica } from './queryRun.ts';
import { compileQuery, onlyFilters, type QueryRequest } from './queryRequest.ts';
import { byId, byKey, byRow, streamInOrder } from './queryStream.ts';
import { pageOfDistinct, pageOfGroups } from './queryValues.ts';
import { type Condition, type Scope, scopeCondition } from './scope.ts';

/** Runs one page of a query. `continuation` comes from the page before. */
export function runQuery(
  database: Database,
  container: Container,
  request: QueryRequest,
  given: Scope,
  maxItems: number,
  continuation: string | undefined,
  replica: Replica | undefined,
): QueryPage {
  const compiled = compileQuery(request.query);
  const { query, alias } = compiled;
  const conjuncts = findConjuncts(query.where, alias, request.parameters);
  const scope = given.kind === 'key' ? given : (scopeOfFilter(container, conjuncts, given) ?? given);
  if (scope.kind === 'all' && !onlyFilters(query)) throw needsPlan();
  const run: QueryRun = {
    ...{ database, compiled, maxItems, replica },
    parameters: request.parameters,
    conditions: [
      scopeCondition(container, scope),
      { sql: '(expires IS NULL OR expires > ?)', values: [nowInSeconds()] },
      ...idConditions(conjuncts),
    ],
  };
  const isOfValues = isGrouped(query) || (query.distinct && query.orderBy.length === 0);
  if (isOfValues) {
    const position = continuation === undefined ? undefined : decodeValuePosition(continuation);
    return isGrouped(query) ? pageOfGroups(run, position) : pageOfDistinct(run, position);
  }
  const position = continuation === undefined ? undefined : decodeItemPosition(continuation);
  const [first] = query.orderBy;
  if (first === undefined) return streamInOrder(run, scope.kind === 'key' ? byRow : byKey, position);
  return isById(query) && scope.kind === 'key'
    ? streamInOrder(run, byId(first.descending), position)
    : sortInMemory(run, position);
}

/** What the gateway answers; the client then asks for the plan of the query and merges by it. */
function needsPlan(): CosmosError {
  return new CosmosError(
    400,
    'BadRequest',
    'Cross partition query with ORDER BY, TOP, OFFSET, DISTINCT, GROUP BY or aggregates needs a query plan: the client ' +
      'merges what the partitions answer.',
    undefined,
    {},
    { additionalErrorInfo: 'The query plan is to be had from this gateway.' },
  );
}

/** Ids are unique within a partition key only, and DISTINCT must know all that came before. */
function isById({ orderBy, distinct }: Query): boolean {
  const [first] = orderBy;
  return !distinct && orderBy.length === 1 && first?.expression.path.join('/') === 'id';
}

/** A filter on the whole partition key makes a query one of that partition, with or without the header. */
function scopeOfFilter(
  container: Container,
  conjuncts: readonly Conjunct[],
  given: Scope,
): Scope | undefined {
  // A range is a part of a greater query; the other ranges answer for themselves.
  if (given.kind === 'range') return undefined;
  const values = container.rules.partitionPaths.map((names) => {
    const path = names.join('/');
    return conjuncts.find((one) => one.operator === '=' && one.path.join('/') === path)?.value;
  });
  const isWhole = values.every((value) => value !== undefined && typeof value !== 'object');
  return isWhole ? { kind: 'key', pk: canonicalKey(values) } : undefined;
}

/** Only narrows what is read; the whole WHERE is evaluated on what comes back. */
function idConditions(conjuncts: readonly Conjunct[]): Condition[] {
  return conjuncts.flatMap(({ path, operator, value }) =>
    path.length === 1 && path[0] === 'id' && typeof value === 'string'
      ? [{ sql: `id ${operator} ?`, values: [value] }]
      : [],
  );
}
