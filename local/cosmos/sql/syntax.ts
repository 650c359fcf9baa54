import type { Json } from '../json.ts';

export type ComparisonOperator = '=' | '!=' | '<' | '<=' | '>' | '>=';
export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '<<' | '>>' | '>>>';
export type AggregateName = 'COUNT' | 'SUM' | 'AVG' | 'MIN' | 'MAX';

type Binary<Kind extends string, Operator extends string> = {
  readonly kind: Kind;
  readonly operator: Operator;
  readonly left: Expression;
  readonly right: Expression;
};

export type Expression =
  | { readonly kind: 'literal'; readonly value: Json | undefined }
  | { readonly kind: 'parameter'; readonly name: string }
  /** A path below an alias; the empty path is what the alias stands for. */
  | { readonly kind: 'property'; readonly root: string; readonly path: readonly (string | number)[] }
  /** A property of any value, or one whose name is computed. */
  | { readonly kind: 'member'; readonly of: Expression; readonly key: Expression }
  | Binary<'comparison', ComparisonOperator>
  | Binary<'arithmetic', ArithmeticOperator>
  | Binary<'concatenation', '||'>
  | Binary<'coalescence', '??'>
  | Binary<'junction', 'AND' | 'OR'>
  | {
      readonly kind: 'conditional';
      readonly test: Expression;
      readonly yes: Expression;
      readonly no: Expression;
    }
  | { readonly kind: 'unary'; readonly operator: 'NOT' | '-' | '+' | '~'; readonly operand: Expression }
  | { readonly kind: 'in'; readonly operand: Expression; readonly options: readonly Expression[] }
  | {
      readonly kind: 'like';
      readonly operand: Expression;
      readonly pattern: Expression;
      readonly escape: Expression | undefined;
    }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'aggregate'; readonly name: AggregateName; readonly argument: Expression }
  | { readonly kind: 'array'; readonly elements: readonly Expression[] }
  | { readonly kind: 'object'; readonly fields: readonly Field[] }
  /** `(SELECT …)`, `EXISTS(SELECT …)` or `ARRAY(SELECT …)`. */
  | { readonly kind: 'subquery'; readonly as: 'value' | 'exists' | 'array'; readonly query: Query };

export interface Field {
  readonly name: string;
  readonly expression: Expression;
}

export type Selection =
  | { readonly kind: 'all' }
  | { readonly kind: 'value'; readonly expression: Expression }
  | { readonly kind: 'fields'; readonly fields: readonly Field[] };

/** What an alias ranges over. The second and later ones are joined to the ones before. */
export type Source =
  /** The items of the container; none of a name of its own when `FROM t IN c.list` brings the alias `c` in. */
  | { readonly kind: 'container'; readonly alias: string; readonly isHidden: boolean }
  | { readonly kind: 'elements'; readonly alias: string; readonly of: Expression }
  | { readonly kind: 'value'; readonly alias: string; readonly of: Expression };

export interface Ordering {
  readonly expression: Extract<Expression, { kind: 'property' }>;
  readonly descending: boolean;
}

export interface Query {
  readonly selection: Selection;
  readonly distinct: boolean;
  readonly sources: readonly Source[];
  readonly where: Expression | undefined;
  readonly groupBy: readonly Expression[];
  readonly orderBy: readonly Ordering[];
  readonly top: Expression | undefined;
  readonly offset: Expression | undefined;
  readonly limit: Expression | undefined;
  /** Whether the selection holds an aggregate function. */
  readonly aggregates: boolean;
}

/** The alias of the container's items, if the query reads any. */
export function containerAlias(query: Query): string | undefined {
  const [first] = query.sources;
  return first?.kind === 'container' ? first.alias : undefined;
}
