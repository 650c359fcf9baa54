import { beforeAll, describe, expect, it } from 'vitest';
import { DurableClient } from './durableClient.ts';
import { Notes } from './notes.ts';
import { temporaryFolder } from './startHost.ts';

let durable: DurableClient;
beforeAll(async () => {
  durable = await DurableClient.shared();
});

describe('Durable traps of Azure', () => {
  it('E-12 encodes a text given to continueAsNew twice', async () => {
    expect((await durable.run('continuesWithText', { first: true })).output).toBe('"second"');
  });

  it('E-13 hands booleans to activities as text', async () => {
    expect((await durable.run('types')).output).toEqual(
      expect.arrayContaining(['string:"True"', 'string:"False"']),
    );
  });

  it('E-14 passes values as JSON only: maps are lost, dates become texts, undefined becomes null', async () => {
    expect((await durable.run('jsonOnly')).output).toEqual([
      { map: {}, at: '1970-01-01T00:00:00.000Z' },
      null,
    ]);
  });

  it.each([
    ['missingActivity', undefined, /'doesNotExist' doesn't exist/],
    ['retryTimeout', undefined, /would hang on Azure/],
    ['emptyError', undefined, /would hang on Azure/],
  ])('E-15 ends what would hang for ever: %s', async (name, input, reason) => {
    const { runtimeStatus, output } = await durable.run(name, input);
    expect(runtimeStatus).toBe('Failed');
    expect(output).toMatch(reason);
  });

  it('E-15 ends an instance whose event differs only in case, and refuses unknown orchestrators', async () => {
    const id = await durable.begin('eventCase');
    await durable.raise(id, 'approval', 1);
    const { runtimeStatus, output } = await durable.ended(id);
    expect([runtimeStatus, output]).toEqual(['Failed', expect.stringContaining('would hang on Azure')]);
    await expect(durable.begin('nowhere')).rejects.toThrow();
    const response = await durable.api('POST', 'orchestrators/nowhere');
    expect(response.status).toBe(400);
  });

  it('E-16 holds the completion back until open tasks have ended', async () => {
    const begun = Date.now();
    expect((await durable.run('uncancelledTimer')).output).toBe('early');
    expect(Date.now() - begun).toBeGreaterThanOrEqual(600);
  });

  it('E-17 replays in full each step and warns about a long history', async () => {
    const id = await durable.begin('chain', 260);
    expect(await durable.host.logged(/has a history of 1\d\d\d events/)).toContain('continueAsNew');
    expect((await durable.ended(id)).output).toBe(260);
  });

  it('E-18 refuses payloads above 1 MiB and warns above 64 KB', async () => {
    expect((await durable.run('large', { input: 70_000 })).output).toBe(70_000);
    await durable.host.logged(/input of activity 'same'.* keep durable payloads under/);
    const tooLarge = await durable.run('large', { input: 1_100_000 });
    expect([tooLarge.runtimeStatus, tooLarge.output]).toEqual([
      'Failed',
      expect.stringContaining('takes at most 1048576'),
    ]);
    expect((await durable.run('large', { result: 1_100_000 })).output).toContain('takes at most 1048576');
    const input = JSON.stringify('x'.repeat(1_100_000));
    expect((await durable.api('POST', 'orchestrators/input', { body: input })).status).toBe(413);
  });

  it('E-18 limits the custom status to 16 KB of UTF-16', async () => {
    expect((await durable.run('largeStatus', 8000)).runtimeStatus).toBe('Completed');
    const { runtimeStatus, output } = await durable.run('largeStatus', 9000);
    expect([runtimeStatus, output]).toEqual(['Failed', expect.stringContaining('must not exceed 16 KB')]);
  });

  it('E-19 may run an activity twice, and counts its result once', async () => {
    const notes = new Notes<never>();
    const durable = await DurableClient.start({
      faults: { repeatActivity: 1 },
      settings: { NOTES: notes.file },
    });
    const { output, instanceId } = await durable.run('chain', 3);
    expect(output).toBe(3);
    expect((await durable.host.status()).durable).toMatchObject({ activities: 6, activitiesRepeated: 3 });
    expect(durable.history(instanceId).filter(({ EventType }) => EventType === 5)).toHaveLength(3);
  });

  it.each(['name', 'kind'])('E-20 fails an instance whose code changed (%s of a task)', async (CHANGED) => {
    const dataDir = temporaryFolder();
    const before = await DurableClient.start({ dataDir });
    const id = await before.begin('changing');
    await expect
      .poll(() => before.history(id).some(({ EventType }) => EventType === 5), { timeout: 5000 })
      .toBe(true);
    await before.host.close();
    const after = await DurableClient.start({ dataDir, settings: { CHANGED } });
    await after.raise(id, 'go', 1);
    const { runtimeStatus, output } = await after.ended(id);
    expect([runtimeStatus, output]).toEqual([
      'Failed',
      expect.stringMatching(
        /^Non-Deterministic workflow detected: .* scheduled a activity task with sequence ID 0 and name 'same'/,
      ),
    ]);
  });

  it('E-21 loses events that were buffered before continueAsNew', async () => {
    const id = await durable.begin('buffered', { generation: 1 });
    await durable.raise(id, 'early', 1);
    await durable.raise(id, 'go', 1);
    expect((await durable.ended(id)).output).toBe('lost');
  });

  it('E-21 carries events over that come after continueAsNew', async () => {
    const id = await durable.begin('collect', { got: [] });
    await Promise.all([1, 2, 3, 4, 5].map((item) => durable.raise(id, 'item', item)));
    await durable.raise(id, 'item', 'stop');
    expect((await durable.ended(id)).output).toHaveLength(5);
  });

  it('E-22 schedules nothing after a failed Task.all until all its children have ended', async () => {
    const notes = new Notes<never>();
    const durable = await DurableClient.start({ settings: { NOTES: notes.file } });
    expect((await durable.run('allFails')).output).toBe('caught');
    expect(notes.lines()).toEqual(expect.arrayContaining(['first', 'slow started']));
    expect(notes.lines().slice(-2)).toEqual(['slow ended', 'after the failure']);
  });

  it('E-24 gives only the text of an activity error, prefixed', async () => {
    expect((await durable.run('catches')).output).toEqual({
      message: expect.stringMatching(/^Activity function 'fails' failed: {2}card declined/),
      isTypeError: false,
    });
  });

  it('E-25 gives the empty text to an instance started without input', async () => {
    expect((await durable.run('input')).output).toEqual({ input: '' });
  });

  it('E-26 refuses an event without data or of another content type', async () => {
    const id = await durable.begin('eventCase');
    expect((await durable.call('raise', id, '?name=Approval')).status).toBe(500);
    const path = `instances/${id}/raiseEvent/Approval`;
    const json = { 'content-type': 'application/json' };
    expect((await durable.api('POST', path, { headers: json })).status).toBe(400);
    expect(
      (await durable.api('POST', path, { headers: { 'content-type': 'text/plain' }, body: '1' })).status,
    ).toBe(400);
    expect((await durable.api('POST', path, { headers: json, body: 'null' })).status).toBe(202);
    expect((await durable.ended(id)).output).toBeNull();
    expect((await durable.api('POST', path, { headers: json, body: '1' })).status).toBe(410);
  });

  it('E-28 refuses an id in use by a running instance and reuses it afterwards', async () => {
    await durable.begin('eventCase', {}, 'same-id');
    expect((await durable.api('POST', 'orchestrators/eventCase/same-id')).status).toBe(409);
    await expect(durable.begin('eventCase', {}, 'same-id')).rejects.toThrow(/409/);
    await durable.raise('same-id', 'Approval', 1);
    await durable.ended('same-id');
    await durable.begin('eventCase', {}, 'same-id');
    expect((await durable.api('POST', 'orchestrators/eventCase/@x')).status).toBe(400);
    expect((await durable.api('POST', `orchestrators/eventCase/${'x'.repeat(101)}`)).status).toBe(400);
  });

  it('E-29 splits long timers exactly as the library expects', async () => {
    const durable = await DurableClient.start({
      limits: { maximumShortTimerSeconds: 0.5, longTimerIntervalSeconds: 0.3 },
    });
    const { runtimeStatus, output, instanceId } = await durable.run('longTimer', 1000);
    expect([runtimeStatus, output]).toEqual(['Completed', 'woke']);
    expect(
      durable.history(instanceId).filter(({ EventType }) => EventType === 10).length,
    ).toBeGreaterThanOrEqual(3);
  });

  it('shows a condensed history and pages the list', async () => {
    const durable = await DurableClient.start();
    const { instanceId } = await durable.run('one', { a: 1 });
    const status = await durable.status(instanceId, '?showHistory=true&showHistoryOutput=true');
    expect(status?.historyEvents?.map(({ EventType }) => EventType)).toEqual([
      'ExecutionStarted',
      'TaskCompleted',
      'ExecutionCompleted',
    ]);
    expect(status?.historyEvents?.[1]).toMatchObject({ FunctionName: 'same', Result: { a: 1 } });
    await durable.run('one', 2);
    const first = await durable.api('GET', 'instances?top=1');
    expect(await first.json()).toMatchObject([{ instanceId }]);
    const token = first.headers.get('x-ms-continuation-token');
    const second = await durable.api('GET', `instances?top=1&continuationToken=${token}`);
    expect(await second.json()).toHaveLength(1);
    expect(second.headers.get('x-ms-continuation-token')).toBeNull();
    const purged = await durable.api(
      'DELETE',
      'instances?createdTimeFrom=2000-01-01&runtimeStatus=Completed',
    );
    expect(await purged.json()).toEqual({ instancesDeleted: 2 });
  });
});
