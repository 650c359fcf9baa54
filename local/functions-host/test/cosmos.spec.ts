import { createHmac } from 'node:crypto';
import { request } from 'node:https';
import path from 'node:path';
import type { Container } from '@azure/cosmos';
import { CosmosClient } from '@azure/cosmos';
import { describe, expect, it } from 'vitest';
import { startCosmos } from '../../cosmos/server.ts';
import type { HostConfig } from '../config.ts';
import { Notes } from './notes.ts';
import { trustedTls } from './startBus.ts';
import { atEnd, startHost, temporaryFolder } from './startHost.ts';

interface Note {
  functionName: string;
  isArray?: boolean;
  ids?: string[];
  values?: number[];
  retryContext?: { retryCount: number; maxRetryCount: number };
  done?: string[];
}

const masterKey = Buffer.from('a master key for these tests only').toString('base64');

async function startAccount() {
  const tls = await trustedTls();
  const cosmos = await startCosmos({
    dataDir: path.join(temporaryFolder(), 'cosmos'),
    port: 0,
    masterKey,
    tls,
    synchronous: 'NORMAL',
    partitions: 2,
    databases: [
      {
        id: 'app',
        containers: [
          { id: 'items', partitionKey: '/pk' },
          { id: 'leases', partitionKey: '/id' },
        ],
      },
    ],
  });
  const client = new CosmosClient({ endpoint: cosmos.endpoint, key: masterKey });
  atEnd(async () => {
    client.dispose();
    await cosmos.close();
  });
  return {
    connectionString: `AccountEndpoint=${cosmos.endpoint}/;AccountKey=${masterKey}`,
    endpoint: cosmos.endpoint,
    items: client.database('app').container('items'),
    leases: client.database('app').container('leases'),
  };
}

type Account = Awaited<ReturnType<typeof startAccount>>;

async function follow(
  account: Account,
  notes: Notes<Note>,
  settings: Record<string, string> = {},
  config: Partial<HostConfig> = {},
) {
  return startHost('cosmos', {
    ...config,
    settings: { COSMOS: account.connectionString, CONTAINER: 'items', NOTES: notes.file, ...settings },
  });
}

async function put(
  items: Container,
  ...documents: { id: string; pk?: string; n?: number; failTimes?: number }[]
) {
  for (const document of documents) await items.items.upsert({ pk: document.id, ...document });
}

const doneIds = (notes: Notes<Note>, functionName = 'view') =>
  notes.where((note) => note.functionName === functionName).flatMap(({ done }) => done ?? []);
const isDone =
  (id: string, functionName = 'view') =>
  (note: Note) =>
    note.functionName === functionName && note.done?.includes(id) === true;

describe('Cosmos DB trigger', () => {
  it('E-39 starts from now, hands over arrays in order within a key, and resumes from its leases', async () => {
    const account = await startAccount();
    const notes = new Notes<Note>();
    await put(account.items, { id: 'before' });
    const first = await follow(account, notes);
    for (let n = 0; n < 5; n += 1) await put(account.items, { id: `o${n}`, pk: 'one', n });
    await notes.atLeast(1, isDone('o4'));
    expect(notes.all().every(({ isArray, done }) => isArray === true || done !== undefined)).toBe(true);
    expect(doneIds(notes)).not.toContain('before');
    const order = notes.where(({ ids }) => ids !== undefined).flatMap(({ values }) => values ?? []);
    expect(order).toEqual([0, 1, 2, 3, 4]);
    await first.close();
    await put(account.items, { id: 'while-away' });
    await follow(account, notes);
    await notes.atLeast(1, isDone('while-away'));
    expect(doneIds(notes).filter((id) => id === 'o0')).toHaveLength(1);
  });

  it('E-39 starts from the beginning only before the first lease exists', async () => {
    const account = await startAccount();
    const notes = new Notes<Note>();
    await put(account.items, { id: 'old' });
    const first = await follow(account, notes, { FROM_BEGINNING: '1' });
    await notes.atLeast(1, isDone('old'));
    await put(account.items, { id: 'marker' });
    await notes.atLeast(1, isDone('marker'));
    await first.close();
    await follow(account, notes, { FROM_BEGINNING: '1' });
    await put(account.items, { id: 'new' });
    await notes.atLeast(1, isDone('new'));
    expect(doneIds(notes).filter((id) => id === 'old')).toHaveLength(1);
  });

  it('E-40 loses a batch that fails without a retry policy, and says so loudly; with one it repeats', async () => {
    const account = await startAccount();
    const notes = new Notes<Note>();
    await put(account.items, { id: 'bad', failTimes: 2 });
    const host = await follow(account, notes, { FROM_BEGINNING: '1', WITHOUT_RETRY: '1' });
    expect(await host.logged(/careless LOST/)).toContain('LOST 1 changes');
    await notes.atLeast(1, isDone('bad'));
    const tries = notes.where((note) => note.functionName === 'view' && note.ids?.includes('bad') === true);
    expect(tries.map(({ retryContext }) => retryContext?.retryCount ?? 0)).toEqual([0, 1, 2]);
    expect(tries[1]?.retryContext?.maxRetryCount).toBe(-1);
    await put(account.items, { id: 'good' });
    await notes.atLeast(1, isDone('good', 'careless'));
    expect(doneIds(notes, 'careless')).not.toContain('bad');
  });

  it('E-41 does not start without the lease container unless it may create it', async () => {
    const account = await startAccount();
    const notes = new Notes<Note>();
    await expect(follow(account, notes, { LEASES: 'elsewhere' })).rejects.toThrow(
      /lease container 'elsewhere' does not exist/,
    );
    await follow(account, notes, { LEASES: 'elsewhere', CREATE_LEASES: '1' });
    await put(account.items, { id: 'x' });
    await notes.atLeast(1, isDone('x'));
  });

  it('keeps batches within maxItemsPerInvocation', async () => {
    const account = await startAccount();
    const notes = new Notes<Note>();
    for (let n = 0; n < 25; n += 1) await put(account.items, { id: `i${n}`, pk: 'same', n });
    await follow(account, notes, { FROM_BEGINNING: '1' });
    await notes.atLeast(1, isDone('i24'));
    expect(Math.max(...notes.all().map(({ ids }) => ids?.length ?? 0))).toBe(10);
  });

  it('goes on after a partition split, losing and repeating nothing', async () => {
    const account = await startAccount();
    const notes = new Notes<Note>();
    await follow(account, notes, { FROM_BEGINNING: '1' });
    const ids = Array.from({ length: 30 }, (_, index) => `d${index}`);
    await put(account.items, ...ids.slice(0, 15).map((id) => ({ id })));
    await notes.atLeast(1, isDone('d14'));
    await split(account);
    await put(account.items, ...ids.slice(15).map((id) => ({ id })));
    for (const id of ids) await notes.atLeast(1, isDone(id));
    expect(doneIds(notes).sort()).toEqual([...ids].sort());
  });
});

/** Cuts every partition of the container in two, through the stand-in's own address. */
async function split({ endpoint }: Account): Promise<void> {
  const date = new Date().toUTCString();
  const signature = createHmac('sha256', Buffer.from(masterKey, 'base64'))
    .update(`post\n_local\n_local/split\n${date.toLowerCase()}\n\n`)
    .digest('base64');
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const outgoing = request(`${endpoint}/_local/split`, {
      method: 'POST',
      headers: {
        authorization: encodeURIComponent(`type=master&ver=1.0&sig=${signature}`),
        'x-ms-date': date,
      },
    });
    outgoing.on('error', reject).on('response', (response) => resolve(response.resume().statusCode));
    outgoing.end(JSON.stringify({ database: 'app', container: 'items' }));
  });
  expect(status).toBe(204);
}
