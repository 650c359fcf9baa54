import xterm from '@xterm/headless';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { safeJson, shownAsText, shownInLine } from '../terminal/neutralise.ts';

/** Every code point of these, written out, so that a changed pattern cannot pass by being what is tested against. */
const dangerous: readonly (readonly [string, number, number])[] = [
  ['C0', 0x00, 0x1f],
  ['DEL and C1', 0x7f, 0x9f],
  ['soft hyphen', 0xad, 0xad],
  ['grapheme joiner', 0x34f, 0x34f],
  ['Arabic letter mark', 0x61c, 0x61c],
  ['Hangul fillers', 0x115f, 0x1160],
  ['Khmer inherent vowels', 0x17b4, 0x17b5],
  ['Mongolian selectors', 0x180b, 0x180f],
  ['zero-width and direction marks', 0x200b, 0x200f],
  ['line and paragraph separators, embeddings, overrides', 0x2028, 0x202e],
  ['word joiner, invisible operators, isolates, old shaping marks', 0x2060, 0x206f],
  ['blank Braille', 0x2800, 0x2800],
  ['Hangul filler', 0x3164, 0x3164],
  ['half of a pair', 0xd800, 0xdfff],
  ['variation selectors', 0xfe00, 0xfe0f],
  ['byte order mark', 0xfeff, 0xfeff],
  ['half-width filler', 0xffa0, 0xffa0],
  ['annotations', 0xfff9, 0xfffb],
  ['tags and selectors', 0xe0000, 0xe01ef],
];
const characters = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, at) => String.fromCodePoint(from + at));

it.each(dangerous)('lets no %s through', (_name, from, to) => {
  for (const character of characters(from, to)) {
    expect(shownInLine(`a${character}b`)).not.toContain(character);
    if (character !== '\n' && character !== '\t')
      expect(shownAsText(`a${character}b`)).not.toContain(character);
    const json = safeJson({ name: `a${character}b` });
    expect(json).not.toContain(character);
    expect(JSON.parse(json)).toEqual({ name: `a${character}b` });
  }
});

it('leaves what people write alone', () => {
  const text = 'Grüße, Ελληνικά, שלום, مرحبا, 日本語, 한국어, 🦊, naïve – “quoted”\u00a0…';
  expect(shownInLine(text)).toBe(text);
  expect(shownAsText(`${text}\n\tindented\r\n`)).toBe(`${text}\n\tindented\n`);
});

const piece = fc.oneof(
  fc.constantFrom(
    '\u001b[',
    '\u001b]0;',
    '\u001b]8;;',
    '\u001bP',
    '\u009b',
    '\u009d',
    '\u0007',
    '\u001b\\',
    '?1049h',
    '2J',
    '31m',
    ';5H',
    '6n',
    'c',
  ),
  fc.string({ unit: 'binary', maxLength: 5 }),
  fc.string({ maxLength: 5 }),
);

it('makes a terminal do nothing but show characters', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      const terminal = new xterm.Terminal({ cols: 1_000, rows: 5, allowProposedApi: true });
      const heard: string[] = [];
      terminal.onTitleChange((title) => heard.push(`title ${title}`));
      terminal.onBell(() => heard.push('bell'));
      terminal.onData((answer) => heard.push(`answer ${answer}`));
      const shown = shownInLine(pieces.join(''));
      await new Promise<void>((resolve) => terminal.write(`<${shown}>`, resolve));
      const { active } = terminal.buffer;
      expect(heard).toEqual([]);
      expect(active.type).toBe('normal');
      expect(active.cursorY).toBe(0);
      const line = active.getLine(0);
      // A combining mark of the device's joins the sign before it.
      expect(line?.getCell(0)?.getChars()).toMatch(/^</);
      expect(line?.getCell(active.cursorX - 1)?.getChars()).toMatch(/^>/);
      expect(line?.getCell(active.cursorX - 1)?.isFgDefault()).toBe(true);
    }),
    { numRuns: 150 },
  );
});
