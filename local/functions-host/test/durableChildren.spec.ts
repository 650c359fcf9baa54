import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { outline } from '../durable/history.ts';
import { DurableClient } from './durableClient.ts';
import { atEnd, eventually } from './startHost.ts';

let durable: DurableClient;
beforeAll(async () => {
  durable = await DurableClient.shared();
});

describe('sub-orchestrations', () => {
  it('run as instances of their own and give their results to the parent', async () => {
    const { output, instanceId } = await durable.run('family', 3);
    const children = output as { value: number; parent: string; id: string }[];
    expect(children.map(({ value, parent }) => [value, parent])).toEqual(
      [0, 1, 2].map((value) => [value, instanceId]),
    );
    const history = durable.history(instanceId);
    const executionId = history[1]?.OrchestrationInstance?.ExecutionId;
    expect(children.map(({ id }) => id)).toEqual([0, 1, 2].map((n) => `${executionId}:${n}`));
    expect(outline(history)).toMatch(/^12 0 7#0 7#1 7#2 13 \| 12 8>/);
    expect((await durable.status(children[0]?.id ?? ''))?.runtimeStatus).toBe('Completed');
  });

  it('fail and end with the text that reaches the parent', async () => {
    const failed = await durable.run('parent', { child: 'throws' });
    expect(failed.output).toEqual({
      error: expect.stringMatching(/^Orchestrator function 'throws' failed: boom/),
    });
    const id = await durable.begin('parent', { child: 'eventCase', id: 'to-terminate' });
    await durable.reaches('to-terminate', 'Running');
    await durable.call('terminate', 'to-terminate');
    expect((await durable.ended(id)).output).toEqual({ error: expect.stringMatching(/^enough/) });
  });

  it('are retried as a policy says', async () => {
    const { output, instanceId } = await durable.run('retriesChild');
    expect(output).toBe(3);
    expect(outline(durable.history(instanceId))).toBe(
      '12 0 7#0 13 | 12 9>0 10#1 13 | 12 11>1 7#2 13 | 12 9>2 10#3 13 | 12 11>3 7#4 13 | 12 8>4 1 13',
    );
  });

  it('E-27 end the parent when their id is in use', async () => {
    await durable.begin('eventCase', {}, 'taken');
    await durable.reaches('taken', 'Running');
    for (const [name, input] of [
      ['parent', { child: 'one', id: 'taken' }],
      ['twins', {}],
    ] as const) {
      const { runtimeStatus, output } = await durable.run(name, input);
      expect([runtimeStatus, output]).toEqual(['Failed', expect.stringMatching(/would hang on Azure.*id '/)]);
    }
    expect((await durable.status('taken'))?.runtimeStatus).toBe('Running');
  });

  it('E-15 end the parent when they do not exist or have its id', async () => {
    expect((await durable.run('parent', { child: 'nowhere' })).output).toContain("'nowhere' doesn't exist");
    const id = await durable.begin('parent', { child: 'one', id: 'self' }, 'self');
    expect((await durable.ended(id)).output).toContain('cannot have the id of its parent');
  });

  it('know the version they were started with', async () => {
    await durable.call('version', 'versioned', '?name=version');
    expect((await durable.ended('versioned')).output).toEqual(['2.0', '7.1']);
    expect((await durable.run('version')).output).toEqual(['1.0', '7.1']);
  });
});

describe('a suspended instance', () => {
  it('takes events and does nothing until it is resumed', async () => {
    const id = await durable.begin('steps');
    await durable.reaches(id, 'Running');
    expect((await durable.call('suspend', id)).status).toBe(200);
    await durable.reaches(id, 'Suspended');
    await durable.raise(id, 'go', 'early');
    await eventually(() =>
      durable.history(id).some(({ EventType }) => EventType === 15) ? true : undefined,
    );
    expect(outline(durable.history(id))).toBe('12 0 13 | 12 19 13 | 12 15 13');
    expect((await durable.status(id))?.runtimeStatus).toBe('Suspended');
    expect((await durable.call('resume', id)).status).toBe(200);
    expect((await durable.ended(id)).output).toBe('early');
    expect(outline(durable.history(id))).toBe('12 0 13 | 12 19 13 | 12 15 13 | 12 20 4#0 13 | 12 5>0 1 13');
    expect((await durable.api('POST', `instances/${id}/suspend`)).status).toBe(410);
  });

  it('can be terminated', async () => {
    const id = await durable.begin('steps');
    await durable.call('suspend', id);
    await durable.reaches(id, 'Suspended');
    await durable.call('terminate', id);
    expect((await durable.ended(id)).runtimeStatus).toBe('Terminated');
  });
});

describe('an ended instance', () => {
  it('can be restarted under a new or the same id', async () => {
    const { instanceId } = await durable.run('one', { a: 1 });
    const again = await durable.api('POST', `instances/${instanceId}/restart`);
    expect(again.status).toBe(202);
    const { id } = (await again.json()) as { id: string };
    expect(id).not.toBe(instanceId);
    expect((await durable.ended(id)).output).toEqual({ a: 1 });
    const path = `instances/${instanceId}/restart?restartWithNewInstanceId=false`;
    expect(await (await durable.api('POST', path)).json()).toMatchObject({ id: instanceId });
    expect((await durable.ended(instanceId)).output).toEqual({ a: 1 });
    expect((await durable.api('POST', 'instances/unknown/restart')).status).toBe(404);
  });

  it('cannot be rewound, and the client hears why', async () => {
    const failed = await durable.run('throws');
    expect(await (await durable.call('rewind', failed.instanceId)).json()).toEqual({
      error: expect.stringContaining("'rewind' is not supported"),
    });
    const response = await durable.api('POST', `instances/${failed.instanceId}/rewind`);
    expect([response.status, await response.text()]).toEqual([501, expect.stringContaining('Restart')]);
    const completed = await durable.run('one', 1);
    expect((await durable.api('POST', `instances/${completed.instanceId}/rewind`)).status).toBe(412);
  });
});

describe('callHttp', () => {
  const server = async (answers: [number, Record<string, string>, string][]) => {
    const seen: string[] = [];
    const listening = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      const [status, headers, body] = answers[Math.min(seen.length, answers.length) - 1] ?? [500, {}, ''];
      response.writeHead(status, headers).end(body);
    });
    await new Promise<void>((resolve) => void listening.listen(0, '127.0.0.1', resolve));
    atEnd(() => void listening.close());
    return { seen, url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}` };
  };

  it('gives status and content', async () => {
    const { seen, url } = await server([[201, {}, 'made']]);
    const { output } = await durable.run('http', { method: 'POST', url: `${url}/things`, body: { a: 1 } });
    expect([output, seen]).toEqual([[201, 'made'], ['POST /things']]);
  });

  it('polls the Location of a 202 by durable timers until it is done', async () => {
    const accepted: [number, Record<string, string>, string] = [
      202,
      { location: '/status', 'retry-after': '0' },
      '',
    ];
    const { seen, url } = await server([accepted, accepted, [200, {}, 'done']]);
    const { output, instanceId } = await durable.run('http', { method: 'POST', url: `${url}/job` });
    expect([output, seen]).toEqual([
      [200, 'done'],
      ['POST /job', 'GET /status', 'GET /status'],
    ]);
    expect(outline(durable.history(instanceId))).toBe(
      '12 0 4#0 13 | 12 5>0 10#1 13 | 12 11>1 4#2 13 | 12 5>2 10#3 13 | 12 11>3 4#4 13 | 12 5>4 1 13',
    );
    const once = await server([accepted]);
    expect(
      (await durable.run('http', { method: 'GET', url: once.url, enablePolling: false })).output,
    ).toEqual([202, '']);
  });

  it('fails when there is no answer and refuses token sources', async () => {
    expect((await durable.run('http', { method: 'GET', url: 'http://127.0.0.1:1/' })).output).toContain(
      "Activity function 'BuiltIn::HttpActivity' failed",
    );
    const tokenSource = { kind: 'AzureManagedIdentity', resource: 'https://vault.azure.net' };
    const { output } = await durable.run('http', { method: 'GET', url: 'http://127.0.0.1:1/', tokenSource });
    expect(output).toContain('tokenSource is not supported');
  });
});
