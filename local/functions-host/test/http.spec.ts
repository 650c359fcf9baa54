import { rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually, startHost, temporaryFolder, writeApp } from './startHost.ts';

describe('HTTP in buffered mode', () => {
  it('hands over method, URL, query, parameters, headers and body, and brings back status, headers, cookies and JSON', async () => {
    const host = await startHost('http');
    const response = await host.get('/api/echo/7/a/b?x=1&x=2', {
      method: 'POST',
      headers: { 'x-given': 'g' },
      body: 'hello',
    });
    expect(response.status).toBe(201);
    expect(response.headers.get('x-answer')).toBe('yes');
    expect(response.headers.get('set-cookie')).toBe('k=v%20w; path=/; samesite=lax; httponly');
    expect(await response.json()).toEqual({
      url: `${host.url}/api/echo/7/a/b?x=1&x=2`,
      method: 'POST',
      query: { x: '1,2' },
      params: { n: '7', rest: 'a/b' },
      header: 'g',
      body: 'hello',
      functionName: 'echo',
    });
  });

  it('gives the settings and its own name to the app', async () => {
    const host = await startHost('http', { settings: { GREETING: 'salut' } });
    const { setting, host: name } = (await (await host.get('/api/environment')).json()) as Record<
      string,
      string
    >;
    expect(setting).toBe('salut');
    expect(`http://${name}`).toBe(host.url);
  });

  it('answers 404 where a constraint fails or no route is', async () => {
    const host = await startHost('http');
    expect((await host.get('/api/echo/x')).status).toBe(404);
    expect((await host.get('/api/unknown')).status).toBe(404);
    expect((await host.get('/who')).status).toBe(404);
  });

  it('answers 500 without a body and logs the error when a handler throws', async () => {
    const host = await startHost('http');
    const response = await host.get('/api/boom');
    expect([response.status, await response.text()]).toEqual([500, '']);
    expect(await host.logged(/boom failed: http boom/)).toContain('http boom');
  });
});

describe('HTTP in streaming mode', () => {
  it('forwards request and response', async () => {
    const host = await startHost('streaming');
    const response = await host.get('/api/echo/a%20b?q=1', { method: 'POST', body: 'body' });
    expect(await response.json()).toMatchObject({ id: 'a b', q: '1', body: 'body' });
  });

  it('lets server-sent events through at once and aborts the app when the client leaves', async () => {
    const host = await startHost('streaming');
    const abort = new AbortController();
    const response = await host.get('/api/events', { signal: abort.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = response.body?.getReader();
    const first = await reader?.read();
    expect(new TextDecoder().decode(first?.value)).toContain('data: 0');
    const startedAt = Date.now();
    await reader?.read();
    expect(Date.now() - startedAt).toBeLessThan(1000);
    abort.abort();
    await eventually(async () => {
      const { disconnected } = (await (await host.get('/api/who')).json()) as { disconnected: number };
      return disconnected === 1 ? true : undefined;
    });
  });

  it('takes a client that leaves before the answer or in the middle of an upload as nobody’s fault', async () => {
    const host = await startHost('streaming');
    await (await host.get('/api/hello')).text(); // leaves a kept connection, whose loss must not repeat the request
    const abort = new AbortController();
    const sleeping = host.get('/api/sleep?ms=300', { signal: abort.signal });
    await eventually(async () =>
      (await host.status()).invocations.hello?.succeeded === 1 ? true : undefined,
    );
    abort.abort();
    await expect(sleeping).rejects.toThrow();
    const upload = httpRequest(`${host.url}/api/size`, {
      method: 'POST',
      headers: { 'content-length': '1000000' },
    });
    const broken = new Promise((resolve) => upload.once('error', resolve));
    upload.write(Buffer.alloc(1000), () => upload.destroy(new Error('gone')));
    await broken;
    expect(await (await host.get('/api/hello')).text()).toBe('hello');
    await eventually(async () => {
      const { sleep, size } = (await host.status()).invocations;
      return (sleep?.succeeded ?? 0) + (sleep?.failed ?? 0) <= 1 && size !== undefined ? true : undefined;
    });
    expect(host.lines.filter((line) => line.includes('sleep failed'))).toEqual([]);
    expect(host.appProcesses).toHaveLength(1);
  });

  it('answers 500 when a handler throws', async () => {
    const host = await startHost('streaming');
    expect((await host.get('/api/boom')).status).toBe(500);
  });

  it('streams a large chunked body', async () => {
    const host = await startHost('streaming');
    const size = await new Promise<string>((resolve, reject) => {
      const upload = httpRequest(`${host.url}/api/size`, { method: 'POST' }, (response) => {
        response.setEncoding('utf8').on('data', resolve);
      });
      upload.on('error', reject);
      for (let part = 0; part < 20; part += 1) upload.write(Buffer.alloc(100_000));
      upload.end();
    });
    expect(size).toBe('2000000');
  });
});

describe('app processes', () => {
  it('take turns', async () => {
    const host = await startHost('http', { appProcesses: 2 });
    const pids = new Set<string>();
    for (let n = 0; n < 4; n += 1) pids.add(await (await host.get('/api/who')).text());
    expect([...pids].map(Number).sort()).toEqual([...host.appProcesses].sort());
  });

  it('that die fail their own request only, and come back', async () => {
    const host = await startHost('streaming', { appProcesses: 2 });
    const before = [...host.appProcesses];
    // Four take turns on both processes even where the question below comes in between.
    const pending = Array.from({ length: 4 }, () => host.get('/api/sleep?ms=1500'));
    await eventually(async () => ((await host.get('/api/hello')).status === 200 ? true : undefined));
    process.kill(before[0] as number, 'SIGKILL');
    const statuses = (await Promise.all(pending)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 502]));
    const after = await eventually(() => (host.appProcesses.length === 2 ? host.appProcesses : undefined));
    expect(after).not.toContain(before[0]);
    expect(after).toContain(before[1]);
    await host.logged(/process restarted/);
    expect((await host.get('/api/hello')).status).toBe(200);
  });

  it('that crash again and again are restarted ever more slowly, and the host lives on', async () => {
    const app = writeApp(`
      const { existsSync } = require('node:fs');
      if (existsSync(process.env.BROKEN)) process.exit(3);
      app.http('ping', { handler: async () => ({ body: 'pong' }) });
      app.http('die', { handler: () => process.exit(4) });`);
    const BROKEN = path.join(temporaryFolder(), 'broken');
    const host = await startHost(app, { settings: { BROKEN } });
    writeFileSync(BROKEN, '');
    expect((await host.get('/api/die')).status).toBe(502);
    await host.logged(/exit code 4.*restarting in 100 ms/);
    await host.logged(/exit code 3.*restarting in 200 ms/);
    await host.logged(/exit code 3.*restarting in 400 ms/);
    rmSync(BROKEN);
    await host.logged(/process restarted/);
    expect((await host.get('/api/ping')).status).toBe(200);
  });
});
