const narrow = /\p{Mn}|\p{Me}/u;
const wide =
  /\p{Script=Han}|\p{Script=Hangul}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Emoji_Presentation}|[\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;

/** Columns of the terminal that a text takes: wide characters count twice, marks on top of others not at all. */
export const displayWidth = (text: string): number => {
  let width = 0;
  for (const character of text) {
    if (!narrow.test(character)) width += wide.test(character) ? 2 : 1;
  }
  return width;
};
