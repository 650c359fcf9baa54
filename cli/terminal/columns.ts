import { displayWidth } from './displayWidth.ts';

export interface Listed {
  readonly label: string;
  readonly description: string;
}

/** A list of things one can choose from would be no help beyond this. */
const mostListed = 200;

/** Short lists with what each one means, one a line; longer ones in columns that fit. Labels must be safe to show. */
export const inColumns = (listed: readonly Listed[], width: number): string => {
  const shown = listed.slice(0, mostListed);
  const rest = listed.length > shown.length ? `… and ${listed.length - shown.length} more\n` : '';
  const widest = Math.max(...shown.map(({ label }) => displayWidth(label)));
  const isDescribed = shown.some(({ description }) => description !== '') && shown.length <= 20;
  if (isDescribed) {
    const line = ({ label, description }: Listed) => `${padded(label, widest)}  ${description}`.trimEnd();
    return `${shown.map(line).join('\n')}\n${rest}`;
  }
  const room = Number.isFinite(width) ? width : 80;
  const columns = Math.max(1, Math.floor((room + 2) / (widest + 2)));
  const rows = Math.ceil(shown.length / columns);
  const lines = Array.from({ length: rows }, (_, row) =>
    shown
      .filter((_one, at) => at % rows === row)
      .map(({ label }) => padded(label, widest))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n${rest}`;
};

const padded = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - displayWidth(text)));
