import { request as httpRequest } from 'node:http';
import { describe, expect, it } from 'vitest';
import { eventually, startHost, writeApp } from './startHost.ts';

const plain = `handler: async () => ({ body: 'ok' })`;

/** Sends a body without Content-Length. */
function postChunked(url: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      url,
      { method: 'POST', headers: { 'transfer-encoding': 'chunked' } },
      (response) => {
        let text = '';
        response
          .setEncoding('utf8')
          .on('data', (chunk: string) => {
            text += chunk;
          })
          .on('end', () => resolve(text));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

describe('HTTP traps of Azure', () => {
  it('E-1 tries routes in function-name order and warns about a route that is never reached', async () => {
    const host = await startHost('http');
    expect(await (await host.get('/api/items/list')).text()).toBe('getItem');
    expect(await host.logged(/'listItems' is never reached/)).toContain('getItem');
  });

  it.each([
    [
      'the same template and method',
      `app.http('a', { route: 'X/{id}', ${plain} }); app.http('b', { route: 'x/{id}/', ${plain} });`,
      /already taken by function 'a'/,
    ],
    ['a route that starts with admin', `app.http('adminReport', { ${plain} });`, /reserved word/],
    ['a route that starts with runtime', `app.http('x', { route: 'runtimes', ${plain} });`, /reserved word/],
    ['a bad function name', `app.http('1st', { ${plain} });`, /not a valid function name/],
    [
      'names that differ only in case',
      `app.http('one', { ${plain} }); app.http('ONE', { route: 'z', ${plain} });`,
      /Two functions are named/,
    ],
  ])('E-2 refuses to start with %s', async (_what, source, reason) => {
    await expect(startHost(writeApp(source))).rejects.toThrow(reason);
  });

  it('E-3 answers 413 to a body above the limit, announced or not, in both modes', async () => {
    const limits = { requestBodyBytes: 1000 };
    for (const app of ['http', 'streaming']) {
      const host = await startHost(app, { limits });
      expect((await host.get('/api/size', { method: 'POST', body: 'x'.repeat(1001) })).status).toBe(413);
      expect(await (await host.get('/api/size', { method: 'POST', body: 'x'.repeat(1000) })).text()).toBe(
        '1000',
      );
    }
    const host = await startHost('streaming', { limits });
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array(1500));
        controller.close();
      },
    });
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
    expect((await host.get('/api/size', init)).status).toBe(413);
  });

  it('E-4 answers 502 after the load balancer gave up while the function runs on, and 414 or 404 to long URLs', async () => {
    const limits = { httpTimeoutSeconds: 0.3 };
    for (const app of ['http', 'streaming']) {
      const host = await startHost(app, { limits });
      expect((await host.get('/api/sleep?ms=900')).status).toBe(502);
      await eventually(async () =>
        (await host.status()).invocations.sleep?.succeeded === 1 ? true : undefined,
      );
    }
    const host = await startHost('http');
    expect((await host.get(`/api/${'x'.repeat(8200)}`)).status).toBe(414);
    expect((await host.get(`/api/who?${'x'.repeat(4097)}`)).status).toBe(404);
    expect((await host.get(`/api/who?${'x'.repeat(4000)}`)).status).toBe(200);
  });

  it('E-4 leaves a stream alone as long as bytes come', async () => {
    const host = await startHost('streaming', { limits: { httpTimeoutSeconds: 0.4 } });
    const abort = new AbortController();
    const reader = (await host.get('/api/events', { signal: abort.signal })).body?.getReader();
    const begun = Date.now();
    while (Date.now() - begun < 1000) expect((await reader?.read())?.done).toBe(false);
    abort.abort();
  });

  it('E-5 kills the app process of a function that exceeds functionTimeout, and starts another', async () => {
    const host = await startHost('http', { limits: { functionTimeoutSeconds: 0.5 } });
    const [before] = host.appProcesses;
    expect((await host.get('/api/sleep?ms=60000')).status).toBe(500);
    await host.logged(/process restarted/);
    expect(host.appProcesses).not.toContain(before);
    expect((await host.get('/api/who')).status).toBe(200);
  });

  it.each(['crash', 'reject'])(
    'E-6 restarts the app process after an unhandled error (%s)',
    async (route) => {
      const host = await startHost('http');
      expect((await host.get(`/api/${route}`)).status).toBe(502);
      await host.logged(/process ended \(exit code 1\)/);
      await host.logged(/process restarted/);
      expect((await host.get('/api/who')).status).toBe(200);
    },
  );

  it('E-7 loses chunked bodies in buffered mode and keeps them in streaming mode', async () => {
    const buffered = await startHost('http');
    expect(await postChunked(`${buffered.url}/api/size`, 'lost')).toBe('0');
    const streaming = await startHost('streaming');
    expect(await postChunked(`${streaming.url}/api/size`, 'kept')).toBe('4');
  });

  it('E-8 answers 204 to an undefined result in buffered mode; in streaming mode the client hangs and an error is logged', async () => {
    const buffered = await startHost('http');
    expect((await buffered.get('/api/nothing')).status).toBe(204);
    const streaming = await startHost('streaming', { limits: { httpTimeoutSeconds: 1.5 } });
    const response = streaming.get('/api/nothing');
    await streaming.logged(/nothing ended without a response/);
    expect((await response).status).toBe(502);
  });

  it('E-9 enforces keys, the header before the query, and the system key at the webhook', async () => {
    const host = await startHost('http');
    const status = async (path: string, key?: string) =>
      (await host.get(path, key === undefined ? {} : { headers: { 'x-functions-key': key } })).status;
    const refused = await host.get('/api/forFunctionKey');
    expect([refused.status, await refused.text()]).toEqual([401, '']);
    expect(await status('/api/forFunctionKey', 'function')).toBe(200);
    expect(await status('/api/forFunctionKey?code=function')).toBe(200);
    expect(await status('/api/forFunctionKey?code=function', 'wrong')).toBe(401);
    expect(await status('/api/forFunctionKey', 'master')).toBe(200);
    expect(await status('/api/forMaster', 'function')).toBe(401);
    expect(await status('/api/forMaster', 'master')).toBe(200);
    const webhook = '/runtime/webhooks/durabletask/instances/none';
    expect(await status(webhook)).toBe(401);
    expect(await status(webhook, 'function')).toBe(401);
    expect(await status(webhook, 'system')).toBe(404);
    expect(await status('/admin/host/status', 'system')).toBe(401);
  });

  it('E-10 answers 404 to methods that are not listed', async () => {
    const host = await startHost('http');
    for (const method of ['HEAD', 'OPTIONS', 'DELETE', 'POST']) {
      expect((await host.get('/api/who', { method })).status).toBe(404);
    }
  });

  it('E-11a answers 429 with the scale-out header above maxOutstandingRequests and queues above maxConcurrentRequests', async () => {
    const http = { maxOutstandingRequests: 2, maxConcurrentRequests: 1 };
    const app = writeApp(
      `let running = 0; let most = 0;
       app.http('busy', { methods: ['GET'], handler: async () => {
         running += 1; most = Math.max(most, running);
         await new Promise((resolve) => setTimeout(resolve, 300));
         running -= 1;
         return { body: String(most) };
       } });`,
      { version: '2.0', extensions: { http } },
    );
    const host = await startHost(app);
    const responses = await Promise.all([1, 2, 3].map(() => host.get('/api/busy')));
    expect(responses.map(({ status }) => status).sort()).toEqual([200, 200, 429]);
    expect(responses.find(({ status }) => status === 429)?.headers.get('x-function-scaleout')).toBe('1');
    for (const response of responses) if (response.status === 200) expect(await response.text()).toBe('1');
  });
});
