import { badRequest, notImitated } from '../errors.ts';
import { printExpression } from './print.ts';
import type { Expression, Query, Selection } from './syntax.ts';
import { partsOf, usesAggregate } from './walk.ts';

export function selectedExpressions(selection: Selection): Expression[] {
  if (selection.kind === 'all') return [];
  return selection.kind === 'value'
    ? [selection.expression]
    : selection.fields.map((field) => field.expression);
}

/** Throws 400 for what the grammar allows and the service does not. */
export function checkQuery(query: Query): void {
  const { selection, sources, where, groupBy, orderBy, aggregates } = query;
  const visible = sources.filter((source) => source.kind !== 'container' || !source.isHidden);
  if (selection.kind === 'all' && visible.length !== 1) {
    throw badRequest("'SELECT *' is only valid with a single input set.");
  }
  if (where !== undefined && usesAggregate(where)) {
    throw badRequest('Aggregates may be selected, but not stand in WHERE.');
  }
  if (groupBy.length === 0 && !aggregates) return;
  if (orderBy.length > 0) throw notImitated('ORDER BY with GROUP BY or aggregates');
  if (selection.kind === 'all') throw badRequest("'SELECT *' is not valid with GROUP BY.");
  checkGrouped(query);
}

/** What a group gives must be the same for all its rows: a key, a constant or an aggregate. */
function checkGrouped({ selection, groupBy, sources }: Query): void {
  const keys = new Set(groupBy.map(printExpression));
  const aliases = new Set(sources.map((source) => source.alias));
  const check = (expression: Expression): void => {
    if (keys.has(printExpression(expression))) return;
    if (expression.kind === 'aggregate') {
      if (usesAggregate(expression.argument)) throw badRequest('An aggregate cannot stand in another one.');
      return;
    }
    // The names of an outer query are constants here.
    if (expression.kind === 'property' && aliases.has(expression.root)) {
      throw badRequest(
        `Property reference '${printExpression(expression)}' is invalid in the select list because it is not contained ` +
          'in either an aggregate function or the GROUP BY clause.',
      );
    }
    partsOf(expression).forEach(check);
  };
  selectedExpressions(selection).forEach(check);
}
