import { notImitated } from '../errors.ts';
import type { Json } from '../json.ts';
import { functions } from './functions/index.ts';
import { syntaxError } from './lexer.ts';
import type {
  AggregateName,
  ArithmeticOperator,
  ComparisonOperator,
  Expression,
  Field,
  Query,
} from './syntax.ts';
import type { TokenReader } from './tokenReader.ts';

const comparisons: Readonly<Record<string, ComparisonOperator>> = {
  '=': '=',
  '!=': '!=',
  '<>': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};
const literals: Readonly<Record<string, Json | undefined>> = {
  TRUE: true,
  FALSE: false,
  NULL: null,
  UNDEFINED: undefined,
};
/** From the weakest to the strongest; comparisons stand above all of these. */
const arithmeticLevels: readonly (readonly ArithmeticOperator[])[] = [
  ['|'],
  ['^'],
  ['&'],
  ['<<', '>>', '>>>'],
  ['+', '-'],
  ['*', '/', '%'],
];
const aggregateNames: ReadonlySet<string> = new Set(['COUNT', 'SUM', 'AVG', 'MIN', 'MAX']);
const isAggregateName = (name: string): name is AggregateName => aggregateNames.has(name);

/** Recursive descent, one method per level of precedence. */
export class ExpressionParser {
  readonly #reader: TokenReader;
  readonly #subquery: () => Query;
  readonly #onRoot: (name: string) => void;

  /** `subquery` parses from SELECT on; `onRoot` is told every name that an expression starts from. */
  constructor(reader: TokenReader, subquery: () => Query, onRoot: (name: string) => void) {
    this.#reader = reader;
    this.#subquery = subquery;
    this.#onRoot = onRoot;
  }

  expression(): Expression {
    const test = this.#coalescence();
    if (!this.#reader.accept('?')) return test;
    const yes = this.expression();
    this.#reader.need(':');
    return { kind: 'conditional', test, yes, no: this.expression() };
  }

  #coalescence(): Expression {
    const left = this.#disjunction();
    if (!this.#reader.accept('??')) return left;
    return { kind: 'coalescence', operator: '??', left, right: this.#coalescence() };
  }

  #disjunction(): Expression {
    let left = this.#conjunction();
    while (this.#reader.accept('OR')) {
      left = { kind: 'junction', operator: 'OR', left, right: this.#conjunction() };
    }
    return left;
  }

  #conjunction(): Expression {
    let left = this.#negation();
    while (this.#reader.accept('AND')) {
      left = { kind: 'junction', operator: 'AND', left, right: this.#negation() };
    }
    return left;
  }

  #negation(): Expression {
    return this.#reader.accept('NOT') ? negate(this.#negation()) : this.#predicate();
  }

  #predicate(): Expression {
    const reader = this.#reader;
    const operand = this.#concatenation();
    const { kind, text } = reader.token();
    const operator = kind === 'symbol' ? comparisons[text] : undefined;
    if (operator !== undefined) {
      reader.take();
      return { kind: 'comparison', operator, left: operand, right: this.#concatenation() };
    }
    const wrap = reader.accept('NOT') ? negate : undefined;
    const result = this.#membership(operand);
    if (result === undefined) return wrap === undefined ? operand : reader.fail();
    return wrap === undefined ? result : wrap(result);
  }

  #membership(operand: Expression): Expression | undefined {
    const reader = this.#reader;
    if (reader.accept('IN')) {
      reader.need('(');
      const options = this.#list(')');
      return options.length === 0 ? reader.fail() : { kind: 'in', operand, options };
    }
    if (reader.accept('BETWEEN')) {
      const low = this.#concatenation();
      reader.need('AND');
      const high = this.#concatenation();
      return {
        kind: 'junction',
        operator: 'AND',
        left: { kind: 'comparison', operator: '>=', left: operand, right: low },
        right: { kind: 'comparison', operator: '<=', left: operand, right: high },
      };
    }
    if (!reader.accept('LIKE')) return undefined;
    const pattern = this.#concatenation();
    return {
      kind: 'like',
      operand,
      pattern,
      escape: reader.accept('ESCAPE') ? this.#concatenation() : undefined,
    };
  }

  #concatenation(): Expression {
    let left = this.#arithmetic(0);
    while (this.#reader.accept('||')) {
      left = { kind: 'concatenation', operator: '||', left, right: this.#arithmetic(0) };
    }
    return left;
  }

  #arithmetic(level: number): Expression {
    const operators = arithmeticLevels[level];
    if (operators === undefined) return this.#unary();
    let left = this.#arithmetic(level + 1);
    for (;;) {
      const operator = this.#reader.acceptOne(operators);
      if (operator === undefined) return left;
      left = { kind: 'arithmetic', operator, left, right: this.#arithmetic(level + 1) };
    }
  }

  #unary(): Expression {
    const operator = this.#reader.acceptOne(['-', '+', '~']);
    if (operator === undefined) return this.path();
    const operand = this.#unary();
    const isNumber = operand.kind === 'literal' && typeof operand.value === 'number';
    if (operator === '-' && isNumber) return { kind: 'literal', value: -(operand.value as number) };
    return { kind: 'unary', operator, operand };
  }

  /** A primary expression and the properties behind it. */
  path(): Expression {
    const reader = this.#reader;
    let value = this.primary();
    for (;;) {
      if (reader.accept('.')) value = member(value, { kind: 'literal', value: reader.name() });
      else if (reader.accept('[')) {
        value = member(value, this.expression());
        reader.need(']');
      } else return value;
    }
  }

  primary(): Expression {
    const token = this.#reader.take();
    switch (token.kind) {
      case 'number':
      case 'string':
        return { kind: 'literal', value: token.value };
      case 'parameter':
        return { kind: 'parameter', name: token.text };
      case 'name':
        if (this.#reader.accept('(')) return this.#call(token.text);
        this.#onRoot(token.text);
        return { kind: 'property', root: token.text, path: [] };
      case 'keyword':
        return this.#keyword(token.text);
      case 'symbol':
        return this.#bracketed(token.text);
      case 'end':
        return this.#reader.failBefore();
    }
  }

  #keyword(word: string): Expression {
    if (Object.hasOwn(literals, word)) return { kind: 'literal', value: literals[word] };
    if (word === 'UDF') throw notImitated('A user-defined function');
    if ((word === 'EXISTS' || word === 'ARRAY') && this.#reader.accept('(')) {
      const query = this.#subquery();
      this.#reader.need(')');
      return { kind: 'subquery', as: word === 'EXISTS' ? 'exists' : 'array', query };
    }
    if ((word === 'LEFT' || word === 'RIGHT') && this.#reader.accept('(')) return this.#call(word);
    return this.#reader.failBefore();
  }

  #bracketed(symbol: string): Expression {
    const reader = this.#reader;
    if (symbol === '[') return { kind: 'array', elements: this.#list(']') };
    if (symbol === '{') return { kind: 'object', fields: this.#objectFields() };
    if (symbol !== '(') return reader.failBefore();
    const inner: Expression = reader.peek('SELECT')
      ? { kind: 'subquery', as: 'value', query: this.#subquery() }
      : this.expression();
    reader.need(')');
    return inner;
  }

  #objectFields(): Field[] {
    const reader = this.#reader;
    const fields: Field[] = [];
    if (reader.accept('}')) return fields;
    do {
      const key = reader.take();
      if (key.kind !== 'string' && key.kind !== 'name') return reader.failBefore();
      reader.need(':');
      fields.push({ name: key.kind === 'string' ? key.value : key.text, expression: this.expression() });
    } while (reader.accept(','));
    reader.need('}');
    return fields;
  }

  #call(name: string): Expression {
    const upper = name.toUpperCase();
    const args = this.#list(')');
    if (isAggregateName(upper)) {
      const [argument] = args;
      if (argument === undefined || args.length > 1) throw syntaxError(`${upper}: ${args.length} arguments`);
      return { kind: 'aggregate', name: upper, argument };
    }
    const known = functions[upper];
    if (known === undefined) throw notImitated(`The function ${upper}`);
    if (args.length < known.min || args.length > known.max) {
      throw syntaxError(`${upper}: ${args.length} arguments`);
    }
    return { kind: 'call', name: upper, args };
  }

  #list(end: string): Expression[] {
    const items: Expression[] = [];
    if (this.#reader.accept(end)) return items;
    do items.push(this.expression());
    while (this.#reader.accept(','));
    this.#reader.need(end);
    return items;
  }
}

function negate(operand: Expression): Expression {
  return { kind: 'unary', operator: 'NOT', operand };
}

function member(of: Expression, key: Expression): Expression {
  const isConstant =
    key.kind === 'literal' && (typeof key.value === 'string' || typeof key.value === 'number');
  return of.kind === 'property' && isConstant
    ? { ...of, path: [...of.path, key.value as string | number] }
    : { kind: 'member', of, key };
}
