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

/** Finds what a WHERE demands of single properties of the item, so that the store need not read every one. */
export function findConjuncts(
  where: Expression | undefined,
  alias: string | undefined,
  parameters: Parameters,
): Conjunct[] {
  if (where === undefined || alias === undefined) return [];
  if (where.kind === 'junction' && where.operator === 'AND') {
    return [where.left, where.right].flatMap((side) => findConjuncts(side, alias, parameters));
  }
  const pathOf = (one: Expression | undefined) =>
    one?.kind === 'property' && one.root === alias ? one.path : undefined;
  const constantOf = (one: Expression | undefined): Json | undefined => {
    if (one?.kind === 'literal') return one.value;
    return one?.kind === 'parameter' ? parameterValue(one.name, parameters) : undefined;
  };
  const conjunct = (
    property: Expression | undefined,
    operator: Conjunct['operator'],
    constant: Expression | undefined,
  ): Conjunct[] => {
    const [path, value] = [pathOf(property), constantOf(constant)];
    return path === undefined || value === undefined ? [] : [{ path, operator, value }];
  };
  if (where.kind === 'call' && where.name === 'STARTSWITH' && where.args.length === 2) {
    const [found] = conjunct(where.args[0], '>=', where.args[1]);
    return typeof found?.value === 'string' ? [found] : [];
  }
  if (where.kind !== 'comparison' || where.operator === '!=') return [];
  const { left, right, operator } = where;
  const direct = conjunct(left, operator, right);
  return direct.length > 0 ? direct : conjunct(right, mirrored[operator], left);
}
