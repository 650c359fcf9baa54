import { displayWidth } from './displayWidth.ts';
import { shownDuration, shownSize } from './units.ts';

export interface Progress {
  /** What is transferred; safe to show. */
  readonly name: string;
  readonly received: number;
  readonly size: number;
  /** Bytes of an earlier try; they say nothing about the speed now. */
  readonly before: number;
  /** Seconds since this try began. */
  readonly elapsed: number;
}

/** One line of at most `width` columns: name, bar, how much, how fast, how long still. */
export const progressLine = ({ name, received, size, before, elapsed }: Progress, width: number): string => {
  const part = size === 0 ? 1 : Math.min(1, received / size);
  const speed = elapsed > 0 ? (received - before) / elapsed : 0;
  const left = speed > 0 && received < size ? `, ${shownDuration((size - received) / speed)} left` : '';
  const pace = speed > 0 ? `, ${shownSize(speed)}/s${left}` : '';
  const percent = `${Math.floor(part * 100)} %`.padStart(5);
  const figures = `${percent} of ${shownSize(size)}`;
  for (const facts of [`${figures}${pace}`, figures, percent]) {
    const room = width - displayWidth(facts) - 1;
    const barWidth = Math.min(30, room - displayWidth(name) - 3);
    if (barWidth >= 8) {
      const full = Math.round(part * barWidth);
      return `${name} [${'█'.repeat(full)}${'·'.repeat(barWidth - full)}] ${facts}`;
    }
    if (displayWidth(name) <= room) return `${name} ${facts}`;
  }
  return percent.trim();
};

const drawEveryMs = 100;

/** Shows how far `work` is, on a terminal only. */
export const withProgressBar = async <Result>(
  name: string,
  work: (onProgress: (received: number, size: number) => void) => Promise<Result>,
): Promise<Result> => {
  const screen = process.stderr;
  if (!screen.isTTY) return work(() => {});
  const startedAt = Date.now();
  let before: number | undefined;
  let shownAt = 0;
  try {
    return await work((received, size) => {
      before ??= received;
      const now = Date.now();
      if (now - shownAt < drawEveryMs && received < size) return;
      shownAt = now;
      const elapsed = (now - startedAt) / 1000;
      const width = (screen.columns ?? 80) - 1;
      screen.write(`\r\x1b[K${progressLine({ name, received, size, before, elapsed }, width)}`);
    });
  } finally {
    screen.write('\r\x1b[K');
  }
};
