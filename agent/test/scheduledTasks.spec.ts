import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAtJob } from '../platform/linux/atJobs.ts';
import { parseCrontab } from '../platform/linux/crontab.ts';
import { installedTimers, nextRunOf, plannedByFiles, timerTask } from '../platform/linux/scheduledTasks.ts';
import { SystemTree } from '../platform/linux/systemTree.ts';
import { plantTree } from './support/plantedTree.ts';
import { runCommand } from './support/runCommand.ts';
import { temporaryFolders } from './support/temporary.ts';

const folder = temporaryFolders();

describe('a crontab', () => {
  it('is read with variables, users and the sign that begins the input', () => {
    const text = [
      '# comment',
      'MAILTO=""',
      "SHELL = '/bin/bash'",
      '*/5 0-6 * * mon-fri root /opt/run --at \\%H%first%second',
      'PATH=/opt',
      '@reboot ana  echo a=b',
      'no such line',
      '',
    ].join('\n');
    expect([...parseCrontab(text, true)]).toEqual([
      {
        schedule: '*/5 0-6 * * mon-fri',
        user: 'root',
        command: '/opt/run --at %H',
        input: 'first\nsecond',
        environment: ['MAILTO=', 'SHELL=/bin/bash'],
      },
      {
        schedule: '@reboot',
        user: 'ana',
        command: 'echo a=b',
        input: null,
        environment: ['MAILTO=', 'SHELL=/bin/bash', 'PATH=/opt'],
      },
    ]);
    expect([...parseCrontab('1 2 3 4 5 A=1 /x y', false)]).toMatchObject([
      { schedule: '1 2 3 4 5', user: null, command: 'A=1 /x y' },
    ]);
  });

  it('loses no byte of a command', () => {
    const word = fc.stringMatching(/^[\x21-\x24\x26-\x5b\x5d-\x7e\x80-\xff]{1,20}$/);
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
        const command = words.join(' ');
        expect([...parseCrontab(`0 1 * * * root ${command}\n`, true)][0]?.command).toBe(command);
      }),
    );
  });

  it('says when a line runs next, or that it does not know', () => {
    const line = { user: null, command: '', input: null, environment: [] };
    const now = new Date('2026-03-04T10:20:30Z');
    const next = new Date(nextRunOf({ ...line, schedule: '15 3 * * *' }, now) ?? '');
    expect([next.getHours(), next.getMinutes(), next > now]).toEqual([3, 15, true]);
    expect(nextRunOf({ ...line, schedule: '@hourly' }, now)).toBe('2026-03-04T11:00:00.000Z');
    expect(nextRunOf({ ...line, schedule: '@reboot' }, now)).toBeNull();
    expect(nextRunOf({ ...line, schedule: '61 3 * * *' }, now)).toBeNull();
    expect(nextRunOf({ ...line, schedule: '@daily', environment: ['CRON_TZ=Asia/Tokyo'] }, now)).toBeNull();
  });
});

it('reads a job of at', () => {
  const text =
    "#!/bin/sh\n# atrun uid=1000 gid=1000\n# mail ana 0\numask 22\nPATH=/bin; export PATH\ncd /home/ana || {\n\t echo 'no' >&2\n\t exit 1\n}\necho hi\n/opt/x\n";
  expect(parseAtJob('a0001f01c3f0a0', text)).toEqual({
    queue: 'a',
    number: 31,
    runsAt: new Date(0x01c3f0a0 * 60_000).toISOString(),
    userId: 1000,
    command: 'echo hi\n/opt/x',
  });
  expect(parseAtJob('.SEQ', '')).toBeUndefined();
});

it('reads a timer as systemd shows it', () => {
  // Printed by systemd 252.
  const timer = new Map([
    ['Id', ['apt-daily.timer']],
    ['ActiveState', ['active']],
    ['SubState', ['waiting']],
    ['TimersCalendar', ['{ OnCalendar=*-*-* 06,18:00:00 ; next_elapse=Tue 2026-11-24 18:00:00 UTC }']],
    ['NextElapseUSecRealtime', ['Wed 2026-11-25 02:15:02 UTC']],
    ['LastTriggerUSec', ['']],
  ]);
  expect(timerTask(timer, undefined)).toMatchObject({
    name: 'apt-daily.timer',
    enabled: true,
    state: 'active waiting',
    schedule: 'OnCalendar=*-*-* 06,18:00:00',
    nextRunAt: '2026-11-25T02:15:02.000Z',
    lastRunAt: null,
  });
});

it('finds what is planned in the files of a system', async () => {
  const root = await folder();
  await plantTree(root, {
    'etc/debian_version': '12\n',
    'etc/crontab': '1 2 * * * root /opt/one\n',
    'etc/cron.d/two': '@daily ana /opt/two\n',
    'etc/cron.d/three.bak': '@daily ana /opt/three\n',
    'var/spool/cron/crontabs/ana': Buffer.from('0 0 * * * /opt/\xff\n', 'latin1'),
    'etc/cron.daily/script': { content: '#!/bin/sh\n', mode: 0o755 },
    'etc/cron.daily/not-run': { content: '#!/bin/sh\n', mode: 0o644 },
    'etc/cron.daily/.placeholder': { content: '#!/bin/sh\n', mode: 0o755 },
    'etc/cron.daily/with-dot.sh': { content: '#!/bin/sh\n', mode: 0o755 },
    'etc/anacrontab': 'SHELL=/bin/sh\n7 10 cron.weekly run-parts /etc/cron.weekly\n',
    'var/spool/cron/atjobs/a0000101c3f0a0': '#!/bin/sh\n# atrun uid=0 gid=0\ncd / || {\n}\n/opt/at\n',
    'etc/systemd/system/own.timer':
      '[Timer]\nOnCalendar=daily\nOnBootSec=5\n[Install]\nWantedBy=timers.target\n',
    'etc/systemd/system/own.service': '[Service]\nUser=ana\nExecStart=/opt/own\n',
    'etc/systemd/system/timers.target.wants/own.timer': ['../own.timer'],
  });
  const tree = new SystemTree(root);
  expect(
    [...plannedByFiles(tree)].map(({ kind, enabled, user, command }) => [kind, enabled, user, command]),
  ).toEqual([
    ['cron', true, 'root', '/opt/one'],
    ['cron', false, 'ana', '/opt/three'],
    ['cron', true, 'ana', '/opt/two'],
    [
      'cron',
      true,
      'ana',
      { text: '/opt/\ufffd', bytes: Buffer.from('/opt/\xff', 'latin1').toString('base64') },
    ],
    ['cron script', false, 'root', '/etc/cron.daily/.placeholder'],
    ['cron script', false, 'root', '/etc/cron.daily/not-run'],
    ['cron script', true, 'root', '/etc/cron.daily/script'],
    ['cron script', false, 'root', '/etc/cron.daily/with-dot.sh'],
    ['anacron', true, 'root', 'run-parts /etc/cron.weekly'],
    ['at', true, 'root', '/opt/at'],
  ]);
  expect([...installedTimers(tree)]).toMatchObject([
    {
      name: 'own.timer',
      enabled: true,
      schedule: 'OnCalendar=daily; OnBootSec=5',
      user: 'ana',
      command: '/opt/own',
    },
  ]);
  expect(tree.takeNotes()).toEqual([]);
});

it.runIf(process.platform === 'linux')('lists what is planned here', async () => {
  const { rows } = await runCommand('scheduledtasks');
  expect(rows.length).toBeGreaterThan(0);
  const [named] = rows.filter(({ note }) => note === null);
  if (named === undefined) return;
  const one = (await runCommand('scheduledtasks', { parameters: { name: String(named['name']) } })).rows;
  expect(one.filter(({ note }) => note === null).map(({ name }) => name)).toEqual([named['name']]);
});

it.runIf(process.platform === 'linux')(
  'says that nothing is planned under a name that nobody gave',
  async () => {
    await expect(
      runCommand('scheduledtasks', { parameters: { name: 'no such task' } }),
    ).rejects.toMatchObject({
      code: 'TASK_NOT_FOUND',
    });
  },
);
