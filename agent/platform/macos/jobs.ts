import { readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { hashOf, sizeAndTime } from '../hashOf.ts';
import type { PersistenceEntry, ScheduledTask, Service, StartupEntry } from '../listed.ts';
import { userNames } from './accounts.ts';
import { type LoadedJob, loadedJobs, systemOverrides } from './launchctl.ts';
import {
  commandOf,
  entriesOf,
  homesBelow,
  type JobFile,
  type LaunchJob,
  launchJobs,
  parsePlist,
  scheduleOf,
} from './launchd.ts';

/** What launchd says about its jobs beside their files. */
export interface LaunchdState {
  readonly loaded: readonly LoadedJob[];
  readonly isDisabled: ReadonlyMap<string, boolean>;
}

const launchdState = async (): Promise<LaunchdState> => ({
  loaded: await loadedJobs(),
  isDisabled: await systemOverrides(),
});

const isEnabled = (job: JobFile, { isDisabled }: LaunchdState): boolean =>
  !(isDisabled.get(job.Label ?? '') ?? job.Disabled ?? false);

const nameOf = ({ path, job }: LaunchJob): string => job?.Label ?? basename(path, '.plist');
const userOf = ({ kind, home, job }: LaunchJob): string | null =>
  kind === 'daemon' ? (job?.UserName ?? 'root') : home === null ? null : basename(home);

/** Daemons from their files, and what launchd has loaded without one. */
export function* servicesFrom(jobs: Iterable<LaunchJob>, state: LaunchdState): Generator<Service> {
  const left = new Map(state.loaded.map((job) => [job.label, job]));
  for (const one of jobs) {
    if (one.kind !== 'daemon') continue;
    const name = nameOf(one);
    const loaded = left.get(name);
    left.delete(name);
    yield {
      name,
      state: loaded === undefined ? 'not loaded' : loaded.pid === null ? 'loaded' : 'running',
      startMode: one.job === undefined ? null : startModeOf(one.job, state),
      pid: loaded?.pid ?? null,
      user: one.job === undefined ? null : userOf(one),
      command: commandOf(one.job).line,
      path: commandOf(one.job).program,
      manager: 'launchd',
      note: one.problem,
    };
  }
  for (const { label, pid } of left.values())
    yield {
      name: label,
      manager: 'launchd',
      state: pid === null ? 'loaded' : 'running',
      pid,
      note: 'launchd has it without a file.',
    };
}

const startModeOf = (job: JobFile, state: LaunchdState): string => {
  if (!isEnabled(job, state)) return 'disabled';
  const keepsAlive = job.KeepAlive !== undefined && job.KeepAlive !== false;
  return job.RunAtLoad === true || keepsAlive ? 'automatic' : 'on demand';
};

export async function* macosServices(): AsyncGenerator<Service> {
  yield* servicesFrom(launchJobs(), await launchdState());
}

/** Jobs that run by the clock, and what cron and at have. */
export function* tasksFrom(
  jobs: Iterable<LaunchJob>,
  state: LaunchdState,
  root = '/',
): Generator<ScheduledTask> {
  for (const one of jobs) {
    const schedule = one.job === undefined ? null : scheduleOf(one.job);
    if (one.problem === null && schedule === null) continue;
    yield {
      name: nameOf(one),
      kind: 'launchd',
      enabled: one.job === undefined ? null : isEnabled(one.job, state),
      schedule,
      user: userOf(one),
      command: commandOf(one.job).line,
      path: one.path,
      note: one.problem,
    };
  }
  yield* cronTasks(root);
}

/** Tables of cron: five fields or @word, then the command; the table of the system names a user before it. */
function* cronTasks(root: string): Generator<ScheduledTask> {
  const folder = join(root, 'usr/lib/cron/tabs');
  const { names, problem } = entriesOf(folder);
  if (problem !== undefined) yield { name: 'cron', path: folder, note: problem };
  const tables = [
    ...names.map((name) => [join(folder, name), name] as const),
    [join(root, 'etc/crontab'), null] as const,
  ];
  for (const [path, user] of tables) {
    let content: string;
    try {
      content = readFileSync(path, 'utf8');
    } catch {
      if (user !== null) yield { name: 'cron', path, user, note: 'Not read.' };
      continue;
    }
    for (const line of content.split('\n')) {
      const entry = /^\s*(@\w+|(?:[^\s#@]\S*\s+){4}\S+)\s+(\S.*)$/.exec(line);
      if (entry === null || /^\s*[A-Za-z_]\w*\s*=/.test(line)) continue;
      const [, schedule = '', rest = ''] = entry;
      const [named = '', ...command] = rest.split(/\s+/);
      yield {
        name: 'cron',
        kind: 'cron',
        enabled: true,
        schedule: schedule.replace(/\s+/g, ' '),
        user: user ?? named,
        command: user === null ? command.join(' ') : rest,
        path,
      };
    }
  }
  const atJobs = join(root, 'usr/lib/cron/jobs');
  for (const name of entriesOf(atJobs).names)
    if (/^a[0-9a-f]{13}$/.test(name))
      yield { name: 'at', kind: 'at', enabled: true, path: join(atJobs, name) };
}

export async function* macosTasks(): AsyncGenerator<ScheduledTask> {
  yield* tasksFrom(launchJobs(), await launchdState());
}

const ownerOf = (path: string, names: ReadonlyMap<number, string>): string | null => {
  try {
    const { uid } = statSync(path);
    return names.get(uid) ?? String(uid);
  } catch {
    return null;
  }
};

/** What starts when somebody signs in. */
export async function* startupFrom(
  jobs: Iterable<LaunchJob>,
  names: ReadonlyMap<number, string>,
): AsyncGenerator<StartupEntry> {
  for (const one of jobs) {
    if (one.kind !== 'agent') continue;
    const { program, line } = commandOf(one.job);
    yield {
      name: basename(one.path),
      path: one.path,
      user: userOf(one),
      owner: ownerOf(one.path, names),
      enabled: one.job === undefined ? null : !(one.job.Disabled ?? false),
      command: line,
      target: program,
      targetSha256: await hashOf(program),
      sha256: await hashOf(one.path),
      ...sizeAndTime(one.path),
      note: one.problem,
    };
  }
}

export async function* macosStartup(): AsyncGenerator<StartupEntry> {
  yield* startupFrom(launchJobs(), await userNames());
  yield {
    note: 'Login items that applications registered (Background Task Management) are not listed: their store has no documented form.',
  };
}

/** Files that shells, the system or its services run, by the kind of place. */
const systemFiles: readonly (readonly [string, string])[] = [
  ['rc script', 'etc/rc.common'],
  ['rc script', 'etc/rc.local'],
  ['shell profile', 'etc/profile'],
  ['shell profile', 'etc/bashrc'],
  ['shell profile', 'etc/zshenv'],
  ['shell profile', 'etc/zprofile'],
  ['shell profile', 'etc/zshrc'],
  ['shell profile', 'etc/zlogin'],
  ['launchd command', 'etc/launchd.conf'],
];
const homeFiles: readonly (readonly [string, string])[] = [
  ...['.profile', '.bash_profile', '.bashrc', '.bash_login', '.zshenv', '.zprofile', '.zshrc', '.zlogin'].map(
    (name) => ['shell profile', name] as const,
  ),
  ['authorized keys', '.ssh/authorized_keys'],
  ['ssh command', '.ssh/rc'],
];
const systemFolders: readonly (readonly [string, string])[] = [
  ['startup item', 'Library/StartupItems'],
  ['startup item', 'System/Library/StartupItems'],
  ['periodic script', 'etc/periodic/daily'],
  ['periodic script', 'etc/periodic/weekly'],
  ['periodic script', 'etc/periodic/monthly'],
  ['event rule', 'etc/emond.d/rules'],
  ['kernel extension', 'Library/Extensions'],
  ['authorization plug-in', 'Library/Security/SecurityAgentPlugins'],
  ['directory plug-in', 'Library/DirectoryServices/PlugIns'],
  ['PAM service', 'etc/pam.d'],
  ['scripting addition', 'Library/ScriptingAdditions'],
  ['input method', 'Library/Input Methods'],
  ['system extension', 'Library/SystemExtensions'],
  ['privileged tool', 'Library/PrivilegedHelperTools'],
];

/** Every place of macOS from which programs start by themselves. */
export async function* persistenceFrom(
  jobs: Iterable<LaunchJob>,
  state: LaunchdState,
  root = '/',
): AsyncGenerator<PersistenceEntry> {
  for (const one of jobs) {
    const { program, line } = commandOf(one.job);
    yield {
      method: one.kind === 'daemon' ? 'launch daemon' : 'launch agent',
      name: nameOf(one),
      location: one.path,
      command: line,
      user: userOf(one),
      enabled: one.job === undefined ? null : isEnabled(one.job, state),
      target: program,
      sha256: await hashOf(program),
      note: one.problem,
    };
  }
  for (const { name, path, command, user, note } of cronTasks(root)) {
    yield {
      method: name === 'at' ? 'at job' : 'cron',
      name: name ?? null,
      location: path ?? null,
      command: command ?? null,
      user: user ?? null,
      enabled: true,
      note: note ?? null,
    };
  }
  for (const [method, place] of systemFiles) yield* fileEntry(method, join(root, place), null);
  for (const home of homesBelow(root)) {
    for (const [method, place] of homeFiles) yield* fileEntry(method, join(home, place), basename(home));
  }
  for (const [method, place] of systemFolders) {
    const folder = join(root, place);
    const { names, problem } = entriesOf(folder);
    if (problem !== undefined) yield { method, location: folder, note: problem };
    for (const name of names) yield* fileEntry(method, join(folder, name), null);
  }
  yield* loginHooks(root);
}

async function* fileEntry(
  method: string,
  path: string,
  user: string | null,
): AsyncGenerator<PersistenceEntry> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  yield { method, name: basename(path), location: path, user, enabled: true, sha256: await hashOf(path) };
}

function* loginHooks(root: string): Generator<PersistenceEntry> {
  const places = [
    ...homesBelow(root).map(
      (home) => [home, join(home, 'Library/Preferences/com.apple.loginwindow.plist')] as const,
    ),
    [null, join(root, 'Library/Preferences/com.apple.loginwindow.plist')] as const,
  ];
  for (const [home, path] of places) {
    let content: Buffer;
    try {
      content = readFileSync(path);
    } catch {
      continue;
    }
    const user = home === null ? 'root' : basename(home);
    try {
      const settings = parsePlist(content) as Readonly<Record<string, unknown>>;
      for (const name of ['LoginHook', 'LogoutHook']) {
        const command = settings[name];
        if (typeof command === 'string')
          yield { method: 'login hook', name, location: path, command, user, enabled: true };
      }
    } catch (error) {
      yield { method: 'login hook', location: path, user, note: `Not read: ${String(error)}` };
    }
  }
}

export async function* macosPersistence(): AsyncGenerator<PersistenceEntry> {
  yield* persistenceFrom(launchJobs(), await launchdState());
}
