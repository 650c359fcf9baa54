import { notImitated } from '../errors.ts';
import type { Json } from '../json.ts';
import { functions } from './functions.ts';
import { syntaxError, type Token, tokenize } from './lexer.ts';
import type { ComparisonOperator, Expression, Field, Ordering, Query, Selection } from './syntax.ts';

const comparisons: Readonly<Record<string, ComparisonOperator>> = {
  '=': '=',
  '!=': '!=',
  '<>': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};
const arithmetic = new Set(['+', '-', '*', '/', '%', '||', '&', '|', '^', '~', '??', '?']);
const aggregates = new Set(['COUNT', 'SUM', 'AVG', 'MIN', 'MAX']);

/** Parses a query. Throws 400 with the place for wrong syntax, and with a name for what is not imitated. */
export function parseQuery(sql: string): Query {
  return new Parser(tokenize(sql)).query();
}

/** Recursive descent, one method per level of precedence. */
class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  /** Known only after FROM, but needed before it, in the selection; so paths are checked at the end. */
  #roots: string[] = [];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  query(): Query {
    this.#need('SELECT');
    if (this.#peek('DISTINCT')) throw notImitated('DISTINCT');
    const top = this.#accept('TOP') ? this.#constant() : undefined;
    const selection = this.#selection();
    const alias = this.#from();
    const where = this.#accept('WHERE') ? this.#expression() : undefined;
    if (this.#peek('GROUP')) throw notImitated('GROUP BY');
    const orderBy = this.#accept('ORDER') ? this.#ordering() : undefined;
    let offset: Expression | undefined;
    let limit: Expression | undefined;
    if (this.#accept('OFFSET')) {
      offset = this.#constant();
      this.#need('LIMIT');
      limit = this.#constant();
    }
    if (this.#token().kind !== 'end') this.#fail();
    const stranger = this.#roots.find((root) => root !== alias);
    if (stranger !== undefined) throw syntaxError(stranger);
    return {
      selection,
      ...(where === undefined ? {} : { where }),
      ...(orderBy === undefined ? {} : { orderBy }),
      ...(top === undefined ? {} : { top }),
      ...(offset === undefined || limit === undefined ? {} : { offset, limit }),
    };
  }

  #selection(): Selection {
    if (this.#accept('*')) return { kind: 'all' };
    if (this.#accept('VALUE')) {
      if (this.#acceptCount()) return { kind: 'count' };
      return { kind: 'value', expression: this.#expression() };
    }
    const fields: Field[] = [];
    do fields.push(this.#field(fields.length + 1));
    while (this.#accept(','));
    return { kind: 'fields', fields };
  }

  #field(position: number): Field {
    const root = this.#token();
    const expression = this.#expression();
    if (this.#accept('AS')) return { name: this.#name(), expression };
    if (this.#token().kind === 'name') return { name: this.#name(), expression };
    const last = expression.kind === 'property' ? (expression.path.at(-1) ?? root.text) : undefined;
    return { name: typeof last === 'string' ? last : `$${position}`, expression };
  }

  /** COUNT(1) counts items. Every other aggregate would have to be merged across partitions by the client. */
  #acceptCount(): boolean {
    const [name, open, one, close] = this.#tokens.slice(this.#at, this.#at + 4);
    const isCount = name?.kind === 'name' && name.text.toUpperCase() === 'COUNT' && open?.text === '(';
    if (!isCount || one?.text !== '1' || close?.text !== ')') return false;
    this.#at += 4;
    return true;
  }

  #from(): string {
    this.#need('FROM');
    if (this.#peek('(')) throw notImitated('A subquery');
    const source = this.#name();
    if (this.#peek('IN')) throw notImitated('FROM … IN');
    if (this.#peek('.') || this.#peek('[')) throw notImitated('FROM with a path');
    const hasAlias = this.#accept('AS') || this.#token().kind === 'name';
    const alias = hasAlias ? this.#name() : source;
    if (this.#peek('JOIN') || this.#peek(',')) throw notImitated('JOIN');
    return alias;
  }

  #ordering(): Ordering {
    this.#need('BY');
    const expression = this.#expression();
    if (expression.kind !== 'property' || expression.path.length === 0) {
      throw notImitated('ORDER BY anything but a property');
    }
    const descending = this.#accept('DESC');
    if (!descending) this.#accept('ASC');
    if (this.#peek(',')) throw notImitated('ORDER BY more than one property');
    return { path: expression.path, descending };
  }

  #expression(): Expression {
    let left = this.#conjunction();
    while (this.#accept('OR')) left = { kind: 'or', left, right: this.#conjunction() };
    const { kind, text } = this.#token();
    if (kind === 'symbol' && arithmetic.has(text)) throw notImitated(`The operator ${text}`);
    return left;
  }

  #conjunction(): Expression {
    let left = this.#negation();
    while (this.#accept('AND')) left = { kind: 'and', left, right: this.#negation() };
    return left;
  }

  #negation(): Expression {
    return this.#accept('NOT') ? { kind: 'not', operand: this.#negation() } : this.#predicate();
  }

  #predicate(): Expression {
    const operand = this.#postfix();
    const operator = this.#token().kind === 'symbol' ? comparisons[this.#token().text] : undefined;
    if (operator !== undefined) {
      this.#at += 1;
      return { kind: 'comparison', operator, left: operand, right: this.#postfix() };
    }
    const negated = this.#accept('NOT');
    const wrap = (expression: Expression): Expression =>
      negated ? { kind: 'not', operand: expression } : expression;
    if (this.#accept('IN')) {
      this.#need('(');
      const options = this.#list(')');
      if (options.length === 0) this.#fail();
      return wrap({ kind: 'in', operand, options });
    }
    if (this.#accept('BETWEEN')) {
      const low = this.#postfix();
      this.#need('AND');
      const high = this.#postfix();
      return wrap({
        kind: 'and',
        left: { kind: 'comparison', operator: '>=', left: operand, right: low },
        right: { kind: 'comparison', operator: '<=', left: operand, right: high },
      });
    }
    if (this.#peek('LIKE')) throw notImitated('LIKE');
    if (negated) this.#fail();
    return operand;
  }

  #postfix(): Expression {
    const expression = this.#primary();
    if (expression.kind !== 'property') return expression;
    const path: (string | number)[] = [...expression.path];
    for (;;) {
      if (this.#accept('.')) {
        path.push(this.#name());
      } else if (this.#accept('[')) {
        const key = this.#token();
        if (key.kind !== 'string' && key.kind !== 'number')
          throw notImitated('A property named by an expression');
        path.push(key.value);
        this.#at += 1;
        this.#need(']');
      } else {
        return { kind: 'property', path };
      }
    }
  }

  #primary(): Expression {
    const token = this.#token();
    this.#at += 1;
    switch (token.kind) {
      case 'number':
      case 'string':
        return { kind: 'literal', value: token.value };
      case 'parameter':
        return { kind: 'parameter', name: token.text };
      case 'name':
        return this.#accept('(') ? this.#call(token.text) : this.#root(token.text);
      case 'keyword':
        return this.#keyword(token.text);
      case 'symbol':
        return this.#bracketed(token.text);
      case 'end':
        return this.#failBefore();
    }
  }

  #root(name: string): Expression {
    this.#roots.push(name);
    return { kind: 'property', path: [] };
  }

  #keyword(word: string): Expression {
    const literals: Readonly<Record<string, Json | undefined>> = { TRUE: true, FALSE: false, NULL: null };
    if (Object.hasOwn(literals, word)) return { kind: 'literal', value: literals[word] };
    if (word === 'UNDEFINED') return { kind: 'literal', value: undefined };
    if (word === 'EXISTS' || word === 'ARRAY' || word === 'SELECT') throw notImitated('A subquery');
    if (word === 'UDF') throw notImitated('A user-defined function');
    if (word === 'LEFT' || word === 'RIGHT') throw notImitated(`The function ${word}`);
    return this.#failBefore();
  }

  #bracketed(symbol: string): Expression {
    if (symbol === '(') {
      if (this.#peek('SELECT')) throw notImitated('A subquery');
      const inner = this.#expression();
      this.#need(')');
      return inner;
    }
    if (symbol === '-') {
      const number = this.#token();
      if (number.kind !== 'number') throw notImitated('The operator -');
      this.#at += 1;
      return { kind: 'literal', value: -number.value };
    }
    if (symbol === '[') return { kind: 'array', elements: this.#list(']') };
    if (symbol === '{') return { kind: 'object', fields: this.#objectFields() };
    return this.#failBefore();
  }

  #objectFields(): Field[] {
    const fields: Field[] = [];
    if (this.#accept('}')) return fields;
    do {
      const key = this.#token();
      if (key.kind !== 'string' && key.kind !== 'name') this.#fail();
      this.#at += 1;
      this.#need(':');
      fields.push({ name: key.kind === 'string' ? key.value : key.text, expression: this.#expression() });
    } while (this.#accept(','));
    this.#need('}');
    return fields;
  }

  #call(name: string): Expression {
    const upper = name.toUpperCase();
    if (aggregates.has(upper)) throw notImitated(`${upper}, except as SELECT VALUE COUNT(1),`);
    const known = functions[upper];
    if (known === undefined) throw notImitated(`The function ${upper}`);
    const args = this.#list(')');
    if (args.length < known.min || args.length > known.max) {
      throw syntaxError(`${upper}: ${args.length} arguments`);
    }
    return { kind: 'call', name: upper, args };
  }

  #list(end: string): Expression[] {
    const items: Expression[] = [];
    if (this.#accept(end)) return items;
    do items.push(this.#expression());
    while (this.#accept(','));
    this.#need(end);
    return items;
  }

  #constant(): Expression {
    const token = this.#token();
    if (token.kind !== 'number' && token.kind !== 'parameter') this.#fail();
    return this.#primary();
  }

  #name(): string {
    const token = this.#token();
    if (token.kind !== 'name') this.#fail();
    this.#at += 1;
    return token.text;
  }

  #token(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: 'end of query' };
  }

  #peek(text: string): boolean {
    const token = this.#token();
    return (token.kind === 'keyword' || token.kind === 'symbol') && token.text === text;
  }

  #accept(text: string): boolean {
    if (!this.#peek(text)) return false;
    this.#at += 1;
    return true;
  }

  #need(text: string): void {
    if (!this.#accept(text)) this.#fail();
  }

  #fail(): never {
    throw syntaxError(this.#token().text);
  }

  #failBefore(): never {
    this.#at -= 1;
    return this.#fail();
  }
}
