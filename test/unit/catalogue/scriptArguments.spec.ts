import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitArguments } from '../../../domain/catalogue/index.ts';

const words = (text: string): readonly string[] => {
  const split = splitArguments(text);
  if (!split.ok) throw new Error(split.message);
  return split.words;
};

describe('parameters of a script', () => {
  it.each<[string, readonly string[]]>([
    ['', []],
    ['  \t ', []],
    ['a  b\tc', ['a', 'b', 'c']],
    [`'a b' "c d"`, ['a b', 'c d']],
    [`a'b'"c"`, ['abc']],
    [`'' ""`, ['', '']],
    [String.raw`"a\"b" "a\\b" "a\b" 'a\b'`, ['a"b', 'a\\b', 'a\\b', 'a\\b']],
    [String.raw`a\ b \' \\`, ['a b', "'", '\\']],
    ['* ~ #x `id` <(x) {a,b}', ['*', '~', '#x', '`id`', '<(x)', '{a,b}']],
    ['ü 日本 🙂', ['ü', '日本', '🙂']],
  ])('%j is %j', (text, expected) => {
    expect(words(text)).toEqual(expected);
  });

  it.each([`'open`, `a "open`, 'end\\'])('%j is refused with a way out', (text) => {
    expect(splitArguments(text)).toMatchObject({ ok: false, message: expect.stringContaining('backslash') });
  });

  it('gives back every list of words that was quoted', () => {
    const quoted = (word: string): string => `'${word.replaceAll("'", `'"'"'`)}'`;
    fc.assert(
      fc.property(fc.array(fc.string()), (list) => {
        expect(words(list.map(quoted).join(' '))).toEqual(list);
      }),
    );
  });
});
