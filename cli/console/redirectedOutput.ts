import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { exitCodes } from '../exitCodes.ts';
import { Failure } from '../failure.ts';
import { hasRows } from '../output/columns.ts';
import { createOutputWriter, type OutputWriter } from '../output/outputWriter.ts';
import type { TrackedCommand } from '../session/trackedCommand.ts';

/** A local file that takes the output of one line. */
export interface RedirectedOutput {
  readonly path: string;
  writerFor(command: TrackedCommand): OutputWriter;
  /** Closes the file and says how many bytes it has, or why it does not have them all. */
  close(): string;
  /** For a line that was never run. */
  remove(): void;
}

/** Throws a Failure when the file is there already or cannot be made. Tables are written whole; all else byte for byte. */
export const openRedirect = (wanted: string): RedirectedOutput => {
  const path = resolve(wanted);
  const file = openNew(path);
  let written = 0;
  let fault: string | undefined;
  const write = (bytes: Uint8Array) => {
    // A full disk must not end the session: the rest of this output is dropped, and close() says so.
    if (fault !== undefined) return;
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
      written += bytes.length;
    } catch (error) {
      fault = (error as Error).message;
    }
  };
  return {
    path,
    writerFor: (command) => {
      const table = createOutputWriter(command, {
        write: (text) => write(Buffer.from(text, 'utf8')),
        width: Number.POSITIVE_INFINITY,
        titleStyle: (text) => text,
      });
      const isTable = () => command.output === 'table' && hasRows(command.name);
      return {
        write: (stream, bytes) => (isTable() ? table.write(stream, bytes) : write(bytes)),
        end: () => (isTable() ? table.end() : undefined),
      };
    },
    close: () => {
      closeSync(file);
      return fault === undefined ? `Wrote ${written} bytes to ${path}.` : `${path} is INCOMPLETE: ${fault}`;
    },
    remove: () => {
      closeSync(file);
      rmSync(path, { force: true });
    },
  };
};

const openNew = (path: string): number => {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Failure(
      exitCodes.refused,
      'REDIRECT_REFUSED',
      code === 'EEXIST'
        ? `${path} is already there and is not overwritten. The line was not run.`
        : `${path} cannot be written, so the line was not run: ${message}`,
      'Choose another name.',
    );
  }
};
