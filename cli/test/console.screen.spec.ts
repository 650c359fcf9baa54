import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Behaviour, type LiveServer, startLiveServer } from './liveServer.ts';
import { aWorkplace, lr, type Workplace } from './runLr.ts';
import { hasPseudoTerminal, keys, openScreen, type Screen, withoutChance } from './screen.ts';

// Each `lr` is a process of its own, and machines are slow at times.
vi.setConfig({ testTimeout: 90_000 });

let server: LiveServer;
let place: Workplace;
const screens: Screen[] = [];
const given = async (behaviour: Behaviour = {}): Promise<void> => {
  server = await startLiveServer(behaviour);
  place = await aWorkplace(server.address);
};
const console = (columns = 80, rows = 24): Screen => {
  const screen = openScreen([process.execPath, lr, 'connect', 'web'], {
    folder: place.folder,
    env: { LR_CONFIG: join(place.folder, 'config.json') },
    columns,
    rows,
  });
  screens.push(screen);
  return screen;
};
afterEach(async () => {
  for (const screen of screens.splice(0)) screen.kill();
  await place.remove();
  await server.close();
});

const golden = (name: string): string => join(import.meta.dirname, 'golden', `${name}.txt`);

describe.skipIf(!hasPseudoTerminal)('the console on a screen', () => {
  it('shows a table', async () => {
    await given({
      execute: (execution) => {
        execution.output('{"pid":1,"name":"init"}\n{"pid":4242,"name":"sshd"}\n');
        execution.end('Completed');
      },
    });
    const screen = console();
    await screen.shows('web-01:/root>');
    screen.type('processes\r');
    await screen.shows(/sshd[^]*web-01:\/root>/);
    await expect(`${withoutChance(screen.text())}\n`).toMatchFileSnapshot(golden('table'));
    screen.type(keys.ctrl('d'));
    expect(await screen.exited).toBe(0);
  });
});
