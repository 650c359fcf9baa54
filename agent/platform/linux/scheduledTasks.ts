import { posix } from 'node:path';
import { Cron } from 'croner';
import { shownOf } from '../../commands/text.ts';
import { timeOf } from '../../commands/fileFacts.ts';
import type { ScheduledTask } from '../listed.ts';
import { userName } from './accounts.ts';
import { parseAtJob } from './atJobs.ts';
import { type CronLine, parseCrontab } from './crontab.ts';
import { noSystemd, startOf } from './services.ts';
import {
  isSystemdRunning,
  parseExec,
  parseSystemdTime,
  propertyOf,
  unitNames,
  unitProperties,
  type UnitProperties,
} from './systemctl.ts';
import { SystemTree } from './systemTree.ts';
import { type UnitFile, unitFilesIn, unitFolders } from './unitFiles.ts';
import { lastOf } from './unitText.ts';

/** Timers of systemd, cron of all kinds and jobs of `at`. */
export async function* linuxScheduledTasks(): AsyncGenerator<ScheduledTask> {
  const tree = new SystemTree();
  if (isSystemdRunning()) yield* timersOfSystemd();
  else {
    yield { note: noSystemd() };
    yield* installedTimers(tree);
  }
  yield* plannedByFiles(tree);
  yield* tree.takeNotes();
}

/** Everything but timers. */
export function* plannedByFiles(tree: SystemTree): Generator<ScheduledTask> {
  yield* cronTasks(tree);
  yield* anacronTasks(tree);
  yield* atTasks(tree);
}

const asked = [
  'Id',
  'LoadState',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'TimersCalendar',
  'TimersMonotonic',
  'LastTriggerUSec',
  'NextElapseUSecRealtime',
  'Unit',
  'FragmentPath',
];

async function* timersOfSystemd(): AsyncGenerator<ScheduledTask> {
  const timers: UnitProperties[] = [];
  for await (const timer of unitProperties(await unitNames('timer'), asked)) timers.push(timer);
  const started = new Map<string, UnitProperties>();
  const units = timers.map((timer) => propertyOf(timer, 'Unit')).filter((unit) => unit !== null);
  for await (const unit of unitProperties([...new Set(units)], ['Id', 'ExecStart', 'User'])) {
    started.set(propertyOf(unit, 'Id') ?? '', unit);
  }
  for (const timer of timers) {
    if (propertyOf(timer, 'LoadState') !== 'not-found')
      yield timerTask(timer, started.get(propertyOf(timer, 'Unit') ?? ''));
  }
}

/**
 * What `systemctl show` says of a timer. A timer that counts from a start has no time of the calendar, so its next run is not
 * known here.
 */
export const timerTask = (timer: UnitProperties, unit: UnitProperties | undefined): ScheduledTask => {
  const exec = unit === undefined ? undefined : parseExec(propertyOf(unit, 'ExecStart'));
  const rules = [...(timer.get('TimersCalendar') ?? []), ...(timer.get('TimersMonotonic') ?? [])]
    .map((rule) => /^\{ (.*?) ; next_elapse=/.exec(rule)?.[1])
    .filter((rule) => rule !== undefined);
  const path = propertyOf(timer, 'FragmentPath');
  const states = [propertyOf(timer, 'ActiveState'), propertyOf(timer, 'SubState')];
  return {
    name: shownOf(propertyOf(timer, 'Id') ?? ''),
    kind: 'timer',
    enabled: propertyOf(timer, 'ActiveState') === 'active',
    state: states.filter((part) => part !== null).join(' '),
    schedule: shownOf(rules.join('; ')),
    lastRunAt: parseSystemdTime(propertyOf(timer, 'LastTriggerUSec')),
    nextRunAt: parseSystemdTime(propertyOf(timer, 'NextElapseUSecRealtime')),
    user: shownOf(unit === undefined ? 'root' : (propertyOf(unit, 'User') ?? 'root')),
    command: exec === undefined ? null : shownOf(exec.command),
    path: path === null ? null : shownOf(path),
  };
};

/** From the files alone. */
export function* installedTimers(tree: SystemTree): Generator<ScheduledTask> {
  for (const folders of unitFolders(tree)) {
    const services = new Map<string, UnitFile>();
    for (const unit of unitFilesIn(tree, folders, ['service'])) services.set(unit.name, unit);
    for (const timer of unitFilesIn(tree, folders, ['timer'])) {
      const started = lastOf(timer.settings, 'Timer', 'Unit') ?? timer.name.replace(/\.timer$/, '.service');
      const service = services.get(started);
      const command = service === undefined ? undefined : startOf(service);
      const user = timer.user ?? (timer.scope === 'user' ? null : 'root');
      yield {
        name: shownOf(timer.name),
        kind: 'timer',
        enabled: timer.enabled,
        schedule: shownOf(
          timer.settings
            .filter(({ section, key, value }) => section === 'Timer' && /^On/.test(key) && value !== '')
            .map(({ key, value }) => `${key}=${value}`)
            .join('; '),
        ),
        user: user === null ? null : shownOf(lastOf(service?.settings ?? [], 'Service', 'User') ?? user),
        command: command === undefined ? null : shownOf(command),
        path: shownOf(timer.path),
      };
    }
  }
}

const userTables = ['/var/spool/cron/crontabs', '/var/spool/cron/tabs', '/var/spool/cron', '/etc/crontabs'];

/** The tables of the system and of users, and the folders whose scripts such a table runs. */
function* cronTasks(tree: SystemTree): Generator<ScheduledTask> {
  yield* tableTasks(tree, '/etc/crontab', null, true);
  const isDebian = tree.isFile('/etc/debian_version');
  // Debian takes no name with a dot, and nobody takes what editors and packages leave behind.
  const isTaken = (path: string): boolean => {
    const name = posix.basename(path);
    return isDebian ? /^[\w-]+$/.test(name) : !/^\.|~$|\.rpm(?:save|orig|new)$/.test(name);
  };
  for (const path of tree.paths('/etc/cron.d')) yield* tableTasks(tree, path, null, isTaken(path));
  const seen = new Set<string>();
  for (const folder of userTables) {
    for (const path of tree.paths(folder)) {
      const id = tree.stat(path)?.ino.toString() ?? path;
      if (!tree.isFile(path) || seen.has(id)) continue;
      seen.add(id);
      yield* tableTasks(tree, path, posix.basename(path), true);
    }
  }
  for (const often of ['hourly', 'daily', 'weekly', 'monthly', 'yearly']) {
    for (const path of tree.paths(`/etc/cron.${often}`)) {
      if (!tree.isFile(path)) continue;
      yield {
        name: shownOf(posix.basename(path)),
        kind: 'cron script',
        enabled: tree.isProgram(path) && isTaken(path),
        schedule: often,
        user: 'root',
        command: shownOf(path),
        path: shownOf(path),
      };
    }
  }
}

function* tableTasks(
  tree: SystemTree,
  path: string,
  owner: string | null,
  isTaken: boolean,
): Generator<ScheduledTask> {
  let number = 0;
  for (const line of parseCrontab(tree.text(path) ?? '', owner === null)) {
    number += 1;
    yield {
      name: shownOf(`${path} ${number}`),
      kind: 'cron',
      enabled: isTaken,
      schedule: shownOf(line.schedule),
      nextRunAt: isTaken ? nextRunOf(line) : null,
      user: shownOf(line.user ?? owner ?? ''),
      command: shownOf(line.command),
      input: line.input === null ? null : shownOf(line.input),
      environment: line.environment.map(shownOf),
      path: shownOf(path),
    };
  }
}

const ofNames: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** In the time zone of the system; null for `@reboot`, for a table with a zone of its own, and for what only one cron knows. */
export const nextRunOf = ({ schedule, environment }: CronLine, now = new Date()): string | null => {
  if (environment.some((variable) => variable.startsWith('CRON_TZ='))) return null;
  const fields = ofNames[schedule] ?? schedule;
  if (fields.startsWith('@')) return null;
  try {
    return new Cron(fields, { paused: true, mode: '5-part' }).nextRun(now)?.toISOString() ?? null;
  } catch {
    return null;
  }
};

/** `period delay id command`, and when each ran last. */
function* anacronTasks(tree: SystemTree): Generator<ScheduledTask> {
  const environment: string[] = [];
  for (const line of tree.lines('/etc/anacrontab')) {
    const variable = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line);
    if (variable !== null) environment.push(`${variable[1]}=${variable[2]}`);
    const parts = /^\s*(\d+|@\w+)\s+(\d+)\s+(\S+)\s+(\S.*)$/.exec(line);
    if (parts === null) continue;
    const [, period = '', delay = '', id = '', command = ''] = parts;
    const stamp = tree.stat(`/var/spool/anacron/${id}`);
    yield {
      name: shownOf(id),
      kind: 'anacron',
      enabled: true,
      schedule: /^\d/.test(period) ? `every ${period} days, after ${delay} minutes` : shownOf(period),
      lastRunAt: stamp === undefined ? null : timeOf(stamp.mtimeNs),
      user: 'root',
      command: shownOf(command),
      environment: environment.map(shownOf),
      path: '/etc/anacrontab',
    };
  }
}

function* atTasks(tree: SystemTree): Generator<ScheduledTask> {
  for (const folder of ['/var/spool/cron/atjobs', '/var/spool/at', '/var/spool/atjobs']) {
    for (const path of tree.paths(folder)) {
      const name = posix.basename(path);
      const job = tree.isFile(path) ? parseAtJob(name, tree.text(path) ?? '') : undefined;
      if (job === undefined) continue;
      yield {
        name: `at ${job.number}`,
        kind: 'at',
        enabled: true,
        state: job.queue === '=' ? 'running' : `queue ${job.queue}`,
        schedule: `once at ${job.runsAt}`,
        nextRunAt: job.queue === '=' ? null : job.runsAt,
        user: userName(job.userId ?? Number(tree.stat(path)?.uid ?? 0n)),
        command: shownOf(job.command),
        path: shownOf(path),
      };
    }
  }
}
