import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Deadlines } from '../engine/deadlines.ts';
import { Namespace } from '../engine/namespace.ts';
import { defaultSettings } from '../engine/settings.ts';
import { Store } from '../store.ts';

const minute = 60_000;
let dir: string;
let store: Store;
let deadlines: Deadlines;
let namespace: Namespace;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'service-bus-idle-'));
  // The store commits with setImmediate, which stays real.
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
  store = new Store(join(dir, 'db'), 'NORMAL');
  deadlines = new Deadlines();
  let last = 0;
  namespace = new Namespace({ store, deadlines }, 'main', [], () => (last += 1));
});
afterEach(async () => {
  vi.useRealTimers();
  deadlines.stop();
  store.close();
  await rm(dir, { recursive: true, force: true });
});

it('deletes an entity that nobody has used for as long as its settings say', async () => {
  const settings = { ...defaultSettings, autoDeleteOnIdleMs: 5 * minute };
  const used = namespace.create('used', settings);
  const attached = namespace.create('attached', settings);
  namespace.create('idle', settings);
  namespace.create('kept', defaultSettings);
  attached.removalListeners.add(() => undefined);
  vi.advanceTimersByTime(4 * minute);
  used.accessedAt = Date.now();
  vi.advanceTimersByTime(2 * minute);
  const names = () => namespace.list('queue').map(({ identity }) => identity.path);
  expect(names()).toEqual(['attached', 'kept', 'used']);
  vi.advanceTimersByTime(4 * minute);
  expect(names()).toEqual(['attached', 'kept']);
  attached.removalListeners.clear();
  vi.advanceTimersByTime(11 * minute);
  expect(names()).toEqual(['kept']);
  await new Promise<void>((resolve) => store.afterCommit(resolve));
  expect(store.rows('SELECT path FROM queue')).toEqual([{ path: 'kept' }]);
});

it('deletes an idle subscription and leaves its topic', () => {
  const topic = namespace.create('topic', defaultSettings, 'topic');
  namespace.createSubscription('topic', 's', { ...defaultSettings, autoDeleteOnIdleMs: 5 * minute });
  vi.advanceTimersByTime(5 * minute);
  expect(namespace.list('topic')).toEqual([topic]);
  expect(namespace.subscriptionsOf('topic')).toEqual([]);
});

it('takes no less than five minutes', () => {
  expect(() => namespace.create('q', { ...defaultSettings, autoDeleteOnIdleMs: minute })).toThrow(
    /5 minutes/,
  );
});

it('takes no more subscriptions of a topic than the service', () => {
  namespace.create('topic', defaultSettings, 'topic');
  for (let number = 0; number < 2000; number += 1) {
    namespace.createSubscription('topic', `s${number}`, defaultSettings);
  }
  expect(() => namespace.createSubscription('topic', 'more', defaultSettings)).toThrow(/2000 subscriptions/);
});
