const sizeUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `1.5 MiB`. */
export const shownSize = (bytes: number): string => {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < sizeUnits.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${sizeUnits[unit]}`;
};

/** `0.4 s`, `12 s`, `3 min 5 s`. */
export const shownDuration = (seconds: number): string => {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
};

/** `2026-01-02 03:04:05Z`. */
export const shownTime = (iso: string | null): string =>
  iso === null ? '' : iso.replace('T', ' ').replace(/\.\d+Z$/, 'Z');
