import { describe, expect, it } from 'vitest';
import { contextWith } from './support/runCommand.ts';
import type { Row } from '../commands/command.ts';
import { trace } from '../commands/trace.ts';
import { followLog, logDetail, type LogLine, withoutSecrets } from '../log.ts';

const context = (parameters: Readonly<Record<string, string>>) => contextWith({ parameters });

/** What the worker tells its executor. */
const told = (message: unknown): void => void process.emit('message', message, undefined);
const line = (message: string) => ({
  type: 'trace-line',
  line: { at: '2026-01-01T00:00:00.000Z', source: 'service', message },
});

describe('trace', () => {
  it('shows lines as they come until tracing is off', async () => {
    const rows = trace.run(context({}));
    expect((await rows.next()).value).toMatchObject({ source: 'trace' });
    const first = rows.next();
    told(line('one'));
    expect(await first).toEqual({
      done: false,
      value: { at: '2026-01-01T00:00:00.000Z', source: 'service', message: 'one' },
    });
    told(line('two'));
    told({ type: 'trace-off' });
    expect((await rows.next()).value).toMatchObject({ message: 'two' });
    expect(await rows.next()).toEqual({ done: true, value: {} });
    const off: Row[] = [];
    for await (const row of trace.run(context({ state: 'off' }))) off.push(row);
    expect(off).toMatchObject([{ message: 'Detailed logging is off.' }]);
  });

  it('drops what nobody reads, and says how much', async () => {
    const rows = trace.run(context({}));
    await rows.next();
    const first = rows.next();
    for (let index = 0; index < 1_500; index += 1) told(line(String(index)));
    told({ type: 'trace-off' });
    const shown = [(await first).value as Row];
    for await (const row of rows) shown.push(row);
    expect(shown.slice(0, -1).map(({ message }) => message)).toEqual(
      Array.from({ length: 1_000 }, (_, index) => String(index)),
    );
    expect(shown.at(-1)).toMatchObject({ message: '500 lines were dropped: too many at once.' });
  });
});

it('tells detail only to those who follow, and no secret', () => {
  const lines: LogLine[] = [];
  logDetail('before');
  const stop = followLog((one) => lines.push(one));
  logDetail('GET https://account.example/output/x?sv=1&sig=SECRET failed');
  stop();
  logDetail('after');
  expect(lines.map(({ message }) => message)).toEqual(['GET https://account.example/output/x?… failed']);
});

it.each([
  'wss://bus.example/$servicebus?token=SECRET',
  'SharedAccessSignature sr=a&sig=SECRET&se=1&skn=send',
  'sig=SECRET',
  'authorization: Bearer SECRET',
  'eyJhbGciOiJFUzI1NiJ9.SECRET.SECRET',
  'lre_11111111-2222-3333-4444-555555555555_SECRET',
])('hides the secret in %s', (text) => {
  expect(withoutSecrets(`because of ${text}`)).not.toContain('SECRET');
});
