export type RefusalCode =
  | 'LINE_EMPTY'
  | 'LINE_TOO_LONG'
  | 'LINE_NOT_TEXT'
  | 'QUOTE_UNCLOSED'
  | 'QUOTE_MISPLACED'
  | 'UNKNOWN_COMMAND'
  | 'UNKNOWN_PARAMETER'
  | 'UNKNOWN_FLAG'
  | 'PARAMETER_MISSING'
  | 'PARAMETER_INVALID'
  | 'PARAMETER_TWICE'
  | 'TOO_MANY_PARAMETERS'
  | 'OUTPUT_INVALID'
  | 'BACKGROUND_INVALID'
  | 'REDIRECT_INVALID';

/** Why a line was not accepted. `code` is stable; `message` is for people. */
export interface ParseRefusal {
  readonly ok: false;
  readonly code: RefusalCode;
  readonly message: string;
  /** Where in the line, as an index of UTF-16 units from 0. */
  readonly position?: number;
  /** A name that exists and was probably meant, spelled as it has to be typed. */
  readonly suggestion?: string;
}

export const refuse = (
  code: RefusalCode,
  message: string,
  position?: number,
  suggestion?: string,
): ParseRefusal => ({
  ok: false,
  code,
  message: suggestion === undefined ? message : `${message} Did you mean ${suggestion}?`,
  ...(position === undefined ? {} : { position }),
  ...(suggestion === undefined ? {} : { suggestion }),
});

/** A typed word as messages show it: whole characters, at most 40 of them. */
export const shown = (text: string): string => {
  const characters = Array.from(text.slice(0, 100));
  return characters.length > 40 ? `'${characters.slice(0, 40).join('')}…'` : `'${text}'`;
};
