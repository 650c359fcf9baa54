/** Bytes of the text in UTF-8. A lone surrogate counts as the three bytes of its replacement character. */
export const utf8Length = (text: string): number => {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
};

/**
 * Index of the first character that no line may contain, or -1: controls other than tab (C1 as well, some terminals obey
 * them) and lone surrogates, which have no UTF-8 form and so could not be signed.
 */
export const firstForbidden = (line: string): number => {
  let index = 0;
  for (const character of line) {
    const point = character.codePointAt(0) ?? 0;
    const isControl = (point < 0x20 && point !== 0x09) || (point >= 0x7f && point <= 0x9f);
    if (isControl || (point >= 0xd800 && point <= 0xdfff)) return index;
    index += character.length;
  }
  return -1;
};
