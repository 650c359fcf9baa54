import { randomUUID } from 'node:crypto';
import type {
  CreateSubscriptionOptions,
  RuleProperties,
  ServiceBusReceivedMessage,
  ServiceBusRuleManager,
} from '@azure/service-bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { receiveOne, startTestBroker, type TestBroker } from './support.ts';

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker();
});
afterAll(() => broker.close());

async function topicWith(
  subscriptions: Readonly<Record<string, CreateSubscriptionOptions>>,
): Promise<{ topic: string; bodies: (subscription: string) => Promise<unknown[]> }> {
  const topic = `t-${randomUUID()}`;
  await broker.admin().createTopic(topic);
  for (const [name, options] of Object.entries(subscriptions)) {
    await broker.admin().createSubscription(topic, name, options);
  }
  const bodies = async (subscription: string) => {
    const messages = await broker.client().createReceiver(topic, subscription).peekMessages(50);
    return messages.map(({ body }) => body as unknown);
  };
  return { topic, bodies };
}

const sqlRule = (sqlExpression: string) => ({
  defaultRuleOptions: { name: 'only', filter: { sqlExpression } },
});

describe('a topic', () => {
  it('gives every subscription its own copy', async () => {
    const { topic, bodies } = await topicWith({ a: {}, B: {} });
    await broker
      .client()
      .createSender(topic)
      .sendMessages([
        { body: 1, messageId: 'm' },
        { body: 2, timeToLive: 60_000 },
      ]);
    const receiver = broker.client().createReceiver(topic, 'a');
    const first = await receiveOne(receiver);
    expect(first).toMatchObject({ body: 1, messageId: 'm', deliveryCount: 0 });
    expect(first.enqueuedSequenceNumber).toBe(1);
    await receiver.completeMessage(first);
    expect(await bodies('A')).toEqual([2]);
    expect(await bodies('b')).toEqual([1, 2]);
  });

  it('filters with correlation filters, in all their fields', async () => {
    const filter = {
      subject: 'alarm',
      correlationId: 'c',
      applicationProperties: { level: 3, urgent: true },
    };
    const { topic, bodies } = await topicWith({ some: { defaultRuleOptions: { name: 'one', filter } } });
    const fitting = {
      subject: 'alarm',
      correlationId: 'c',
      applicationProperties: { level: 3, urgent: true, other: 1 },
    };
    await broker
      .client()
      .createSender(topic)
      .sendMessages([
        { ...fitting, body: 'fits' },
        { ...fitting, subject: 'ALARM', body: 'other case' },
        { ...fitting, applicationProperties: { level: '3', urgent: true }, body: 'other type' },
        { ...fitting, applicationProperties: { level: 3 }, body: 'too little' },
      ]);
    expect(await bodies('some')).toEqual(['fits']);
  });

  it('runs actions: one copy for each rule that has one, one for all the others', async () => {
    const { topic } = await topicWith({ changed: {} });
    const rules = broker.client().createRuleManager(topic, 'changed');
    await rules.createRule(
      'raise',
      { sqlExpression: "kind = 'order'" },
      {
        sqlExpression:
          "SET level = level * 2 + 1; SET sys.Label = 'raised ' + user.kind; REMOVE secret; SET sys.To = 'x'",
      },
    );
    await rules.createRule('second-plain', { sqlExpression: '1=1' });
    await broker
      .client()
      .createSender(topic)
      .sendMessages({
        body: 'b',
        applicationProperties: { kind: 'order', level: 4, secret: 's', kept: true },
      });
    const receiver = broker.client().createReceiver(topic, 'changed');
    const copies = [await receiveOne(receiver), await receiveOne(receiver)];
    expect(copies.map(({ subject }) => subject)).toEqual([undefined, 'raised order']);
    expect(copies[1]).toMatchObject({ body: 'b', to: 'x' });
    expect(copies[1]?.applicationProperties).toEqual({ kind: 'order', level: 9, kept: true });
    expect(await receiver.receiveMessages(1, { maxWaitTimeInMs: 100 })).toEqual([]);
  });

  it('dead-letters what a rule fails on, or drops it', async () => {
    const { topic } = await topicWith({
      strict: { ...sqlRule('a / b > 1'), deadLetteringOnFilterEvaluationExceptions: true },
      easy: { ...sqlRule('a / b > 1'), deadLetteringOnFilterEvaluationExceptions: false },
    });
    await broker
      .client()
      .createSender(topic)
      .sendMessages({ body: 1, applicationProperties: { a: 1, b: 0 } });
    const dead = (subscription: string) =>
      broker.client().createReceiver(topic, subscription, { subQueueType: 'deadLetter' }).peekMessages(1);
    expect(await dead('strict')).toMatchObject([{ deadLetterReason: 'FilterEvaluationException' }]);
    expect(await dead('easy')).toEqual([]);
  });

  it('takes sessions, scheduled messages, duplicate detection and dead letters', async () => {
    const topic = `t-${randomUUID()}`;
    await broker.admin().createTopic(topic, { requiresDuplicateDetection: true });
    await broker.admin().createSubscription(topic, 's', { requiresSession: true });
    const sender = broker.client().createSender(topic);
    await sender.sendMessages([1, 2].map((body) => ({ body, messageId: 'same', sessionId: 'x' })));
    const due = new Date(Date.now() + 400);
    const [number] = await sender.scheduleMessages({ body: 'later', sessionId: 'x' }, due);
    expect(number).toBeDefined();
    expect(await broker.admin().getTopicRuntimeProperties(topic)).toMatchObject({
      scheduledMessageCount: 1,
      subscriptionCount: 1,
    });
    const receiver = await broker.client().acceptSession(topic, 's', 'x');
    const [first, second] = [await receiveOne(receiver), await receiveOne(receiver)];
    expect([first.body, second.body]).toEqual([1, 'later']);
    expect(Date.now()).toBeGreaterThanOrEqual(due.getTime());
    await receiver.deadLetterMessage(first);
    const dead = broker.client().createReceiver(topic, 's', { subQueueType: 'deadLetter' });
    expect(await dead.peekMessages(1)).toMatchObject([{ deadLetterSource: `${topic}/Subscriptions/s` }]);
  });

  it('refuses to receive from a topic and to send to a subscription', async () => {
    const { topic } = await topicWith({ s: {} });
    await expect(broker.client().createReceiver(topic).receiveMessages(1)).rejects.toThrow(/subscription/);
    const sender = broker.client().createSender(`${topic}/Subscriptions/s`);
    await expect(sender.sendMessages({ body: 1 })).rejects.toThrow(/Send to its topic/);
    await expect(broker.client().createReceiver(topic, 'missing').receiveMessages(1)).rejects.toMatchObject({
      code: 'MessagingEntityNotFound',
    });
  });
});

describe('SQL filters', () => {
  const message = {
    body: 'x',
    subject: 'S',
    messageId: 'id-1',
    applicationProperties: {
      number: 5,
      half: 0.5,
      text: "it's 100% a_b",
      flag: true,
      'with.dot': 1,
      'with space': 2,
    },
  };
  const yes = [
    'number = 5',
    'number <> 4 AND number != 4',
    'number > 4 AND number >= 5 AND number < 6 AND number <= 5',
    'number + 1 = 6 AND number - 1 = 4 AND number * 2 = 10 AND number / 2 = 2.5 AND number % 2 = 1',
    '-number = -5 and (number = 4 or number = 5)',
    "text = 'it''s 100% a_b'",
    "text LIKE 'it%' AND text LIKE '%100^% a^_b' ESCAPE '^' AND text NOT LIKE 'xx%' AND text LIKE 'it_s%'",
    "number IN (4, 5) AND number NOT IN (6) AND text NOT IN ('a', 'b')",
    'flag AND flag = TRUE AND NOT (flag = FALSE)',
    'EXISTS(number) AND NOT EXISTS(missing) AND missing IS NULL AND number IS NOT NULL',
    "sys.Label = 'S' AND sys.MessageId = 'id-1' AND sys.subject = 'S'",
    'user.number = 5 AND with.dot = 1 AND [with space] = 2 AND "with space" = 2',
    'missing = 1 OR number = 5',
    "p('with space') = 2",
    'half = .5 AND half = 5e-1',
    '1=1',
  ];
  const no = [
    'number = 6',
    'missing = 1',
    'NOT (missing = 1)',
    'missing <> 1',
    "number = '5'",
    'missing = 1 AND number = 5',
    'missing IN (1)',
    'missing NOT IN (1)',
    "text LIKE 'IT%'",
    '1=0',
  ];

  it('decide as the language says, unknown being no', async () => {
    const subscriptions = Object.fromEntries(
      [...yes, ...no].map((expression, index) => [`s${index}`, sqlRule(expression)]),
    );
    const { topic } = await topicWith(subscriptions);
    await broker.client().createSender(topic).sendMessages(message);
    const counts: Record<string, number> = {};
    for await (const found of broker.admin().listSubscriptionsRuntimeProperties(topic)) {
      counts[found.subscriptionName] = found.activeMessageCount;
    }
    for (const [index, expression] of [...yes, ...no].entries()) {
      expect([expression, counts[`s${index}`]]).toEqual([expression, index < yes.length ? 1 : 0]);
    }
  });

  it('take parameters', async () => {
    const filter = {
      sqlExpression: 'number = @wanted AND text = @text',
      sqlParameters: { '@wanted': 5, '@text': 'a' },
    };
    const { topic, bodies } = await topicWith({ s: { defaultRuleOptions: { name: 'r', filter } } });
    await broker
      .client()
      .createSender(topic)
      .sendMessages([
        { body: 'fits', applicationProperties: { number: 5, text: 'a' } },
        { body: 'not', applicationProperties: { number: 4, text: 'a' } },
      ]);
    expect(await bodies('s')).toEqual(['fits']);
  });

  it.each([
    ['number =', /needs a value/],
    ['number = 5)', /needs the end/],
    ['sys.Nothing = 1', /no system property/],
    ["text LIKE 'open", /cannot be read/],
    ['number NOT 5', /needs IN or LIKE/],
    ['a = @missing', /@missing has no value/],
  ])('are refused when they make no sense: %s', async (expression, text) => {
    const { topic } = await topicWith({});
    await expect(broker.admin().createSubscription(topic, 's', sqlRule(expression))).rejects.toThrow(text);
    expect(await broker.admin().subscriptionExists(topic, 's')).toBe(false);
  });
});

describe('rules', () => {
  it('are managed by a receiver', async () => {
    const { topic, bodies } = await topicWith({ s: {} });
    const rules: ServiceBusRuleManager = broker.client().createRuleManager(topic, 's');
    const filter = { correlationId: 'c', subject: 'S', applicationProperties: { n: 1, t: 'x' } };
    await rules.createRule('correlated', filter);
    await rules.createRule('sql', { sqlExpression: 'n > 1' }, { sqlExpression: 'SET m = 1' });
    await expect(rules.createRule('sql', { sqlExpression: 'n > 2' })).rejects.toThrow(/already exists/);
    await rules.deleteRule('$Default');
    await expect(rules.deleteRule('$Default')).rejects.toMatchObject({ code: 'MessagingEntityNotFound' });
    const listed: RuleProperties[] = [];
    for await (const rule of rules.listRules()) listed.push(rule);
    expect(listed).toMatchObject([
      { name: 'correlated', filter },
      { name: 'sql', filter: { sqlExpression: 'n > 1' }, action: { sqlExpression: 'SET m = 1' } },
    ]);
    await broker
      .client()
      .createSender(topic)
      .sendMessages([
        { body: 'no', applicationProperties: { n: 1 } },
        { body: 'correlated', correlationId: 'c', subject: 'S', applicationProperties: { n: 1, t: 'x' } },
        { body: 'sql', applicationProperties: { n: 2 } },
      ]);
    expect(await bodies('s')).toEqual(['correlated', 'sql']);
  });

  it('are managed by administration', async () => {
    const admin = broker.admin();
    const { topic } = await topicWith({ s: {} });
    const when = new Date('2026-01-02T03:04:05.000Z');
    const filter = { to: 'here', applicationProperties: { n: 1.5, t: 'x', f: true, when } };
    expect(await admin.createRule(topic, 's', 'one', filter)).toMatchObject({ name: 'one', filter });
    const rule = await admin.createRule(topic, 's', 'two', { sqlExpression: 'a=1' });
    rule.action = { sqlExpression: 'REMOVE a' };
    await admin.updateRule(topic, 's', rule);
    expect(await admin.getRule(topic, 's', 'TWO')).toMatchObject({
      name: 'two',
      filter: { sqlExpression: 'a=1' },
      action: { sqlExpression: 'REMOVE a' },
    });
    const names: string[] = [];
    for await (const { name } of admin.listRules(topic, 's')) names.push(name);
    expect(names).toEqual(['$Default', 'one', 'two']);
    await admin.deleteRule(topic, 's', 'one');
    expect(await admin.ruleExists(topic, 's', 'one')).toBe(false);
    await expect(admin.deleteRule(topic, 's', 'one')).rejects.toMatchObject({ statusCode: 404 });
    await expect(
      admin.createRule(topic, 's', 'bad', { sqlExpression: 'a=1' }, { sqlExpression: 'DROP a' }),
    ).rejects.toThrow(/SET or REMOVE/);
  });
});

describe('forwarding', () => {
  const reasons = (messages: readonly ServiceBusReceivedMessage[]) =>
    messages.map(({ deadLetterReason }) => deadLetterReason);

  it('passes messages on, from a subscription through a queue', async () => {
    const admin = broker.admin();
    const last = await broker.queue();
    const middle = `q-${randomUUID()}`;
    await admin.createQueue(middle, { forwardTo: last });
    const { topic } = await topicWith({ s: { forwardTo: middle } });
    await broker.client().createSender(topic).sendMessages({ body: 1 });
    const received = await receiveOne(broker.client().createReceiver(last));
    expect(received).toMatchObject({ body: 1, enqueuedSequenceNumber: 1 });
    await expect(broker.client().createReceiver(middle).receiveMessages(1)).rejects.toThrow(
      /auto-forwarding/,
    );
    expect((await admin.getQueue(middle)).forwardTo).toBe(`sb://${broker.host}/${last}`);
  });

  it('passes dead letters on, with their reason', async () => {
    const target = await broker.queue();
    const source = `q-${randomUUID()}`;
    await broker.admin().createQueue(source, { forwardDeadLetteredMessagesTo: target, maxDeliveryCount: 1 });
    const receiver = broker.client().createReceiver(source);
    await broker.client().createSender(source).sendMessages({ body: 1 });
    await receiver.abandonMessage(await receiveOne(receiver));
    expect(await receiveOne(broker.client().createReceiver(target))).toMatchObject({
      body: 1,
      deadLetterReason: 'MaxDeliveryCountExceeded',
      deadLetterSource: source,
    });
  });

  it('begins and ends with an update, for waiting messages, too', async () => {
    const admin = broker.admin();
    const [source, target] = [await broker.queue(), await broker.queue()];
    const sender = broker.client().createSender(source);
    await sender.sendMessages({ body: 1 });
    const { forwardTo: _none, ...plain } = await admin.getQueue(source);
    await admin.updateQueue({ ...plain, forwardTo: target });
    expect((await receiveOne(broker.client().createReceiver(target))).body).toBe(1);
    await admin.updateQueue(plain);
    await broker.client().createSender(source).sendMessages({ body: 2 });
    expect((await receiveOne(broker.client().createReceiver(source))).body).toBe(2);
  });

  it('dead-letters what cannot be passed on', async () => {
    const admin = broker.admin();
    const sessions = await broker.queue({ requiresSession: true });
    const source = `q-${randomUUID()}`;
    await admin.createQueue(source, { forwardTo: sessions });
    const sender = broker.client().createSender(source);
    await sender.sendMessages({ body: 'no session' });
    await admin.deleteQueue(sessions);
    await sender.sendMessages({ body: 'nobody there' });
    const dead = broker.client().createReceiver(source, { subQueueType: 'deadLetter' });
    const found = [await receiveOne(dead), await receiveOne(dead)];
    expect(reasons(found)).toEqual(['amqp:not-allowed', 'amqp:not-found']);
  });

  it('ends after four hops', async () => {
    const admin = broker.admin();
    const [a, b] = [await broker.queue(), await broker.queue()];
    await admin.updateQueue({ ...(await admin.getQueue(a)), forwardTo: b });
    await admin.updateQueue({ ...(await admin.getQueue(b)), forwardTo: a });
    await broker.client().createSender(a).sendMessages({ body: 'round' });
    const dead = await receiveOne(broker.client().createReceiver(a, { subQueueType: 'deadLetter' }));
    expect(dead.deadLetterReason).toBe('MaxTransferHopCountExceeded');
  });

  it('refuses a target that is missing, the entity itself, and sessions', async () => {
    const admin = broker.admin();
    await expect(admin.createQueue('f', { forwardTo: 'missing' })).rejects.toThrow(/no queue and no topic/);
    await expect(admin.createQueue('f', { forwardTo: 'f' })).rejects.toThrow(/itself/);
    const target = await broker.queue();
    await expect(admin.createQueue('f', { forwardTo: target, requiresSession: true })).rejects.toThrow(
      /sessions/,
    );
  });
});
