/**
 * Text from a device, a file name or another user is shown, never obeyed: no escape sequence, control character, mark
 * that reorders or hides text, or half of a surrogate pair reaches the terminal as itself.
 */

/** C0 controls and DEL. */
const controls = /[\u0000-\u001f\u007f]/gu;
/**
 * C1 controls; everything that Unicode lets a screen leave out (zero-width and bidirectional marks, fillers, variation
 * selectors, tags) or that changes direction; separators of lines and paragraphs; annotations; the blank Braille pattern;
 * halves of surrogate pairs.
 */
const unseen =
  /[\u0080-\u009f]|\p{Default_Ignorable_Code_Point}|\p{Bidi_Control}|\p{Zl}|\p{Zp}|[\ufff9-\ufffb\u2800]|\p{Cs}/gu;

const pictureOf = (control: string): string =>
  control === '\u007f' ? '␡' : String.fromCodePoint(0x2400 + (control.codePointAt(0) ?? 0));
const nameOf = (character: string): string =>
  `<U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`;

/** For one line or one cell: line ends and tabs are shown as signs, too. */
export const shownInLine = (text: string): string =>
  text.replace(controls, pictureOf).replace(unseen, nameOf);

/** For running text: line ends and tabs keep their meaning. A carriage return alone could overwrite a line, so it shows. */
export const shownAsText = (text: string): string =>
  text
    .replaceAll('\r\n', '\n')
    .replace(controls, (control) => (control === '\n' || control === '\t' ? control : pictureOf(control)))
    .replace(unseen, nameOf);

/** Makes JSON text safe to show and keeps its value: such characters stand only inside strings, where `\u` escapes are the same. */
export const shownAsJson = (json: string): string =>
  json.replace(controls, escapeUnlessSpace).replace(unseen, escapeOf);

/** Outside strings these are JSON's white space, and inside them they cannot stand. A carriage return would overwrite. */
const escapeUnlessSpace = (control: string): string =>
  control === '\n' || control === '\t' ? control : control === '\r' ? ' ' : escapeOf(control);
const escapeOf = (character: string): string =>
  Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('');

/** One line of JSON, safe to show. */
export const safeJson = (value: unknown): string => shownAsJson(JSON.stringify(value));
