import type { Json } from '../json.ts';

export type ComparisonOperator = '=' | '!=' | '<' | '<=' | '>' | '>=';

export type Expression =
  | { readonly kind: 'literal'; readonly value: Json | undefined }
  | { readonly kind: 'parameter'; readonly name: string }
  /** A path below the container's alias; the empty path is the item itself. */
  | { readonly kind: 'property'; readonly path: readonly (string | number)[] }
  | {
      readonly kind: 'comparison';
      readonly operator: ComparisonOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'not'; readonly operand: Expression }
  | { readonly kind: 'in'; readonly operand: Expression; readonly options: readonly Expression[] }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'array'; readonly elements: readonly Expression[] }
  | { readonly kind: 'object'; readonly fields: readonly Field[] };

export interface Field {
  readonly name: string;
  readonly expression: Expression;
}

export type Selection =
  | { readonly kind: 'all' }
  | { readonly kind: 'count' }
  | { readonly kind: 'value'; readonly expression: Expression }
  | { readonly kind: 'fields'; readonly fields: readonly Field[] };

export interface Ordering {
  readonly path: readonly (string | number)[];
  readonly descending: boolean;
}

export interface Query {
  readonly selection: Selection;
  readonly where?: Expression;
  readonly orderBy?: Ordering;
  readonly top?: Expression;
  readonly offset?: Expression;
  readonly limit?: Expression;
}
