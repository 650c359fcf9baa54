import type { Expression, Field, Query, Source } from './syntax.ts';

/** Writes an expression as a query text again, which parses to the same. */
export function printExpression(expression: Expression): string {
  switch (expression.kind) {
    case 'literal':
      return expression.value === undefined ? 'undefined' : JSON.stringify(expression.value);
    case 'parameter':
      return expression.name;
    case 'property':
      return expression.root + expression.path.map((key) => `[${JSON.stringify(key)}]`).join('');
    case 'member':
      return `${printExpression(expression.of)}[${printExpression(expression.key)}]`;
    case 'comparison':
    case 'arithmetic':
    case 'concatenation':
    case 'coalescence':
    case 'junction':
      return `(${printExpression(expression.left)} ${expression.operator} ${printExpression(expression.right)})`;
    case 'conditional':
      return `(${[expression.test, expression.yes].map(printExpression).join(' ? ')} : ${printExpression(expression.no)})`;
    case 'unary':
      return `(${expression.operator} ${printExpression(expression.operand)})`;
    case 'in':
      return `(${printExpression(expression.operand)} IN (${printList(expression.options)}))`;
    case 'like': {
      const escape = expression.escape === undefined ? '' : ` ESCAPE ${printExpression(expression.escape)}`;
      return `(${printExpression(expression.operand)} LIKE ${printExpression(expression.pattern)}${escape})`;
    }
    case 'call':
      return `${expression.name}(${printList(expression.args)})`;
    case 'aggregate':
      return `${expression.name}(${printExpression(expression.argument)})`;
    case 'array':
      return `[${printList(expression.elements)}]`;
    case 'object':
      return printObject(expression.fields);
    case 'subquery': {
      const word = { value: '', exists: 'EXISTS', array: 'ARRAY' }[expression.as];
      return `${word}(${printQuery(expression.query)})`;
    }
  }
}

function printList(expressions: readonly Expression[]): string {
  return expressions.map(printExpression).join(', ');
}

export function printObject(fields: readonly Field[]): string {
  return `{${fields.map(({ name, expression }) => `${JSON.stringify(name)}: ${printExpression(expression)}`).join(', ')}}`;
}

/** What a query selects, as one expression. */
export function printSelected({ selection, sources }: Query): string {
  if (selection.kind === 'all') return sources.at(-1)?.alias ?? '';
  return selection.kind === 'value' ? printExpression(selection.expression) : printObject(selection.fields);
}

function printSource(source: Source): string {
  if (source.kind === 'container') return source.alias;
  return source.kind === 'elements'
    ? `${source.alias} IN ${printCollection(source.of)}`
    : `${printExpression(source.of)} AS ${source.alias}`;
}

/** A subquery behind IN gives its rows as they are. */
function printCollection(of: Expression): string {
  return of.kind === 'subquery' ? `(${printQuery(of.query)})` : printExpression(of);
}

/** FROM with everything that is joined. */
export function printFrom({ sources }: Query): string {
  if (sources.length === 0) return '';
  const [first, ...others] = sources;
  // The hidden source is brought in again by the path of the one behind it.
  const shown = first?.kind === 'container' && first.isHidden ? others : sources;
  return ` FROM ${shown.map(printSource).join(' JOIN ')}`;
}

export function printWhere({ where }: Query, more?: string): string {
  const conditions = [
    ...(where === undefined ? [] : [printExpression(where)]),
    ...(more ? [`(${more})`] : []),
  ];
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}

export function printGroupBy({ groupBy }: Query): string {
  return groupBy.length === 0 ? '' : ` GROUP BY ${printList(groupBy)}`;
}

function printQuery(query: Query): string {
  const { distinct, top, offset, limit } = query;
  const words = `${distinct ? ' DISTINCT' : ''}${top ? ` TOP ${printExpression(top)}` : ''}`;
  const paging = offset && limit ? ` OFFSET ${printExpression(offset)} LIMIT ${printExpression(limit)}` : '';
  const selected = query.selection.kind === 'all' ? '*' : `VALUE ${printSelected(query)}`;
  return `SELECT${words} ${selected}${printFrom(query)}${printWhere(query)}${printGroupBy(query)}${paging}`;
}
