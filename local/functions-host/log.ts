import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** Human-readable lines of the host and its app processes. */
export interface Log {
  info(source: string, text: string): void;
  warn(source: string, text: string): void;
  error(source: string, text: string): void;
  /** Forwards every line of a child's output under `source`. */
  forward(source: string, stream: Readable): void;
}

/** Writes to the given stream, stderr by default: stdout of the host is for the one ready line. */
export function createLog(write: (line: string) => void = (line) => process.stderr.write(line)): Log {
  const line = (source: string, level: string, text: string) => write(`${source} [${level}] ${text}\n`);
  return {
    info: (source, text) => line(source, 'information', text),
    warn: (source, text) => line(source, 'warning', text),
    error: (source, text) => line(source, 'error', text),
    forward: (source, stream) => {
      createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (text) =>
        write(`${source} ${text}\n`),
      );
    },
  };
}

export const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));
