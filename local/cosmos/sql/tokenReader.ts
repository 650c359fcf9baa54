import { syntaxError, type Token, tokenize } from './lexer.ts';

/** Goes through the tokens of a query. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(sql: string) {
    this.#tokens = tokenize(sql);
  }

  token(ahead = 0): Token {
    return this.#tokens[this.#at + ahead] ?? { kind: 'end', text: 'end of query' };
  }

  take(): Token {
    const token = this.token();
    this.#at += 1;
    return token;
  }

  peek(text: string, ahead = 0): boolean {
    const token = this.token(ahead);
    return (token.kind === 'keyword' || token.kind === 'symbol') && token.text === text;
  }

  accept(text: string): boolean {
    if (!this.peek(text)) return false;
    this.#at += 1;
    return true;
  }

  /** Takes the first of the symbols or keywords that comes next. */
  acceptOne<Text extends string>(texts: readonly Text[]): Text | undefined {
    return texts.find((text) => this.accept(text));
  }

  need(text: string): void {
    if (!this.accept(text)) this.fail();
  }

  name(): string {
    const token = this.token();
    if (token.kind !== 'name') return this.fail();
    this.#at += 1;
    return token.text;
  }

  fail(): never {
    throw syntaxError(this.token().text);
  }

  /** For a token that was taken and turns out to be wrong. */
  failBefore(): never {
    this.#at -= 1;
    return this.fail();
  }
}
