import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build, buildBinary } from 'plist';
import { expect, it } from 'vitest';
import { persistenceFrom, servicesFrom, startupFrom, tasksFrom } from '../platform/macos/jobs.ts';
import { launchJobs } from '../platform/macos/launchd.ts';
import { collected } from './support/platformSample.ts';
import { temporaryFolders } from './support/temporary.ts';

const folder = temporaryFolders();

/** A macOS on disk, as small as it can be. */
const plant = async () => {
  const root = await folder();
  const put = async (path: string, content: string | Uint8Array): Promise<string> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
    return join(root, path);
  };
  const tool = await put('usr/local/bin/tool', 'the tool');
  await put(
    'Library/LaunchDaemons/org.example.daemon.plist',
    build({
      Label: 'org.example.daemon',
      ProgramArguments: [tool, '-d', 'a b'],
      KeepAlive: { Crashed: true },
    }),
  );
  await put(
    'Library/LaunchDaemons/org.example.timer.plist',
    buildBinary({
      Label: 'org.example.timer',
      Program: tool,
      UserName: '_timer',
      StartInterval: 300,
      StartCalendarInterval: [{ Hour: 3, Minute: 5 }, {}],
      Disabled: true,
    }),
  );
  await put(
    'Library/LaunchDaemons/broken.plist',
    '<plist><dict><key>Label</key><integer>5</integer></dict></plist>',
  );
  await put('Library/LaunchDaemons/README', 'no job');
  await put(
    'Users/anna/Library/LaunchAgents/org.example.agent.plist',
    build({ Label: 'org.example.agent', Program: tool }),
  );
  await put('Users/anna/.zshrc', 'echo hello');
  await put('Library/Preferences/com.apple.loginwindow.plist', build({ LoginHook: '/evil.sh' }));
  await put('usr/lib/cron/tabs/anna', '# comment\nPATH=/bin\n*/5 *  * * 1-5  /bin/echo 100%\n@reboot /x\n');
  await put('etc/crontab', '0 4 * * * root /usr/libexec/tidy now\n');
  return { root, tool, hash: createHash('sha256').update('the tool').digest('hex') };
};

const state = {
  loaded: [
    { label: 'org.example.daemon', pid: 77 },
    { label: 'org.example.ghost', pid: null },
  ],
  isDisabled: new Map([['org.example.timer', false]]),
};

it('lists services from their files and from launchd', async () => {
  const { root, tool } = await plant();
  const found = await collected(servicesFrom(launchJobs(root), state));
  expect(found).toMatchObject([
    { name: 'broken', startMode: null, note: expect.stringContaining('Not a job') as string },
    {
      name: 'org.example.daemon',
      state: 'running',
      startMode: 'automatic',
      pid: 77,
      user: 'root',
      command: `${tool} -d a b`,
      note: null,
    },
    // Switched on by hand, against its file.
    { name: 'org.example.timer', state: 'not loaded', startMode: 'on demand', pid: null, user: '_timer' },
    { name: 'org.example.ghost', state: 'loaded', note: expect.stringContaining('without a file') as string },
  ]);
});

it('lists what runs by the clock', async () => {
  const { root, tool } = await plant();
  const found = await collected(tasksFrom(launchJobs(root), state, root));
  expect(found).toMatchObject([
    { name: 'broken', note: expect.stringContaining('Not a job') as string },
    {
      name: 'org.example.timer',
      schedule: 'every 300 seconds; at hour 3, minute 5; every minute',
      enabled: true,
      command: tool,
    },
    { name: 'cron', schedule: '*/5 * * * 1-5', user: 'anna', command: '/bin/echo 100%' },
    { name: 'cron', schedule: '@reboot', user: 'anna', command: '/x' },
    { name: 'cron', schedule: '0 4 * * *', user: 'root', command: '/usr/libexec/tidy now' },
  ]);
});

it('lists what starts at sign-in, with the hash of the program', async () => {
  const { root, tool, hash } = await plant();
  expect(
    await collected(startupFrom(launchJobs(root), new Map([[process.getuid?.() ?? 0, 'me']]))),
  ).toMatchObject([
    {
      name: 'org.example.agent.plist',
      user: 'anna',
      owner: 'me',
      command: tool,
      targetSha256: hash,
      note: null,
    },
  ]);
});

it('puts every place into one list', async () => {
  const { root, hash } = await plant();
  const found = await collected(persistenceFrom(launchJobs(root), state, root));
  expect(found.map(({ method, name }) => `${method}: ${name}`)).toEqual([
    'launch daemon: broken',
    'launch daemon: org.example.daemon',
    'launch daemon: org.example.timer',
    'launch agent: org.example.agent',
    'cron: cron',
    'cron: cron',
    'cron: cron',
    'shell profile: .zshrc',
    'login hook: LoginHook',
  ]);
  expect(found[1]).toMatchObject({ sha256: hash, enabled: true });
});
