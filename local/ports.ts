import { randomInt } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';

const names = ['identity', 'managedIdentity', 'cosmos', 'devices0', 'devices1', 'storage', 'api'] as const;
export type Ports = Readonly<Record<(typeof names)[number], number>>;

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

/**
 * Below the range that Linux, macOS and Windows take local ports of outgoing connections from: between the choice and the start
 * of a part, and while a part that was killed starts anew, no connection of somebody else may take its port.
 */
const [firstPort, lastPort] = [10_240, 32_767];

/** Chosen by this process: what was not started yet looks free. */
const handedOut = new Set<number>();

const anyFree = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(firstPort, lastPort + 1);
    if (handedOut.has(port)) continue;
    handedOut.add(port);
    if (await isFree(port)) return port;
  }
};

/** The ports of this data folder: those of last time where they are still free, so that addresses stay the same. */
export const choosePorts = async (dataDir: string): Promise<Ports> => {
  const file = join(dataDir, 'ports.json');
  const before = await readFile(file, 'utf8').then(
    (text) => JSON.parse(text) as Partial<Ports>,
    () => ({}) as Partial<Ports>,
  );
  const taken = new Set<number>();
  const ports: Partial<Record<keyof Ports, number>> = {};
  for (const name of names) {
    const wanted = before[name];
    const port =
      wanted !== undefined && !taken.has(wanted) && (await isFree(wanted)) ? wanted : await anyFree();
    taken.add(port);
    ports[name] = port;
  }
  await writeFile(file, JSON.stringify(ports, null, 2));
  return ports as Ports;
};
