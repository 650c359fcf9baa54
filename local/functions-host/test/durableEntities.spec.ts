import { beforeAll, describe, expect, it } from 'vitest';
import { DurableClient } from './durableClient.ts';
import { eventually } from './startHost.ts';

let durable: DurableClient;
beforeAll(async () => {
  durable = await DurableClient.shared({ appProcesses: 2 });
});

const read = async (key: string) => {
  const response = await durable.api('GET', `entities/counter/${key}`);
  return response.status === 404 ? undefined : ((await response.json()) as unknown);
};
const becomes = (key: string, value: unknown) =>
  eventually(async () => ((await read(key)) === value ? true : undefined));
const signal = (key: string, operation: string, data: unknown) =>
  durable.call('signal', key, `?name=counter&op=${operation}&data=${JSON.stringify(data)}`);

describe('entities', () => {
  it('are called and signalled by orchestrations, in order', async () => {
    expect((await durable.run('counts', 'a')).output).toEqual([3, 6, 6]);
    expect(await read('a')).toBe(6);
  });

  it('are signalled, read and deleted by clients', async () => {
    expect(await read('b')).toBeUndefined();
    expect(await (await durable.call('read', 'b', '?name=counter')).json()).toMatchObject({
      entityExists: false,
    });
    await Promise.all(Array.from({ length: 20 }, () => signal('b', 'add', 1)));
    await becomes('b', 20);
    expect(await (await durable.call('read', 'b', '?name=Counter')).json()).toEqual({
      entityExists: true,
      entityState: 20,
    });
    expect((await durable.api('DELETE', 'entities/counter/b')).status).toBe(202);
    await becomes('b', undefined);
    expect((await durable.api('POST', 'entities/nobody/b?op=add')).status).toBe(400);
  });

  it('signal each other and are listed', async () => {
    await signal('c', 'add', 5);
    await signal('c', 'forward', 'd');
    await becomes('d', 5);
    const response = await durable.api('GET', 'entities/Counter?fetchState=true');
    expect(await response.json()).toEqual(
      expect.arrayContaining([
        { entityId: { name: 'counter', key: 'd' }, state: 5, lastOperationTime: expect.any(String) },
      ]),
    );
    const first = await durable.api('GET', 'entities?top=1');
    expect(await first.json()).toHaveLength(1);
    expect(first.headers.get('x-ms-continuation-token')).toBe('1');
  });

  it('E-23 lose the text of an error and keep what was done before it', async () => {
    expect((await durable.run('entityFails', 'e')).output).toBe('[object Object]');
    expect(await read('e')).toBe(-1);
  });

  it('E-15 end an orchestration that calls one that does not exist', async () => {
    const { runtimeStatus, output } = await durable.run('missingEntity');
    expect([runtimeStatus, output]).toEqual(['Failed', expect.stringContaining("'nobody' doesn't exist")]);
  });
});

describe('critical sections', () => {
  it('keep the sum of concurrent transfers', async () => {
    const accounts = ['x', 'y', 'z'];
    await Promise.all(accounts.map((key) => signal(key, 'add', 100)));
    await Promise.all(accounts.map((key) => becomes(key, 100)));
    const transfers = Array.from({ length: 15 }, (_, n) => ({
      from: accounts[n % 3],
      to: accounts[(n + 1 + (n % 2)) % 3],
    }));
    const ended = await Promise.all(transfers.map((transfer) => durable.run('transfer', transfer)));
    expect(ended.map(({ output }) => output)).toEqual(transfers.map(() => true));
    const sums = (await Promise.all(accounts.map(read))) as number[];
    expect(sums.reduce((sum, value) => sum + value, 0)).toBe(300);
  });

  it('make others wait until they end, however they end', async () => {
    const holder = await durable.begin('holdsLock', { key: 'f' });
    await durable.waiting(holder);
    await signal('f', 'add', 1);
    const other = await durable.begin('holdsLock', { key: 'f', fails: true });
    await durable.reaches(other, 'Running');
    expect(await read('f')).toBeUndefined();
    expect((await durable.status(other))?.customStatus).toBeNull();
    await durable.call('terminate', holder);
    expect((await durable.ended(other)).output).toContain('inside the section');
    const last = await durable.begin('holdsLock', { key: 'f' });
    await durable.waiting(last);
    await durable.raise(last, 'leave', 1);
    expect((await durable.ended(last)).output).toBe('left');
    await becomes('f', 1);
  });

  it('end when their orchestration is purged', async () => {
    const holder = await durable.begin('holdsLock', { key: 'g' });
    await durable.waiting(holder);
    await signal('g', 'add', 1);
    const other = await durable.begin('holdsLock', { key: 'g' });
    await durable.reaches(other, 'Running');
    expect(await read('g')).toBeUndefined();
    expect((await durable.api('DELETE', `instances/${holder}`)).status).toBe(200);
    await becomes('g', 1);
    await durable.waiting(other);
    await durable.raise(other, 'leave', 1);
    expect((await durable.ended(other)).output).toBe('left');
  });
});
