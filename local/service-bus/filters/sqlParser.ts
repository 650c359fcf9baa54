import { invalidArgument } from '../brokerError.ts';
import { type PropertyName, type PropertyValue, systemPropertyOf } from './message.ts';
import { type Token, tokensOf } from './tokens.ts';

export type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>=';
export type Arithmetic = '+' | '-' | '*' | '/' | '%';

/** An expression of the filter language. */
export type Expression =
  | { readonly kind: 'literal'; readonly value: PropertyValue | undefined }
  | { readonly kind: 'property'; readonly name: PropertyName }
  | { readonly kind: 'exists'; readonly name: PropertyName }
  | { readonly kind: 'newId' }
  | { readonly kind: 'not' | 'negate'; readonly of: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: 'compare';
      readonly operator: Comparison;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'calculate';
      readonly operator: Arithmetic;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'in'; readonly of: Expression; readonly items: readonly Expression[] }
  | {
      readonly kind: 'like';
      readonly of: Expression;
      readonly pattern: Expression;
      readonly escape?: Expression;
    }
  | { readonly kind: 'isNull'; readonly of: Expression };

/** One step of an action; without a value the property is removed. */
export interface ActionStep {
  readonly name: PropertyName;
  readonly value?: Expression;
}

export type Parameters = Readonly<Record<string, PropertyValue>>;

const comparisons = ['=', '<>', '!=', '<', '<=', '>', '>='];
const maxLength = 1024;

/** Throws BrokerError when the text is no condition. */
export function parseCondition(source: string, parameters: Parameters = {}): Expression {
  const parser = new SqlParser(source, parameters);
  const condition = parser.or();
  parser.end();
  return condition;
}

/** Throws BrokerError when the text is no list of SET and REMOVE. */
export function parseAction(source: string, parameters: Parameters = {}): ActionStep[] {
  const parser = new SqlParser(source, parameters);
  const steps: ActionStep[] = [];
  do {
    if (!parser.isAtEnd) steps.push(parser.step());
  } while (parser.takesSymbol(';'));
  parser.end();
  if (steps.length === 0) throw invalidArgument('An action needs SET or REMOVE.');
  return steps;
}

class SqlParser {
  readonly #tokens: readonly Token[];
  readonly #parameters: Parameters;
  #position = 0;

  constructor(source: string, parameters: Parameters) {
    if (source.length > maxLength) {
      throw invalidArgument(`An SQL expression may have at most ${maxLength} characters.`);
    }
    this.#tokens = tokensOf(source);
    this.#parameters = parameters;
  }

  get isAtEnd(): boolean {
    return this.#position === this.#tokens.length;
  }

  end(): void {
    if (!this.isAtEnd) throw this.#unexpected('the end');
  }

  step(): ActionStep {
    if (this.#takesWord('REMOVE')) return { name: this.#property() };
    if (!this.#takesWord('SET')) throw this.#unexpected('SET or REMOVE');
    const name = this.#property();
    this.#need('=');
    return { name, value: this.#sum() };
  }

  or(): Expression {
    let left = this.#and();
    while (this.#takesWord('OR')) left = { kind: 'or', left, right: this.#and() };
    return left;
  }

  takesSymbol(text: string): boolean {
    const token = this.#tokens[this.#position];
    if (token?.kind !== 'symbol' || token.text !== text) return false;
    this.#position += 1;
    return true;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.#takesWord('AND')) left = { kind: 'and', left, right: this.#not() };
    return left;
  }

  #not(): Expression {
    return this.#takesWord('NOT') ? { kind: 'not', of: this.#not() } : this.#predicate();
  }

  #predicate(): Expression {
    if (this.#takesWord('EXISTS')) {
      this.#need('(');
      const name = this.#property();
      this.#need(')');
      return { kind: 'exists', name };
    }
    const left = this.#sum();
    if (this.#takesWord('IS')) {
      const negated = this.#takesWord('NOT');
      if (!this.#takesWord('NULL')) throw this.#unexpected('NULL');
      return negatedIf(negated, { kind: 'isNull', of: left });
    }
    const negated = this.#takesWord('NOT');
    if (this.#takesWord('IN')) return negatedIf(negated, { kind: 'in', of: left, items: this.#items() });
    if (this.#takesWord('LIKE')) {
      const pattern = this.#sum();
      const escape = this.#takesWord('ESCAPE') ? this.#sum() : undefined;
      return negatedIf(negated, { kind: 'like', of: left, pattern, ...(escape ? { escape } : {}) });
    }
    if (negated) throw this.#unexpected('IN or LIKE');
    const sign = comparisons.find((text) => this.takesSymbol(text));
    if (!sign) return left;
    return {
      kind: 'compare',
      operator: sign === '!=' ? '<>' : (sign as Comparison),
      left,
      right: this.#sum(),
    };
  }

  #items(): Expression[] {
    this.#need('(');
    const items = [this.#sum()];
    while (this.takesSymbol(',')) items.push(this.#sum());
    this.#need(')');
    return items;
  }

  #sum(): Expression {
    return this.#chain(['+', '-'], () => this.#chain(['*', '/', '%'], () => this.#unary()));
  }

  #chain(operators: readonly Arithmetic[], operand: () => Expression): Expression {
    let left = operand();
    for (;;) {
      const operator = operators.find((text) => this.takesSymbol(text));
      if (!operator) return left;
      left = { kind: 'calculate', operator, left, right: operand() };
    }
  }

  #unary(): Expression {
    if (this.takesSymbol('-')) return { kind: 'negate', of: this.#unary() };
    if (this.takesSymbol('+')) return this.#unary();
    if (this.takesSymbol('(')) {
      const inner = this.or();
      this.#need(')');
      return inner;
    }
    const token = this.#tokens[this.#position];
    switch (token?.kind) {
      case 'string':
        this.#position += 1;
        return { kind: 'literal', value: token.text };
      case 'number':
        this.#position += 1;
        return { kind: 'literal', value: token.value };
      case 'parameter':
        this.#position += 1;
        return { kind: 'literal', value: this.#parameter(token.text) };
      case 'name':
        return this.#named();
      default:
        throw this.#unexpected('a value');
    }
  }

  #named(): Expression {
    if (this.#takesWord('TRUE')) return { kind: 'literal', value: true };
    if (this.#takesWord('FALSE')) return { kind: 'literal', value: false };
    if (this.#takesWord('NULL')) return { kind: 'literal', value: undefined };
    if (this.#isCall('NEWID')) {
      this.#position += 2;
      this.#need(')');
      return { kind: 'newId' };
    }
    if (this.#isCall('P') || this.#isCall('PROPERTY')) {
      this.#position += 2;
      const name = this.#tokens[this.#position];
      if (name?.kind !== 'string') throw this.#unexpected("the property's name as a string");
      this.#position += 1;
      this.#need(')');
      return { kind: 'property', name: { scope: 'application', name: name.text } };
    }
    return { kind: 'property', name: this.#property() };
  }

  #isCall(word: string): boolean {
    const [name, bracket] = this.#tokens.slice(this.#position, this.#position + 2);
    return isWord(name, word) && bracket?.kind === 'symbol' && bracket.text === '(';
  }

  #property(): PropertyName {
    let name = this.#name();
    let scope = 'user';
    if (/^(sys|user)$/i.test(name) && this.takesSymbol('.')) {
      scope = name.toLowerCase();
      name = this.#name();
    }
    // Periods belong to names of application properties.
    while (scope === 'user' && this.takesSymbol('.')) name += `.${this.#name()}`;
    if (scope === 'user') return { scope: 'application', name };
    const system = systemPropertyOf(name);
    if (!system) throw invalidArgument(`There is no system property sys.${name}.`);
    return { scope: 'system', name: system };
  }

  #name(): string {
    const token = this.#tokens[this.#position];
    if (token?.kind !== 'name') throw this.#unexpected('the name of a property');
    this.#position += 1;
    return token.text;
  }

  #parameter(name: string): PropertyValue {
    const value = this.#parameters[name];
    if (value === undefined) throw invalidArgument(`The parameter ${name} has no value.`);
    return value;
  }

  #takesWord(word: string): boolean {
    if (!isWord(this.#tokens[this.#position], word)) return false;
    this.#position += 1;
    return true;
  }

  #need(symbol: string): void {
    if (!this.takesSymbol(symbol)) throw this.#unexpected(`"${symbol}"`);
  }

  #unexpected(wanted: string) {
    const token = this.#tokens[this.#position];
    return invalidArgument(
      `The SQL expression needs ${wanted} where it has ${token ? `"${token.text}"` : 'nothing more'}.`,
    );
  }
}

const isWord = (token: Token | undefined, word: string): boolean =>
  token?.kind === 'name' && !token.quoted && token.text.toUpperCase() === word;

const negatedIf = (negated: boolean, of: Expression): Expression => (negated ? { kind: 'not', of } : of);
