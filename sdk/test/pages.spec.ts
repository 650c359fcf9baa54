import { afterEach, expect, it } from 'vitest';
import { LiveResponseClient, UnexpectedAnswerError } from '../index.ts';
import { type RunningServer, startServer } from './contractServer.ts';
import { deviceId } from './shapes.ts';

let server: RunningServer | undefined;
afterEach(async () => {
  await server?.close();
});

const aDevice = (name: string) => ({
  deviceId,
  name,
  platform: 'linux',
  kind: 'server',
  osVersion: 'Debian 13',
  agentVersion: '0.1.0',
  status: 'enrolled',
  enrolledAt: '2026-01-02T03:04:05.000Z',
  retiredAt: null,
  lastSeen: null,
});

const namesFrom = async (next: (before: string | null) => string | null): Promise<string[]> => {
  server = await startServer((call) => {
    const before = call.url.searchParams.get('before');
    call.json(200, { devices: [aDevice(`after ${before}`)], next: next(before) });
  });
  const client = new LiveResponseClient({ server: server.address, token: async () => 'token-1' });
  const names: string[] = [];
  for await (const { name } of client.devices()) names.push(name);
  return names;
};

it('reads page after page', async () => {
  const next = (before: string | null) => (before === null ? 'a&b' : before === 'a&b' ? 'c' : null);
  expect(await namesFrom(next)).toEqual(['after null', 'after a&b', 'after c']);
});

it('does not go round in circles', async () => {
  await expect(namesFrom(() => 'again')).rejects.toBeInstanceOf(UnexpectedAnswerError);
});
