import { notImitated } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { compileQuery, onlyFilters, type QueryRequest } from './query.ts';

/**
 * What the SDK asks for beside every query. It uses the answer only when the query itself was sent back, or when told
 * to; a refusal here then does no harm.
 */
export function planQuery(request: QueryRequest): JsonObject {
  const { query } = compileQuery(request.query);
  if (!onlyFilters(query)) throw notImitated('A query plan with ORDER BY, TOP, OFFSET or COUNT');
  return {
    partitionedQueryExecutionInfoVersion: 2,
    queryInfo: {
      distinctType: 'None',
      top: null,
      offset: null,
      limit: null,
      orderBy: [],
      orderByExpressions: [],
      groupByExpressions: [],
      groupByAliases: [],
      aggregates: [],
      groupByAliasToAggregateType: {},
      rewrittenQuery: '',
      hasSelectValue: query.selection.kind === 'value',
      hasNonStreamingOrderBy: false,
    },
    queryRanges: [{ min: '', max: 'FF', isMinInclusive: true, isMaxInclusive: false }],
  };
}
