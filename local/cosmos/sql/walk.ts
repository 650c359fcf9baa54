import type { Expression } from './syntax.ts';

/** The expressions an expression is made of. Subqueries are worlds of their own. */
export function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'member':
      return [expression.of, expression.key];
    case 'comparison':
    case 'arithmetic':
    case 'concatenation':
    case 'coalescence':
    case 'junction':
      return [expression.left, expression.right];
    case 'conditional':
      return [expression.test, expression.yes, expression.no];
    case 'unary':
      return [expression.operand];
    case 'in':
      return [expression.operand, ...expression.options];
    case 'like':
      return [expression.operand, expression.pattern, ...(expression.escape ? [expression.escape] : [])];
    case 'call':
      return expression.args;
    case 'aggregate':
      return [expression.argument];
    case 'array':
      return expression.elements;
    case 'object':
      return expression.fields.map((field) => field.expression);
    case 'literal':
    case 'parameter':
    case 'property':
    case 'subquery':
      return [];
  }
}

export function usesAggregate(expression: Expression): boolean {
  return expression.kind === 'aggregate' || partsOf(expression).some(usesAggregate);
}
