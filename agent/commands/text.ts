import type { Text } from '../../contracts/device.ts';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes of the system as text; what is not valid UTF-8 keeps its bytes, so that nothing about it is lost. */
export const textOf = (bytes: Uint8Array): string | Text => {
  try {
    return strict.decode(bytes);
  } catch {
    const buffer = Buffer.from(bytes);
    return { text: buffer.toString('utf8'), bytes: buffer.toString('base64') };
  }
};

/** The same in the form that messages use. */
export const textObjectOf = (bytes: Uint8Array): Text => {
  const text = textOf(bytes);
  return typeof text === 'string' ? { text } : text;
};

/** Text of a row. */
export type Shown = string | Text;

/** Bytes that were kept as latin1 text, one character each, to be cut and compared without loss. */
export const shownOf = (latin1: string): Shown => textOf(Buffer.from(latin1, 'latin1'));
