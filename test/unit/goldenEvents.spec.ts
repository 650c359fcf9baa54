import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeEvent } from '../../cli/history/describeEvent.ts';
import { accessFold } from '../../domain/access/index.ts';
import { deviceFold } from '../../domain/device/index.ts';
import type { EventEnvelope } from '../../domain/envelope.ts';
import type { StreamFold } from '../../domain/eventStore.ts';
import { keysFold } from '../../domain/keys/index.ts';
import { libraryFold, libraryUploadFold } from '../../domain/library/index.ts';
import { sessionFold } from '../../domain/session/index.ts';
import { settingsFold } from '../../domain/settings/index.ts';
import { slotsFold } from '../../domain/slots/index.ts';
import { deviceView, jobView, sessionView, type View } from '../../domain/views/index.ts';
import { hashOf } from '../../evidence/hashChain.ts';
import type { Envelope } from '../../sdk/index.ts';

/**
 * One event of each type as it was stored once. These files are never edited: an event that changed since is a new file
 * beside its elder, and both must decode.
 */
const folder = join(import.meta.dirname, '..', 'golden', 'events');
const golden = new Map(
  readdirSync(folder).map((file) => [
    file.replace(/\.json$/, ''),
    JSON.parse(readFileSync(join(folder, file), 'utf8')) as EventEnvelope,
  ]),
);
const named = (type: string): EventEnvelope => {
  const envelope = golden.get(type);
  if (envelope === undefined) throw new Error(`test/golden/events/${type}.json is missing.`);
  return envelope;
};

const domain = join(import.meta.dirname, '..', '..', 'domain');
/** Every name of an event that the sources declare. */
const declared = ['session', 'slots', 'device', 'settings', 'access', 'keys', 'library']
  .map((name) => join(domain, name))
  .flatMap((path) =>
    readdirSync(path)
      .filter((file) => file === 'events.ts' || (file === 'index.ts' && /access|keys/.test(path)))
      .map((file) => readFileSync(join(path, file), 'utf8')),
  )
  .flatMap((source) => [...source.matchAll(/readonly type: '(\w+)'/g)].map(([, type = '']) => type));

const folds = {
  session: sessionFold,
  slots: slotsFold,
  device: deviceFold,
  settings: settingsFold,
  access: accessFold,
  keys: keysFold,
  library: libraryFold,
  libraryUpload: libraryUploadFold,
} as unknown as Readonly<Record<string, StreamFold<unknown>>>;
/** What must have happened in the stream before, for an event to say something. */
const before: Readonly<Record<string, readonly string[]>> = {
  session: ['SessionRequested', 'SessionConnected', 'CommandIssued'],
  slots: ['SlotTaken'],
  device: ['DeviceEnrolled'],
  settings: ['EnrolmentTokenCreated', 'SignerTrusted'],
  library: ['LibraryFileAdded'],
  libraryUpload: ['LibraryUploadRequested', 'LibraryUploadSubmitted'],
};
const changedMembers = (before: unknown, after: unknown): readonly string[] => {
  const [old, now] = [before, after] as readonly Readonly<Record<string, unknown>>[];
  return Object.keys({ ...old, ...now }).filter(
    (name) => JSON.stringify(old?.[name]) !== JSON.stringify(now?.[name]),
  );
};
const viewsOf = (streamId: string): readonly View<unknown>[] =>
  ([sessionView, jobView, deviceView] as readonly View<unknown>[]).filter((view) => view.concerns(streamId));

it('is there for every event that can be stored', () => {
  expect(declared.length).toBeGreaterThan(30);
  const kept = new Set([...golden.values()].map(({ type }) => type));
  expect([...new Set(declared)].filter((type) => !kept.has(type))).toEqual([]);
});

describe.each([...golden])('%s', (_, envelope) => {
  const category = envelope.streamId.split('-')[0] ?? '';

  it('has the hash that it was stored with', () => {
    const { hash, ...unsealed } = envelope;
    expect(hashOf(unsealed)).toBe(hash);
  });

  it('is folded into the state of its stream', () => {
    const fold = folds[category];
    if (fold === undefined) throw new Error(`No fold for ${envelope.streamId}.`);
    const earlier = (before[category] ?? []).filter((type) => type !== envelope.type).map(named);
    const state = earlier.reduce((folded, event) => fold.evolve(folded, event), fold.initialState);
    const next = fold.evolve(state, envelope);
    expect(changedMembers(state, next)).toMatchSnapshot();
    // A member that an old event lacks must not come out as a hole in the head.
    expect(JSON.parse(JSON.stringify(next))).toStrictEqual(next);
  });
});

describe.each([...golden].filter(([, { streamId }]) => viewsOf(streamId).length > 0))('%s', (_, envelope) => {
  const category = envelope.streamId.split('-')[0] ?? '';

  it('is applied by every view that it concerns', () => {
    for (const view of viewsOf(envelope.streamId)) {
      const rows = new Map<string, unknown>();
      const apply = (event: EventEnvelope): readonly [before: unknown, after: unknown] => {
        const key = view.keyOf(event);
        if (key === undefined) return [undefined, undefined];
        const known = rows.get(key);
        rows.set(key, view.apply(known, event));
        return [known, rows.get(key)];
      };
      for (const type of before[category] ?? []) if (type !== envelope.type) apply(named(type));
      const [known, row] = apply(envelope);
      expect([view.name, ...changedMembers(known, row)]).toMatchSnapshot();
      if (row !== undefined) expect(view.sortKey(row)).not.toContain('undefined');
    }
  });
});

it('is described in words that people can read, for all that a session stores', () => {
  const described = [...golden.values()]
    .filter(({ streamId }) => streamId.startsWith('session-'))
    .map((envelope) => `${envelope.type}: ${describeEvent(envelope as unknown as Envelope)}`);
  expect(described.join('\n')).not.toMatch(/undefined|\[object/);
  expect(described).toMatchSnapshot();
});
