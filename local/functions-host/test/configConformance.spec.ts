import { describe, expect, it } from 'vitest';
import { hostJsonWith, startHost, writeApp } from './startHost.ts';

const http = `app.http('ping', { handler: async () => ({ body: 'pong' }) });`;
const timer = (options: string) => `app.timer('tick', { ${options}, handler() {} });`;

describe('configuration traps of Azure', () => {
  it.each([
    [
      'an HTTP trigger',
      'httpTrigger',
      `app.generic('ping', { trigger: { type: 'httpTrigger', name: 'r', direction: 'in' }, return: { type: 'http' }, retry: { strategy: 'fixedDelay', maxRetryCount: 1, delayInterval: { seconds: 1 } }, handler() {} });`,
    ],
    [
      'a Service Bus trigger',
      'serviceBusTrigger',
      `app.serviceBusQueue('q', { connection: 'BUS', queueName: 'x', retry: { strategy: 'fixedDelay', maxRetryCount: 1, delayInterval: { seconds: 1 } }, handler() {} });`,
    ],
  ])('E-42 refuses a retry policy on %s', async (_what, type, source) => {
    await expect(startHost(writeApp(source, hostJsonWith()))).rejects.toThrow(
      `a retry policy has no effect on '${type}'`,
    );
  });

  it.each([
    ['a missing version', {}, /"version" must be "2.0"/],
    ['another version', { version: '2' }, /"version" must be "2.0"/],
    ['bad JSON', '{ "version": "2.0", }', /cannot be used/],
    [
      'a bad time span',
      { version: '2.0', functionTimeout: '5 minutes' },
      /functionTimeout must be a time span/,
    ],
    [
      'a way to match versions that is not imitated',
      hostJsonWith({ durableTask: { hubName: 'Versions', versionMatchStrategy: 'Strict' } }),
      /versionMatchStrategy "Strict" is not imitated/,
    ],
  ])('E-46 does not start with %s in host.json', async (_what, hostJson, reason) => {
    await expect(startHost(writeApp(http, hostJson))).rejects.toThrow(reason);
  });

  it('E-46 warns about unknown keys', async () => {
    const host = await startHost(
      writeApp(http, { version: '2.0', extensions: { http: { routeprefix: 'x' } }, functionTimeOut: 1 }),
    );
    await host.logged(/unknown key 'functionTimeOut'/);
    await host.logged(/unknown key 'extensions.http.routeprefix'/);
  });

  it('E-47 needs the extension bundle for anything but HTTP and timers', async () => {
    const durable = `df.app.activity('a', { handler() {} });`;
    await expect(startHost(writeApp(durable))).rejects.toThrow(/needs "extensionBundle"/);
    const bad = { version: '2.0', extensionBundle: { id: 'Mine', version: '[4.*, 5.0.0)' } };
    await expect(startHost(writeApp(durable, bad))).rejects.toThrow(/extensionBundle.id must be/);
    const range = {
      version: '2.0',
      extensionBundle: { id: 'Microsoft.Azure.Functions.ExtensionBundle', version: 'newest' },
    };
    await expect(startHost(writeApp(durable, range))).rejects.toThrow(/must be a range/);
    await startHost(writeApp(http + timer(`schedule: '0 0 0 1 1 *'`)));
  });

  it('E-48 expands and checks the task hub name', async () => {
    const hub = (hubName: string) =>
      hostJsonWith({
        durableTask: { hubName, maxConcurrentActivityFunctions: 1, maxConcurrentOrchestratorFunctions: 1 },
      });
    for (const name of ['1hub', 'a-hub', 'ab', 'x'.repeat(46)]) {
      await expect(startHost(writeApp(http, hub(name)))).rejects.toThrow(/task hub name/);
    }
    await expect(startHost(writeApp(http, hub('%HUB%')))).rejects.toThrow(
      /the app setting 'HUB' does not exist/,
    );
    await startHost(writeApp(http, hub('%HUB%')), { settings: { HUB: 'Expanded' } });
  });

  it('E-49 obeys the durable concurrency limits and asks for them to be set', async () => {
    const source = `
      let running = 0; let most = 0;
      df.app.activity('busy', { handler: async () => {
        running += 1; most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 50));
        running -= 1; return most;
      } });
      df.app.orchestration('fan', function* (context) {
        return Math.max(...(yield context.df.Task.all([1, 2, 3, 4, 5, 6].map((n) => context.df.callActivity('busy', n)))));
      });
      app.http('start', { extraInputs: [df.input.durableClient()], handler: async (request, context) => {
        const client = df.getClient(context);
        const id = await client.startNew('fan', { input: {} });
        return client.waitForCompletionOrCreateCheckStatusResponse(request, id, { timeoutInMilliseconds: 5000, retryIntervalInMilliseconds: 50 });
      } });`;
    const hub = (limits: Record<string, unknown>) =>
      hostJsonWith({ durableTask: { hubName: 'Limits', ...limits } });
    const limited = await startHost(
      writeApp(source, hub({ maxConcurrentActivityFunctions: 2, maxConcurrentOrchestratorFunctions: 2 })),
    );
    expect(await (await limited.get('/api/start')).json()).toBe(2);
    const unset = await startHost(writeApp(source, hub({})));
    await unset.logged(/set maxConcurrentActivityFunctions/);
  });

  it.each([
    [
      'a connection',
      `app.serviceBusQueue('q', { connection: 'BUS', queueName: 'x', handler() {} });`,
      /connection 'BUS' does not exist/,
    ],
    [
      'a queue name',
      `app.serviceBusQueue('q', { connection: 'BUS', queueName: '%QUEUE%', handler() {} });`,
      /app setting 'QUEUE' does not exist/,
    ],
    ['a schedule', timer(`schedule: '%WHEN%'`), /app setting 'WHEN' does not exist/],
    ['a route', `app.http('r', { route: '%ROUTE%', handler() {} });`, /app setting 'ROUTE' does not exist/],
    [
      'a Cosmos DB connection',
      `app.cosmosDB('c', { connection: 'COSMOS', databaseName: 'd', containerName: 'c', handler() {} });`,
      /connection 'COSMOS' does not exist/,
    ],
  ])('E-50 does not start when %s names a missing setting', async (_what, source, reason) => {
    await expect(startHost(writeApp(source, hostJsonWith()))).rejects.toThrow(reason);
  });

  it('E-50 expands settings in routes', async () => {
    const host = await startHost(
      writeApp(`app.http('r', { route: '%ROUTE%/x', handler: async () => ({ body: 'here' }) });`),
      {
        settings: { ROUTE: 'expanded' },
      },
    );
    expect(await (await host.get('/api/expanded/x')).text()).toBe('here');
  });

  it('refuses triggers and bindings it does not have', async () => {
    const queue = `app.storageQueue('q', { connection: 'S', queueName: 'x', handler() {} });`;
    await expect(startHost(writeApp(queue, hostJsonWith()))).rejects.toThrow(
      /'queueTrigger' is not supported/,
    );
    const output = `app.http('h', { extraOutputs: [output.storageQueue({ connection: 'S', queueName: 'q' })], handler() {} });`;
    await expect(startHost(writeApp(output, hostJsonWith()))).rejects.toThrow(
      /binding 'queue' \(out\) is not supported/,
    );
    const sdk = `app.serviceBusQueue('q', { connection: 'B', queueName: 'q', sdkBinding: true, handler() {} });`;
    await expect(startHost(writeApp(sdk, hostJsonWith()), { settings: { B: 'x' } })).rejects.toThrow(
      /the SDK binding is not supported/,
    );
  });

  it('E-39 refuses two feed functions on the same leases', async () => {
    const feed = (name: string, prefix: string) =>
      `app.cosmosDB('${name}', { connection: 'C', databaseName: 'd', containerName: 'c', leaseContainerPrefix: '${prefix}', handler() {} });`;
    await expect(startHost(writeApp(feed('a', 'p') + feed('b', 'p'), hostJsonWith()))).rejects.toThrow(
      /'b': it shares its leases with 'a'/,
    );
  });

  it('says why an app cannot be loaded', async () => {
    await expect(startHost(writeApp(`throw new Error('broken app');`))).rejects.toThrow(/broken app/);
    await expect(startHost(writeApp(''))).rejects.toThrow(/registers no function/);
  });
});
