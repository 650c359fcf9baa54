import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { receiveOne, root, sasToken, startTestBroker, type TestBroker } from './support.ts';

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker();
});
afterAll(() => broker.close());

const settings = {
  lockDuration: 'PT30S',
  maxSizeInMegabytes: 2048,
  requiresDuplicateDetection: true,
  requiresSession: true,
  defaultMessageTimeToLive: 'PT2M',
  deadLetteringOnMessageExpiration: true,
  duplicateDetectionHistoryTimeWindow: 'PT1H',
  maxDeliveryCount: 100,
  userMetadata: 'a <b> & "c"',
};

describe('administration', () => {
  it('creates a queue with its settings and gives them back', async () => {
    const created = await broker.admin().createQueue('full', settings);
    expect(created).toMatchObject({
      name: 'full',
      lockDuration: 'PT30S',
      maxSizeInMegabytes: 2048,
      requiresDuplicateDetection: true,
      requiresSession: true,
      defaultMessageTimeToLive: 'PT120S',
      deadLetteringOnMessageExpiration: true,
      duplicateDetectionHistoryTimeWindow: 'PT3600S',
      maxDeliveryCount: 100,
      userMetadata: 'a <b> & "c"',
      status: 'Active',
    });
    expect(await broker.admin().getQueue('FULL')).toMatchObject({ name: 'full', lockDuration: 'PT30S' });
  });

  it('uses the defaults of the service', async () => {
    expect(await broker.admin().createQueue('plain')).toMatchObject({
      lockDuration: 'PT60S',
      maxDeliveryCount: 10,
      requiresSession: false,
      requiresDuplicateDetection: false,
      deadLetteringOnMessageExpiration: false,
      defaultMessageTimeToLive: 'P10675199DT2H48M5.4775807S',
    });
  });

  it('refuses a name that is taken, and knows what is missing', async () => {
    await broker.admin().createQueue('taken');
    await expect(broker.admin().createQueue('taken')).rejects.toMatchObject({
      statusCode: 409,
      code: 'MessageEntityAlreadyExistsError',
    });
    expect(await broker.admin().queueExists('taken')).toBe(true);
    expect(await broker.admin().queueExists('missing')).toBe(false);
    await expect(broker.admin().getQueue('missing')).rejects.toMatchObject({ statusCode: 404 });
    await expect(broker.admin().deleteQueue('missing')).rejects.toMatchObject({ statusCode: 404 });
  });

  it('deletes a queue with its messages', async () => {
    const admin = broker.admin();
    await admin.createQueue('temporary');
    await broker.client().createSender('temporary').sendMessages({ body: 'old' });
    await admin.deleteQueue('temporary');
    await admin.createQueue('temporary');
    const receiver = broker.client().createReceiver('temporary');
    expect(await receiver.peekMessages(1)).toEqual([]);
    await broker.client().createSender('temporary').sendMessages({ body: 'new' });
    expect((await receiveOne(receiver)).body).toBe('new');
  });

  it('updates what may change and refuses the rest', async () => {
    const admin = broker.admin();
    const created = await admin.createQueue('changing');
    await admin.updateQueue({ ...created, maxDeliveryCount: 1, lockDuration: 'PT5S' });
    expect(await admin.getQueue('changing')).toMatchObject({ maxDeliveryCount: 1, lockDuration: 'PT5S' });
    await expect(admin.updateQueue({ ...created, requiresSession: true })).rejects.toThrow(/RequiresSession/);
    const client = broker.client();
    await client.createSender('changing').sendMessages({ body: 1 });
    const receiver = client.createReceiver('changing');
    await receiver.abandonMessage(await receiveOne(receiver));
    expect(await receiver.peekMessages(1)).toEqual([]);
    await expect(admin.updateQueue({ ...created, name: 'missing' })).rejects.toMatchObject({
      statusCode: 404,
    });
  });

  it('counts messages', async () => {
    const queue = await broker.queue();
    const client = broker.client();
    await client.createSender(queue).sendMessages([1, 2, 3].map((body) => ({ body })));
    const receiver = client.createReceiver(queue);
    await receiver.deadLetterMessage(await receiveOne(receiver));
    const counts = await broker.admin().getQueueRuntimeProperties(queue);
    expect(counts).toMatchObject({
      activeMessageCount: 2,
      deadLetterMessageCount: 1,
      scheduledMessageCount: 0,
      totalMessageCount: 3,
    });
    expect(counts.sizeInBytes).toBeGreaterThan(0);
    expect(counts.createdAt.getTime()).toBeGreaterThan(Date.now() - 60_000);
  });

  it('stores authorization rules', async () => {
    const rule = {
      claimType: 'SharedAccessKey',
      keyName: 'reader',
      primaryKey: 'key-1',
      secondaryKey: 'key-2',
      accessRights: ['Listen' as const],
    };
    await broker.admin().createQueue('ruled', { authorizationRules: [rule] });
    const { authorizationRules } = await broker.admin().getQueue('ruled');
    expect(authorizationRules).toMatchObject([
      { keyName: 'reader', primaryKey: 'key-1', secondaryKey: 'key-2', accessRights: ['Listen'] },
    ]);
  });

  it.each([
    ['a lock of ten minutes', { lockDuration: 'PT10M' }, /LockDuration/],
    ['a delivery count of zero', { maxDeliveryCount: 0 }, /MaxDeliveryCount/],
    ['a window of a month', { duplicateDetectionHistoryTimeWindow: 'P30D' }, /DuplicateDetection/],
    ['a duration that is none', { lockDuration: 'soon' }, /ISO 8601/],
  ])('refuses %s', async (_, options, text) => {
    await expect(broker.admin().createQueue('never', options)).rejects.toThrow(text);
    expect(await broker.admin().queueExists('never')).toBe(false);
  });

  it.each([
    ['partitions', { enablePartitioning: true }],
    ['larger messages', { maxMessageSizeInKilobytes: 2048 }],
  ])('refuses %s, which it does not imitate', async (_, options) => {
    await expect(broker.admin().createQueue('never', options)).rejects.toMatchObject({ statusCode: 501 });
  });

  it('creates, updates and deletes topics and subscriptions', async () => {
    const admin = broker.admin();
    const topic = await admin.createTopic('area/topic', {
      defaultMessageTimeToLive: 'PT1H',
      userMetadata: 'm',
      autoDeleteOnIdle: 'PT10M',
    });
    expect(topic).toMatchObject({
      name: 'area/topic',
      defaultMessageTimeToLive: 'PT3600S',
      status: 'Active',
    });
    expect(await admin.updateTopic({ ...topic, userMetadata: 'n' })).toMatchObject({ userMetadata: 'n' });
    const wanted = { lockDuration: 'PT20S', maxDeliveryCount: 3, requiresSession: true };
    const subscription = await admin.createSubscription('area/topic', 'Sub', wanted);
    expect(subscription).toMatchObject({ ...wanted, topicName: 'area/topic', subscriptionName: 'Sub' });
    await admin.updateSubscription({ ...subscription, maxDeliveryCount: 4 });
    expect(await admin.getSubscription('area/topic', 'sub')).toMatchObject({ maxDeliveryCount: 4 });
    await expect(admin.createSubscription('area/topic', 'SUB')).rejects.toMatchObject({ statusCode: 409 });
    await expect(admin.createSubscription('missing', 'sub')).rejects.toMatchObject({ statusCode: 404 });
    await expect(admin.createQueue('area/topic/subscriptions/x')).rejects.toThrow(
      /reads like a subscription/,
    );
    expect(await admin.getSubscriptionRuntimeProperties('area/topic', 'sub')).toMatchObject({
      totalMessageCount: 0,
    });
    await admin.deleteTopic('area/topic');
    expect(await admin.subscriptionExists('area/topic', 'Sub')).toBe(false);
    await admin.createTopic('area/topic');
    await admin.deleteTopic('area/topic');
  });

  it('lists in pages, by name', async () => {
    const admin = broker.admin();
    for (const name of ['list-b', 'list-a', 'list-c']) {
      await admin.createTopic(name);
      await admin.createQueue(`q${name}`);
    }
    await admin.createSubscription('list-a', 'two');
    await admin.createSubscription('list-a', 'one');
    const pages: string[][] = [];
    for await (const page of admin.listTopics().byPage({ maxPageSize: 2 })) {
      pages.push(page.map(({ name }) => name));
    }
    expect(pages).toEqual([['list-a', 'list-b'], ['list-c']]);
    const queues: string[] = [];
    for await (const { name } of admin.listQueues()) queues.push(name);
    expect(queues).toEqual(expect.arrayContaining(['qlist-a', 'qlist-b', 'qlist-c']));
    expect(queues).not.toContain('list-a');
    const runtime: unknown[] = [];
    for await (const { name, totalMessageCount } of admin.listQueuesRuntimeProperties()) {
      if (name.startsWith('qlist')) runtime.push([name, totalMessageCount]);
    }
    expect(runtime).toEqual([
      ['qlist-a', 0],
      ['qlist-b', 0],
      ['qlist-c', 0],
    ]);
    const subscriptions: string[] = [];
    for await (const { subscriptionName } of admin.listSubscriptions('list-a')) {
      subscriptions.push(subscriptionName);
    }
    expect(subscriptions).toEqual(['one', 'two']);
    await expect(admin.listSubscriptions('missing').next()).rejects.toMatchObject({ statusCode: 404 });
  });

  it('describes its namespace', async () => {
    expect(await broker.admin().getNamespaceProperties()).toMatchObject({
      name: 'main',
      messagingSku: 'Standard',
    });
  });

  it('disables an entity, one way or both', async () => {
    const admin = broker.admin();
    const queue = await broker.queue();
    const entity = await admin.getQueue(queue);
    await admin.updateQueue({ ...entity, status: 'SendDisabled' });
    const sender = broker.client().createSender(queue);
    await expect(sender.sendMessages({ body: 1 })).rejects.toMatchObject({ code: 'MessagingEntityDisabled' });
    await admin.updateQueue({ ...entity, status: 'ReceiveDisabled' });
    await sender.sendMessages({ body: 1 });
    const receiver = broker.client().createReceiver(queue);
    await expect(receiver.receiveMessages(1)).rejects.toMatchObject({ code: 'MessagingEntityDisabled' });
    await admin.updateQueue({ ...entity, status: 'Active' });
    expect((await receiveOne(broker.client().createReceiver(queue))).body).toBe(1);
  });

  it('answers requests without a token with 401 and a text', async () => {
    const [port] = broker.host.split(':').slice(1);
    const ask = (headers: Record<string, string>) =>
      new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
        request({ host: 'localhost', port, path: '/plain', agent: false, headers }, (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            body += chunk;
          });
          response.on('end', () => resolve({ status: response.statusCode, body }));
        })
          .on('error', reject)
          .end();
      });
    const refused = await ask({});
    expect(refused.status).toBe(401);
    expect(refused.body).toMatch(/<Error><Code>401<\/Code><Detail>.+<\/Detail><\/Error>/);
    const narrow = sasToken(`https://${broker.host}/plai`, root);
    expect((await ask({ authorization: narrow })).status).toBe(401);
    const fitting = sasToken(`https://${broker.host}/plain`, root);
    expect((await ask({ authorization: fitting })).status).toBe(200);
  });
});
