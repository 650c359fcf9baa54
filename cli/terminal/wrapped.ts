import { displayWidth } from './displayWidth.ts';

/** Breaks a sentence between words, so that the terminal does not break it within one. A longer word stays whole. */
export const wrapped = (text: string, width: number): string =>
  text
    .split('\n')
    .map((line) => {
      const lines: string[] = [];
      let open = '';
      for (const word of line.split(' ')) {
        const longer = open === '' ? word : `${open} ${word}`;
        if (open !== '' && displayWidth(withoutStyle(longer)) > width) {
          lines.push(open);
          open = word;
        } else open = longer;
      }
      return [...lines, open].join('\n');
    })
    .join('\n');

/** Colours that this client itself puts around its own sentences. */
const withoutStyle = (text: string): string => text.replace(/\u001b\[\d+m/g, '');
