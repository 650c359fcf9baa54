import { invalidArgument } from '../brokerError.ts';

export type Token =
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'number'; readonly value: number; readonly text: string }
  /** Never a keyword when it was quoted. */
  | { readonly kind: 'name'; readonly text: string; readonly quoted: boolean }
  | { readonly kind: 'parameter'; readonly text: string }
  | { readonly kind: 'symbol'; readonly text: string };

const patterns: readonly (readonly [RegExp, (match: RegExpExecArray) => Token | undefined])[] = [
  [/\s+|--[^\n]*/y, () => undefined],
  [/'((?:[^']|'')*)'/y, ([, text = '']) => ({ kind: 'string', text: text.replaceAll("''", "'") })],
  [
    /\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?/y,
    ([text]) => ({ kind: 'number', value: Number(text), text }),
  ],
  [
    /\[((?:[^\]]|\]\])+)\]/y,
    ([, text = '']) => ({ kind: 'name', text: text.replaceAll(']]', ']'), quoted: true }),
  ],
  [
    /"((?:[^"]|"")+)"/y,
    ([, text = '']) => ({ kind: 'name', text: text.replaceAll('""', '"'), quoted: true }),
  ],
  [/@([A-Za-z_]\w*)/y, ([text]) => ({ kind: 'parameter', text })],
  [/[A-Za-z_$][\w$]*/y, ([text]) => ({ kind: 'name', text, quoted: false })],
  [/<>|!=|<=|>=|[=<>(),;.+\-*/%]/y, ([text]) => ({ kind: 'symbol', text })],
];

/** Throws BrokerError at the first character that begins nothing known. */
export function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  for (let position = 0; position < source.length;) {
    const found = firstMatch(source, position);
    if (!found) {
      throw invalidArgument(
        `The SQL expression cannot be read at "${source.slice(position, position + 20)}".`,
      );
    }
    if (found.token) tokens.push(found.token);
    position = found.end;
  }
  return tokens;
}

function firstMatch(
  source: string,
  position: number,
): { readonly token: Token | undefined; readonly end: number } | undefined {
  for (const [pattern, make] of patterns) {
    pattern.lastIndex = position;
    const match = pattern.exec(source);
    if (match) return { token: make(match), end: pattern.lastIndex };
  }
  return undefined;
}
