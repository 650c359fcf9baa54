import { safeJson, shownInLine } from '../terminal/neutralise.ts';

/** One value of a row as a cell, safe to show. */
export const cellOf = (value: unknown): string => {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return shownInLine(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.map(cellOf).join(', ');
  const { text } = value as { readonly text?: unknown };
  return typeof text === 'string' ? shownInLine(text) : safeJson(value);
};
