/** Without blanks at both ends. Bytes kept as latin1 text must not be trimmed otherwise: 0xA0, half of an `à`, passes for a blank. */
export const withoutBlanks = (text: string): string => text.replace(/^[ \t\n\r]+|[ \t\n\r]+$/g, '');
