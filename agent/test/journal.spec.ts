import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { PresenceMessageContent, UpwardMessage } from '../../contracts/device.ts';
import { isSignedBy } from '../../evidence/deviceSignature.ts';
import { Journal } from '../journal/journal.ts';
import { Reporter } from '../journal/report.ts';
import { temporaryFolders } from './support/temporary.ts';

const folder = temporaryFolders();
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const identity = { tenantId: 't', deviceId: 'd', kid: 'k', privateKey };
const command = (commandId: string) => ({
  commandId,
  sessionId: 's',
  epoch: 1,
  commandHash: 'hash',
  receivedAt: '2026-01-01T00:00:00.000Z',
  startUntil: '2026-01-01T00:02:00.000Z',
});
const executor = { pid: 1, startTime: '2', bootId: 'b', marker: 'm' };

const spooled = (journal: Journal, scope: string): UpwardMessage[] => {
  const messages: UpwardMessage[] = [];
  for (let next = journal.oldestSpooled(scope); next !== undefined; next = journal.oldestSpooled(scope)) {
    messages.push(JSON.parse(next.message) as UpwardMessage);
    journal.removeSpooled(next.position);
  }
  return messages;
};

describe('journal', () => {
  it('numbers messages per session, goes on over restarts, and names the run before', async () => {
    const path = await folder();
    const seen: unknown[] = [];
    for (const run of ['one', 'two', 'three']) {
      const journal = new Journal(path);
      journal.beginRun(run, '');
      const reporter = new Reporter(journal, identity, () => undefined);
      const say = (scope: string) =>
        reporter.report(scope, { kind: 'session.refused', body: { code: 'X', message: '' } });
      say('a');
      if (run !== 'two') say('b');
      say('a');
      seen.push(
        ...[...spooled(journal, 'a'), ...spooled(journal, 'b')].map(
          ({ sessionId, run: by, sequence, previousRun, previousLast }) =>
            `${sessionId} ${by} ${sequence} ${previousRun} ${previousLast}`,
        ),
      );
      journal.close();
    }
    expect(seen).toEqual([
      'a one 1 null 0',
      'a one 2 null 0',
      'b one 1 null 0',
      'a two 3 one 2',
      'a two 4 one 2',
      'a three 5 two 4',
      'a three 6 two 4',
      'b three 2 one 1',
    ]);
  });

  it('numbers presence apart from sessions and signs everything', async () => {
    const journal = new Journal(await folder());
    journal.beginRun('one', '');
    const reporter = new Reporter(journal, identity, () => undefined);
    const alive: PresenceMessageContent = { kind: 'session.alive', body: { openCommands: [] } };
    reporter.report('a', { kind: 'session.refused', body: { code: 'X', message: '' } });
    expect([reporter.presence('a', alive).sequence, reporter.presence(null, alive).sequence]).toEqual([1, 2]);
    const { x } = publicKey.export({ format: 'jwk' });
    const message = reporter.presence(null, alive);
    const key = { kty: 'OKP', crv: 'Ed25519', x: x ?? '' } as const;
    expect(isSignedBy(message, key)).toBe(true);
    expect(isSignedBy({ ...message, sequence: 9 }, key)).toBe(false);
    journal.close();
  });

  it('spools nothing and takes no number when the change it reports did not happen', async () => {
    const journal = new Journal(await folder());
    journal.beginRun('one', '');
    let woken = 0;
    const reporter = new Reporter(journal, identity, () => {
      woken += 1;
    });
    journal.receiveCommand(command('c'), 'received', null);
    const end = () =>
      reporter.report('s', { kind: 'session.refused', body: { code: 'END', message: '' } }, () =>
        journal.markEnded('c', 'Completed'),
      );
    expect([end(), end(), end()]).toEqual([true, false, false]);
    expect(() =>
      reporter.report('s', { kind: 'session.refused', body: { code: 'END', message: '' } }, () => {
        journal.setSessionState('s', 'nonsense' as 'open');
        throw new Error('broken');
      }),
    ).toThrow();
    journal.receiveCommand(command('half'), 'received', null);
    expect(() =>
      journal.atomically(() => {
        journal.markEnded('half', 'Completed');
        throw new Error('broken');
      }),
    ).toThrow('broken');
    expect(journal.command('half')?.state).toBe('received');
    expect(spooled(journal, 's').map(({ sequence }) => sequence)).toEqual([1]);
    expect(woken).toBe(1);
    expect(journal.nextSequence('s').sequence).toBe(2);
    journal.close();
  });

  it('knows a command by its id for ever, and which of them must not run again', async () => {
    const path = await folder();
    const journal = new Journal(path);
    const body = { line: 'dir' } as never;
    const request = { body, tickets: { output: 'secret-ticket' } };
    expect(journal.receiveCommand(command('c'), 'received', request)).toBe(true);
    expect(journal.receiveCommand(command('c'), 'received', request)).toBe(false);
    expect(journal.receiveCommand(command('early'), 'cancelled-before', null)).toBe(true);
    expect(journal.receiveCommand(command('early'), 'received', request)).toBe(false);
    expect(journal.command('early')?.state).toBe('cancelled-before');
    expect(journal.command('c')).toMatchObject({ state: 'received', request, executor: null });
    journal.markSpawned('c', executor);
    journal.close();

    const reopened = new Journal(path);
    expect(reopened.command('c')).toMatchObject({ state: 'spawned', request: null, executor });
    expect(reopened.openCommands().map(({ commandId }) => commandId)).toEqual(['c']);
    expect([reopened.markEnded('c', 'Lost'), reopened.markEnded('c', 'Completed')]).toEqual([true, false]);
    reopened.close();
    const raw = new DatabaseSync(join(path, 'journal.db'));
    expect(JSON.stringify(raw.prepare('SELECT * FROM commands').all())).not.toContain('secret-ticket');
    raw.close();
  });

  it('remembers the newest epoch when its session is long forgotten', async () => {
    const journal = new Journal(await folder());
    journal.acceptSession('old', 7, '/', '2020-01-01T00:00:00.000Z');
    journal.acceptSession('stale', 3, '/', '2020-01-01T00:00:00.000Z');
    journal.setSessionState('old', 'closed');
    journal.receiveCommand({ ...command('c'), sessionId: 'old' }, 'received', null);
    journal.nextSequence('old');
    journal.forget('2021-01-01T00:00:00.000Z');
    expect(journal.session('old')).toBeUndefined();
    expect(journal.command('c')).toBeUndefined();
    expect(journal.session('stale')).toBeDefined();
    expect(journal.newestEpoch).toBe(7);
    journal.close();
  });

  it('does not forget a session that still has something to say', async () => {
    const journal = new Journal(await folder());
    journal.acceptSession('old', 1, '/', '2020-01-01T00:00:00.000Z');
    journal.setSessionState('old', 'closed');
    journal.spool('old', 'm', '{}');
    journal.forget('2021-01-01T00:00:00.000Z');
    expect(journal.session('old')).toBeDefined();
    journal.close();
  });

  it('is readable for nobody else', async () => {
    const path = await folder();
    new Journal(path).close();
    expect(statSync(join(path, 'journal.db')).mode & 0o777).toBe(0o600);
  });

  it('refuses a file of a version that it does not know', async () => {
    const path = await folder();
    new Journal(path).close();
    const raw = new DatabaseSync(join(path, 'journal.db'));
    raw.exec('PRAGMA user_version = 99');
    raw.close();
    expect(() => new Journal(path)).toThrow(/format 99/);
  });

  it('keeps ends and their messages together when it is killed at any moment', async () => {
    const path = await folder();
    const writer = fileURLToPath(new URL('support/journalWriter.ts', import.meta.url));
    let confirmed = 0;
    for (let round = 0; round < 3; round += 1) {
      const child = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] });
      const gone = once(child, 'exit');
      const lines = createInterface(child.stdout);
      const read = once(lines, 'close');
      let here = 0;
      lines.on('line', () => {
        here += 1;
        if (here === 20 + round * 7) child.kill('SIGKILL');
      });
      await Promise.all([gone, read]);
      confirmed += here;
    }
    const raw = new DatabaseSync(join(path, 'journal.db'));
    const [ended] = raw.prepare("SELECT count(*) AS n FROM commands WHERE state = 'ended'").all();
    raw.close();
    const journal = new Journal(path);
    const messages = spooled(journal, 's');
    journal.close();
    expect(Number(ended?.['n'])).toBe(messages.length);
    expect(messages.length).toBeGreaterThanOrEqual(confirmed);
    expect(messages.map(({ sequence }) => sequence)).toEqual(messages.map((_, index) => index + 1));
  });
});
