import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Container, CosmosClient } from '@azure/cosmos';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAuthority } from '../../certificates/authority.ts';
import { startCosmos } from '../server.ts';
import { masterKey } from './startedCosmos.ts';

let dir: string;
let agent: Agent;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cosmos-process-'));
  const tls = await createAuthority(join(dir, 'certificates'));
  agent = new Agent({ ca: await readFile(tls.caFile), keepAlive: true });
  await writeFile(
    join(dir, 'config.json'),
    JSON.stringify({
      dataDir: join(dir, 'data'),
      port: 0,
      masterKey,
      tls,
      databases: [
        {
          id: 'app',
          containers: [
            { id: 'events', partitionKey: '/pk' },
            { id: 'short', partitionKey: '/id', defaultTtl: -1 },
          ],
        },
      ],
    }),
  );
});
afterEach(async () => {
  agent.destroy();
  await rm(dir, { recursive: true, force: true });
});

async function start() {
  const child = spawn(process.execPath, [
    join(import.meta.dirname, '..', 'main.ts'),
    join(dir, 'config.json'),
  ]);
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { endpoint } = JSON.parse(line) as { endpoint: string };
  const client = new CosmosClient({ endpoint, key: masterKey, agent });
  return { child, client, container: client.database('app').container('events') };
}

/** Appends to one stream, as an event store does, until the server is gone. Gives how many were acknowledged. */
async function appendUntilGone(container: Container, pk: string, afterEach: () => void): Promise<number> {
  let { etag } = await container.items.create({ id: 'head', pk, version: 0 });
  for (let version = 1; ; version += 1) {
    try {
      const answer = await container.items.batch(
        [
          { operationType: 'Create', resourceBody: { id: String(version).padStart(10, '0'), pk } as never },
          {
            operationType: 'Replace',
            id: 'head',
            resourceBody: { id: 'head', pk, version } as never,
            ifMatch: etag,
          },
        ],
        pk,
      );
      if (answer.code !== 200) throw new Error(`append ${version}: ${JSON.stringify(answer.result)}`);
      etag = answer.result?.[1]?.eTag ?? '';
      afterEach();
    } catch (error) {
      if ((error as Error).message.startsWith('append')) throw error;
      return version - 1;
    }
  }
}

describe('the process', () => {
  it('loses nothing acknowledged to kill -9, and keeps batches whole', async () => {
    const first = await start();
    let appends = 0;
    const killAfter = 150;
    const acknowledged = await Promise.all(
      ['S1', 'S2', 'S3', 'S4'].map((pk) =>
        appendUntilGone(first.container, pk, () => {
          appends += 1;
          if (appends === killAfter) first.child.kill('SIGKILL');
        }),
      ),
    );
    first.client.dispose();
    expect(acknowledged.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(killAfter);

    const second = await start();
    for (const [index, count] of acknowledged.entries()) {
      const pk = `S${index + 1}`;
      const { resource } = await second.container.item('head', pk).read<{ version: number }>();
      const stored = resource?.version ?? -1;
      const query = 'SELECT VALUE COUNT(1) FROM c WHERE c.id < "head"';
      const { resources } = await second.container.items
        .query<number>(query, { partitionKey: pk })
        .fetchAll();
      expect(resources).toEqual([stored]);
      // One append may have been stored without its answer arriving.
      expect([count, count + 1]).toContain(stored);
    }
    second.client.dispose();
    second.child.stdin.end();
    expect(await once(second.child, 'exit')).toEqual([0, null]);
  });

  it('makes declared containers once and finishes what is under way on SIGTERM', async () => {
    const first = await start();
    await first.container.items.create({ id: 'kept', pk: 'A' });
    const many = Array.from({ length: 30 }, (_, n) => first.container.items.create({ id: `n${n}`, pk: 'A' }));
    await many[0];
    const exit = once(first.child, 'exit');
    first.child.kill('SIGTERM');
    const outcomes = await Promise.allSettled(many);
    expect(await exit).toEqual([0, null]);
    first.client.dispose();

    const second = await start();
    expect((await second.container.item('kept', 'A').read()).statusCode).toBe(200);
    for (const [n, outcome] of outcomes.entries()) {
      if (outcome.status === 'rejected') continue;
      expect((await second.container.item(`n${n}`, 'A').read()).statusCode).toBe(200);
    }
    const { resource } = await second.client.database('app').container('short').read();
    expect(resource?.defaultTtl).toBe(-1);
    second.client.dispose();
    second.child.kill('SIGTERM');
    expect(await once(second.child, 'exit')).toEqual([0, null]);
  });

  it('does not share its files with a second one', async () => {
    const first = await start();
    const config = JSON.parse(await readFile(join(dir, 'config.json'), 'utf8')) as Parameters<
      typeof startCosmos
    >[0];
    await expect(startCosmos(config)).rejects.toThrow(/Another process has it open/);
    first.client.dispose();
    first.child.stdin.end();
    await once(first.child, 'exit');
  });
});
