import type { Json } from '../json.ts';
import { type Parameters, parameterValue } from './evaluate.ts';
import type { Expression } from './syntax.ts';

/** A comparison of a property with a constant that every result must meet. */
export interface Conjunct {
  readonly path: readonly (string | number)[];
  readonly operator: '=' | '<' | '<=' | '>' | '>=';
  readonly value: Json;
}

const mirrored = { '=': '=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const;

/** Finds what a WHERE demands of single properties, so that the store need not read every item. */
export function findConjuncts(where: Expression | undefined, parameters: Parameters): Conjunct[] {
  if (where === undefined) return [];
  if (where.kind === 'and') {
    return [...findConjuncts(where.left, parameters), ...findConjuncts(where.right, parameters)];
  }
  if (where.kind === 'call' && where.name === 'STARTSWITH' && where.args.length === 2) {
    const [property, prefix] = where.args;
    const value = prefix === undefined ? undefined : constantOf(prefix, parameters);
    return property?.kind === 'property' && typeof value === 'string'
      ? [{ path: property.path, operator: '>=', value }]
      : [];
  }
  if (where.kind !== 'comparison' || where.operator === '!=') return [];
  const { left, right, operator } = where;
  const rightValue = constantOf(right, parameters);
  if (left.kind === 'property' && rightValue !== undefined) {
    return [{ path: left.path, operator, value: rightValue }];
  }
  const leftValue = constantOf(left, parameters);
  return right.kind === 'property' && leftValue !== undefined
    ? [{ path: right.path, operator: mirrored[operator], value: leftValue }]
    : [];
}

function constantOf(expression: Expression, parameters: Parameters): Json | undefined {
  if (expression.kind === 'literal') return expression.value;
  if (expression.kind === 'parameter') return parameterValue(expression.name, parameters);
  return undefined;
}
