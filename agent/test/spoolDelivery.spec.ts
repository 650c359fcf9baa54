import { generateKeyPairSync } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { UpwardMessage } from '../../contracts/device.ts';
import { Journal } from '../journal/journal.ts';
import { Reporter } from '../journal/report.ts';
import type { Channel, UpwardQueue } from '../transport/channel.ts';
import { SpoolDelivery } from '../transport/spoolDelivery.ts';
import { temporaryFolders } from './support/temporary.ts';

const folder = temporaryFolders();

/** A broker in memory whose answers a test holds back, loses or lets through. */
class MemoryChannel implements Channel {
  readonly heartbeatEvery = 900;
  readonly accepted: UpwardMessage[] = [];
  readonly waiting: { readonly message: UpwardMessage; answer(isLost?: boolean): void }[] = [];
  #connected: (() => void)[] = [];
  #arrived: (() => void)[] = [];

  start(): void {}

  send(_queue: UpwardQueue, message: UpwardMessage): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({
        message,
        answer: (isLost = false) => {
          this.accepted.push(message);
          if (isLost) reject(new Error('no answer'));
          else resolve();
        },
      });
      for (const wake of this.#arrived.splice(0)) wake();
    });
  }

  onConnected(listener: () => void): void {
    this.#connected.push(listener);
  }

  reconnect(): void {
    for (const listener of this.#connected) listener();
  }

  async probe(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {}

  /** The next message that is being sent. */
  async next(): Promise<MemoryChannel['waiting'][number]> {
    for (;;) {
      const [first] = this.waiting.splice(0, 1);
      if (first !== undefined) return first;
      await new Promise<void>((resolve) => this.#arrived.push(resolve));
    }
  }
}

const open: { journal: Journal; delivery: SpoolDelivery }[] = [];
afterEach(() => {
  for (const { journal, delivery } of open.splice(0)) {
    delivery.close();
    journal.close();
  }
});

const start = async () => {
  const journal = new Journal(await folder());
  journal.beginRun('run', '');
  const channel = new MemoryChannel();
  const delivery = new SpoolDelivery(journal, channel, () => undefined);
  open.push({ journal, delivery });
  const { privateKey } = generateKeyPairSync('ed25519');
  const reporter = new Reporter(
    journal,
    { tenantId: 't', deviceId: 'd', kid: 'k', privateKey },
    (sessionId) => delivery.wake(sessionId),
  );
  const say = (sessionId: string, code: string) =>
    reporter.report(sessionId, { kind: 'session.refused', body: { code, message: '' } });
  return { journal, channel, delivery, say };
};

describe('delivery of the spool', () => {
  it('sends in order, one at a time in a session, sessions side by side', async () => {
    const { channel, say, journal } = await start();
    for (const code of ['1', '2', '3']) say('a', code);
    say('b', '1');
    const first = await channel.next();
    const other = await channel.next();
    expect([first.message.sessionId, other.message.sessionId]).toEqual(['a', 'b']);
    expect(channel.waiting).toEqual([]);
    first.answer();
    (await channel.next()).answer();
    (await channel.next()).answer();
    other.answer();
    expect(
      channel.accepted.filter(({ sessionId }) => sessionId === 'a').map(({ sequence }) => sequence),
    ).toEqual([1, 2, 3]);
    await expect.poll(() => journal.spooledCount()).toBe(0);
  });

  it('sends the same message again when it does not know what became of it', async () => {
    const { channel, say, journal } = await start();
    say('a', '1');
    say('a', '2');
    const first = await channel.next();
    first.answer(true);
    expect(journal.spooledCount()).toBe(2);
    channel.reconnect();
    const again = await channel.next();
    expect(again.message).toEqual(first.message);
    again.answer();
    expect((await channel.next()).message.sequence).toBe(2);
  });

  it('keeps what was not accepted over a restart', async () => {
    const { channel, say, journal, delivery } = await start();
    say('a', '1');
    const unanswered = await channel.next();
    delivery.close();
    unanswered.answer();
    await Promise.resolve();
    expect(journal.spooledCount()).toBe(1);
    const later = new MemoryChannel();
    const again = new SpoolDelivery(journal, later, () => undefined);
    later.reconnect();
    const sent = await later.next();
    expect(sent.message).toEqual(unanswered.message);
    sent.answer();
    await again.drain(5_000);
    expect(journal.spooledCount()).toBe(0);
    again.close();
  });
});
