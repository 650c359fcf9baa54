import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

/** Both output streams of a script, as the worker reads them. */
export interface ScriptStreams {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Where the executor opens them for the script. */
  readonly paths: { readonly stdout: string; readonly stderr: string };
  /** From now on a stream ends when no process of the script holds it any more. */
  release(): void;
}

/**
 * Makes a FIFO for each stream. The pipes that Node makes for a child are sockets, and those a script cannot open as
 * `/dev/stdout` or `/dev/stderr`.
 */
export const openScriptStreams = (folder: string, commandId: string): ScriptStreams => {
  const paths = { stdout: join(folder, `${commandId}.stdout`), stderr: join(folder, `${commandId}.stderr`) };
  const made = spawnSync('mkfifo', ['-m', '600', paths.stdout, paths.stderr], { encoding: 'utf8' });
  if (made.error !== undefined) throw made.error;
  if (made.status !== 0) throw new Error(made.stderr.trim());
  const stdout = reader(paths.stdout);
  const stderr = reader(paths.stderr);
  return {
    stdout: stdout.stream,
    stderr: stderr.stream,
    paths,
    release: () => {
      stdout.release();
      stderr.release();
      for (const path of Object.values(paths)) rmSync(path, { force: true });
    },
  };
};

const reader = (path: string): { readonly stream: Readable; readonly release: () => void } => {
  const stream = new Socket({
    fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),
    readable: true,
    writable: false,
  });
  stream.on('error', () => undefined);
  // Without any writer it would be at its end before the script has opened it.
  const held = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  return { stream, release: () => closeSync(held) };
};
