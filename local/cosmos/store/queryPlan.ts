import { badRequest } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { isGrouped, limitsOf } from '../sql/select.ts';
import { selectedExpressions } from '../sql/queryRules.ts';
import { printExpression, printFrom, printGroupBy, printSelected, printWhere } from '../sql/print.ts';
import type { AggregateName, Expression, Field, Query } from '../sql/syntax.ts';
import { usesAggregate } from '../sql/walk.ts';
import { compileQuery, onlyFilters, type QueryRequest } from './queryRequest.ts';

/** A half-open part of the ring that a query concerns. */
export interface PlannedRange {
  readonly min: string;
  readonly max: string;
}

/** The SDK puts the condition by which it resumes in the place of this, or `true`. */
const placeholder = '{documentdb-formattableorderbyquery-filter}';

const aggregateTypes: Readonly<Record<AggregateName, string>> = {
  COUNT: 'Count',
  SUM: 'Sum',
  AVG: 'Average',
  MIN: 'Min',
  MAX: 'Max',
};

/**
 * How the SDK is to merge what the partitions answer: the query that each of them gets, and what to do with the answers.
 * The SDK asks for this beside every query and uses it when the query itself was sent back, or when told to.
 */
export function planQuery(request: QueryRequest, { min, max }: PlannedRange): JsonObject {
  const { query } = compileQuery(request.query);
  checkComposition(query);
  const { skip, take } = limitsOf(query, { values: {}, parameters: request.parameters });
  const wanted = Number.isFinite(take) ? skip + take : undefined;
  const fields = query.selection.kind === 'fields' ? query.selection.fields : [];
  const grouped = isGrouped(query);
  return {
    partitionedQueryExecutionInfoVersion: 2,
    queryInfo: {
      distinctType: distinctTypeOf(query),
      top: query.top === undefined ? null : take,
      offset: query.offset === undefined ? null : skip,
      limit: query.limit === undefined ? null : take,
      orderBy: query.orderBy.map(({ descending }) => (descending ? 'Descending' : 'Ascending')),
      orderByExpressions: query.orderBy.map(({ expression }) => printExpression(expression)),
      groupByExpressions: query.groupBy.map(printExpression),
      groupByAliases: grouped ? fields.map((field) => field.name) : [],
      aggregates: query.selection.kind === 'value' ? aggregatesIn(query.selection.expression) : [],
      groupByAliasToAggregateType: grouped
        ? Object.fromEntries(fields.map(({ name, expression }) => [name, typeOf(expression) ?? null]))
        : {},
      rewrittenQuery: onlyFilters(query) ? '' : rewrite(query, wanted),
      hasSelectValue: query.selection.kind === 'value',
      hasNonStreamingOrderBy: false,
    },
    queryRanges: [{ min, max, isMinInclusive: true, isMaxInclusive: false }],
  };
}

/** Partial aggregates can be added up only when nothing was computed with them. */
function checkComposition(query: Query): void {
  const composed = selectedExpressions(query.selection).find(
    (one) => one.kind !== 'aggregate' && usesAggregate(one),
  );
  if (composed !== undefined) {
    throw badRequest(
      `Compositions of aggregates and other expressions are not allowed over several partitions: ${printExpression(composed)}`,
    );
  }
}

/** Ordered = equal results are neighbours, so that the client needs to remember only one. */
function distinctTypeOf({ distinct, selection, orderBy }: Query): string {
  if (!distinct) return 'None';
  const [first] = orderBy;
  const isSorted =
    first !== undefined &&
    selection.kind === 'value' &&
    printExpression(selection.expression) === printExpression(first.expression);
  return isSorted ? 'Ordered' : 'Unordered';
}

const typeOf = (expression: Expression) =>
  expression.kind === 'aggregate' ? aggregateTypes[expression.name] : undefined;

function aggregatesIn(expression: Expression): string[] {
  const type = typeOf(expression);
  return type === undefined ? [] : [type];
}

/** `wanted` = so many results of each partition suffice. */
function rewrite(query: Query, wanted: number | undefined): string {
  const { orderBy, distinct } = query;
  const from = printFrom(query);
  if (isGrouped(query)) {
    return `SELECT ${groupedSelection(query)}${from}${printWhere(query)}${printGroupBy(query)}`;
  }
  // Of results that the client drops again, none can be spared.
  const top = wanted === undefined || distinct ? '' : `TOP ${wanted} `;
  const selected = printSelected(query);
  if (orderBy.length === 0) {
    const isAll = query.selection.kind === 'all' && query.sources.length === 1;
    return `SELECT ${distinct ? 'DISTINCT ' : ''}${top}${isAll ? '*' : `VALUE ${selected}`}${from}${printWhere(query)}`;
  }
  const keys = orderBy.map(({ expression }) => `{"item": ${printExpression(expression)}}`).join(', ');
  const order = orderBy
    .map(({ expression, descending }) => `${printExpression(expression)} ${descending ? 'DESC' : 'ASC'}`)
    .join(', ');
  const rid = `${query.sources[0]?.alias ?? ''}._rid`;
  return `SELECT ${top}${rid}, [${keys}] AS orderByItems, ${selected} AS payload${from}${printWhere(query, placeholder)} ORDER BY ${order}`;
}

function groupedSelection({ selection, groupBy }: Query): string {
  const keys = groupBy.map((key) => `{"item": ${printExpression(key)}}`).join(', ');
  const prefix = groupBy.length === 0 ? '' : `[${keys}] AS groupByItems, `;
  if (selection.kind === 'value') {
    const { expression } = selection;
    const payload =
      expression.kind === 'aggregate' ? `[${partial(expression)}]` : printExpression(expression);
    return groupBy.length === 0 ? `VALUE ${payload}` : `${prefix}${payload} AS payload`;
  }
  const fields = selection.kind === 'fields' ? selection.fields : [];
  return `${prefix}{${fields.map(payloadField).join(', ')}} AS payload`;
}

function payloadField({ name, expression }: Field): string {
  const value = expression.kind === 'aggregate' ? partial(expression) : printExpression(expression);
  return `${JSON.stringify(name)}: ${value}`;
}

/** What of an aggregate can be added up. */
function partial({ name, argument }: Extract<Expression, { kind: 'aggregate' }>): string {
  const of = printExpression(argument);
  switch (name) {
    case 'AVG':
      return `{"item": {"sum": SUM(${of}), "count": COUNT(${of})}}`;
    case 'MIN':
    case 'MAX':
      return `{"item2": {"${name.toLowerCase()}": ${name}(${of}), "count": COUNT(${of})}}`;
    case 'COUNT':
    case 'SUM':
      return `{"item": ${name}(${of})}`;
  }
}
