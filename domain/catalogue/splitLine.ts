import { type ParseRefusal, refuse } from './refusal.ts';

export interface Word {
  /** Without its quotes. */
  readonly text: string;
  /** A quoted word is always a value, whatever it begins with. */
  readonly quoted: boolean;
  readonly position: number;
}

export interface SplitLine {
  readonly ok: true;
  readonly words: readonly Word[];
  readonly redirect?: Word;
  readonly backgroundAt?: number;
}

/** A line of which only the command's name and its words have been told apart. */
export interface ParsedLine extends SplitLine {
  /** First word of the line; not among {@link words}. */
  readonly name: Word;
}

const isSpace = (character: string | undefined): boolean => character === ' ' || character === '\t';

const endsWord = (character: string | undefined): boolean =>
  character === undefined || isSpace(character) || character === '&' || character === '>';

type Read = { readonly ok: true; readonly word: Word; readonly end: number } | ParseRefusal;

const readQuoted = (line: string, position: number): Read => {
  const quote = line[position] as string;
  let text = '';
  let from = position + 1;
  for (;;) {
    const close = line.indexOf(quote, from);
    if (close === -1) {
      return refuse('QUOTE_UNCLOSED', `The quote ${quote} that opens here is never closed.`, position);
    }
    text += line.slice(from, close);
    if (line[close + 1] !== quote) {
      if (endsWord(line[close + 1])) {
        return { ok: true, word: { text, quoted: true, position }, end: close + 1 };
      }
      return refuse(
        'QUOTE_MISPLACED',
        `Text follows a closing quote without a space. To write ${quote} inside a quoted value, double it.`,
        close,
      );
    }
    text += quote;
    from = close + 2;
  }
};

const readBare = (line: string, position: number): Read => {
  let end = position;
  while (!endsWord(line[end])) {
    if (line[end] === '"') {
      return refuse('QUOTE_MISPLACED', 'A quote opens inside a word. Put the whole value in quotes.', end);
    }
    end += 1;
  }
  if (line[end] === '>' && /^[12]$/.test(line.slice(position, end))) {
    return refuse(
      'REDIRECT_INVALID',
      'A stream cannot be chosen with a number before >. If the number is a value, put a space after it.',
      position,
    );
  }
  return { ok: true, word: { text: line.slice(position, end), quoted: false, position }, end };
};

const readWord = (line: string, position: number): Read =>
  line[position] === '"' || line[position] === "'" ? readQuoted(line, position) : readBare(line, position);

const skipSpace = (line: string, position: number): number => {
  let at = position;
  while (isSpace(line[at])) at += 1;
  return at;
};

const readRedirect = (line: string, position: number): Read => {
  if (line[position + 1] === '>') {
    return refuse(
      'REDIRECT_INVALID',
      'Appending with >> is not supported. Write to a new file with >.',
      position,
    );
  }
  const start = skipSpace(line, position + 1);
  if (line[start] === undefined || line[start] === '&' || line[start] === '>') {
    return refuse('REDIRECT_INVALID', 'There is no file name after >.', position);
  }
  const read = readWord(line, start);
  if (!read.ok) return read;
  if (read.word.text === '') return refuse('REDIRECT_INVALID', 'The file name after > is empty.', start);
  if (!read.word.quoted && read.word.text.startsWith('-')) {
    return refuse(
      'REDIRECT_INVALID',
      'Parameters and flags go before >. Put a file name that begins with - in quotes.',
      start,
    );
  }
  return read;
};

/**
 * Words, redirection and background mark of a line, without knowing any command.
 *
 * A backslash is an ordinary character, so `"C:\Program Files\"` means what it says. Within quotes only the same quote
 * doubled is special and stands for one. Quotes open at the beginning of a word only: `it's.txt` needs none. `&` and `>`
 * outside quotes are never part of a word, because guessing whether they were meant as text could run the wrong command.
 */
export const splitLine = (line: string): SplitLine | ParseRefusal => {
  const words: Word[] = [];
  let redirect: Word | undefined;
  let backgroundAt: number | undefined;
  let at = skipSpace(line, 0);
  while (at < line.length) {
    if (line[at] === '&') {
      if (skipSpace(line, at + 1) < line.length) {
        return refuse(
          'BACKGROUND_INVALID',
          '& sends a command to the background and goes at the end of the line. Put a value that contains & in quotes.',
          at,
        );
      }
      backgroundAt = at;
      break;
    }
    const isRedirect = line[at] === '>';
    if (redirect !== undefined) {
      return refuse('REDIRECT_INVALID', 'Only & may follow the file name after >.', at);
    }
    const read = isRedirect ? readRedirect(line, at) : readWord(line, at);
    if (!read.ok) return read;
    if (isRedirect) redirect = read.word;
    else words.push(read.word);
    at = skipSpace(line, read.end);
  }
  return {
    ok: true,
    words,
    ...(redirect === undefined ? {} : { redirect }),
    ...(backgroundAt === undefined ? {} : { backgroundAt }),
  };
};
