import { badRequest } from '../errors.ts';

export type Token =
  | { readonly kind: 'keyword' | 'name' | 'parameter' | 'symbol'; readonly text: string }
  | { readonly kind: 'number'; readonly text: string; readonly value: number }
  | { readonly kind: 'string'; readonly text: string; readonly value: string }
  | { readonly kind: 'end'; readonly text: 'end of query' };

/** Reserved words. A property with such a name must be written as c["name"], as with the service. */
const keywords = new Set(
  (
    'AND ARRAY AS ASC BETWEEN BY DESC DISTINCT ESCAPE EXISTS FALSE FROM GROUP HAVING IN INSERT INTO IS JOIN LEFT LIKE ' +
    'LIMIT NOT NULL OFFSET OR ORDER OVER RIGHT SELECT TOP TRUE UDF UNDEFINED VALUE WHERE'
  ).split(' '),
);

const pattern =
  /(?<space>\s+|--[^\n]*)|(?<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<parameter>@\w+)|(?<name>[A-Za-z_$]\w*)|(?<symbol>\?\?|\|\||<>|!=|<=|>=|>>>|<<|>>|[-+*/%=<>()[\]{},.:?&|^~])/y;

export function syntaxError(near: string): Error {
  return badRequest(
    JSON.stringify({
      errors: [
        { severity: 'Error', code: 'SC1001', message: `Syntax error, incorrect syntax near '${near}'.` },
      ],
    }),
  );
}

export function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  pattern.lastIndex = 0;
  while (pattern.lastIndex < sql.length) {
    const at = pattern.lastIndex;
    const groups = pattern.exec(sql)?.groups;
    if (groups === undefined) throw syntaxError(sql.slice(at, at + 10));
    const token = toToken(groups);
    if (token !== undefined) tokens.push(token);
  }
  tokens.push({ kind: 'end', text: 'end of query' });
  return tokens;
}

function toToken(groups: Partial<Record<string, string>>): Token | undefined {
  const { number, string, parameter, name, symbol } = groups;
  if (number !== undefined) return { kind: 'number', text: number, value: Number(number) };
  if (string !== undefined) return { kind: 'string', text: string, value: unescape(string) };
  if (parameter !== undefined) return { kind: 'parameter', text: parameter };
  if (name !== undefined) {
    const upper = name.toUpperCase();
    return keywords.has(upper) ? { kind: 'keyword', text: upper } : { kind: 'name', text: name };
  }
  return symbol === undefined ? undefined : { kind: 'symbol', text: symbol };
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };

function unescape(quoted: string): string {
  return quoted
    .slice(1, -1)
    .replace(/\\u([0-9a-fA-F]{4})|\\(.)/gs, (_match, hex: string | undefined, character: string) =>
      hex === undefined ? (escapes[character] ?? character) : String.fromCharCode(Number.parseInt(hex, 16)),
    );
}
