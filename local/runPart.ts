import { readFile } from 'node:fs/promises';

/** A started stand-in: everything beside `close` is printed as its endpoints and must be JSON. */
export interface RunningPart {
  close(): Promise<void>;
}

/**
 * Runs a stand-in as its own process: reads the JSON configuration named by the first argument, starts it, prints one
 * JSON line `{"ready":true,"pid":…,…endpoints}` on stdout, and ends on SIGTERM, SIGINT or when stdin closes, which it
 * does when the parent dies, however it dies. Exit code 1 and a sentence on stderr when it cannot start or stop.
 */
export async function runPart<Config>(start: (config: Config) => Promise<RunningPart>): Promise<void> {
  try {
    const part = await start(await readConfiguration<Config>());
    const { close: _close, ...endpoints } = part;
    endOnce(part);
    process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, ...endpoints })}\n`);
  } catch (error) {
    fail(error);
  }
}

async function readConfiguration<Config>(): Promise<Config> {
  const path = process.argv[2];
  if (path === undefined) throw new Error('No configuration given. Run: node main.ts <config.json>');
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Config;
  } catch (error) {
    throw new Error(`The configuration ${path} cannot be read as JSON: ${(error as Error).message}`);
  }
}

function endOnce(part: RunningPart): void {
  let ending = false;
  const end = () => {
    if (ending) return;
    ending = true;
    part.close().then(() => process.exit(0), fail);
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  process.stdin.once('end', end).once('close', end).once('error', end);
  process.stdin.resume();
}

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
