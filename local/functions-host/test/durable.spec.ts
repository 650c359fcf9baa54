import { beforeAll, describe, expect, it } from 'vitest';
import { outline } from '../durable/history.ts';
import { DurableClient } from './durableClient.ts';

let durable: DurableClient;
beforeAll(async () => {
  durable = await DurableClient.shared();
});

describe('Durable orchestrations', () => {
  it('keep the golden history of an activity that fails twice, is retried and succeeds', async () => {
    const { runtimeStatus, output, instanceId } = await durable.run('retried', 3);
    expect([runtimeStatus, output]).toEqual(['Completed', 3]);
    expect(outline(durable.history(instanceId))).toBe(
      '12 0 4#0 13 | 12 6>0 10#1 13 | 12 11>1 4#2 13 | 12 6>2 10#3 13 | 12 11>3 4#4 13 | 12 5>4 1 13',
    );
  });

  it('run activities in all app processes and steps anywhere', async () => {
    const durable = await DurableClient.start({ appProcesses: 2 });
    const { output } = await durable.run('pids', 8);
    expect((output as number[]).sort()).toEqual([...durable.host.appProcesses].sort());
    const chains = await Promise.all(Array.from({ length: 10 }, () => durable.run('chain', 10)));
    expect(chains.map((status) => status.output)).toEqual(Array.from({ length: 10 }, () => 10));
  });

  it('wait for an event or a timer, whichever is first', async () => {
    const id = await durable.begin('approval', { waitMs: 60_000 });
    expect((await durable.waiting(id)).customStatus).toEqual({ stage: 'waiting' });
    expect((await durable.raise(id, 'approval', { by: 'ana' })).status).toBe(200);
    expect((await durable.ended(id)).output).toEqual({ by: 'ana' });
    expect((await durable.run('approval', { waitMs: 100 })).output).toBe('timed out');
  });

  it('fan out, continue as new over hundreds of generations, and fail with the text of the error', async () => {
    expect((await durable.run('fan', 50)).output).toBe(1225);
    expect((await durable.run('loop', { index: 0, last: 120 })).output).toBe(120);
    const failed = await durable.run('throws');
    expect([failed.runtimeStatus, failed.output]).toEqual([
      'Failed',
      "Orchestrator function 'throws' failed: boom",
    ]);
  });

  it('can be terminated, purged and listed by the client of the library', async () => {
    const durable = await DurableClient.start();
    const id = await durable.begin('approval', { waitMs: 60_000 }, 'chosen-id');
    await durable.waiting(id);
    expect((await durable.call('terminate', id)).status).toBe(200);
    const ended = await durable.ended(id);
    expect([ended.runtimeStatus, ended.output]).toEqual(['Terminated', 'enough']);
    expect(await (await durable.call('all', 'x')).json()).toMatchObject([
      { instanceId: id, runtimeStatus: 'Terminated' },
    ]);
    expect(await (await durable.call('purge', id)).json()).toEqual({ instancesDeleted: 1 });
    expect(await durable.status(id)).toBeUndefined();
  });

  it('pass values as the .NET host does', async () => {
    expect((await durable.run('types')).output).toEqual([
      'string:"text"',
      'string:"123"',
      'number:7',
      'string:"True"',
      'string:"False"',
      'undefined:undefined',
      'object:{"a":1}',
      'object:[1]',
    ]);
  });
});
