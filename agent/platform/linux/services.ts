import { posix } from 'node:path';
import { CommandFailure } from '../../commands/commandFailure.ts';
import { shownOf } from '../../commands/text.ts';
import type { Service } from '../listed.ts';
import { withoutBlanks } from './blanks.ts';
import { readStat } from './procfs.ts';
import {
  isSystemdRunning,
  parseExec,
  propertyOf,
  unitNames,
  unitProperties,
  type UnitProperties,
} from './systemctl.ts';
import { SystemTree } from './systemTree.ts';
import { type UnitFile, unitFilesIn, unitFolders } from './unitFiles.ts';
import { commandOf, lastOf, listOf } from './unitText.ts';

/**
 * Services as the running init system tells them. Where systemd does not run, what its files say, with a note that nobody can
 * tell the state. OpenRC keeps its state in files; scripts of System V keep none.
 */
export async function* linuxServices(): AsyncGenerator<Service> {
  const tree = new SystemTree();
  let found = 0;
  for await (const service of everyService(tree)) {
    found += 1;
    yield service;
  }
  yield* tree.takeNotes();
  if (found === 0) {
    throw new CommandFailure(
      'INIT_SYSTEM_UNKNOWN',
      `No init system that this agent knows answers or has files here; process 1 is ${firstProcess()}.`,
    );
  }
}

async function* everyService(tree: SystemTree): AsyncGenerator<Service> {
  if (isSystemdRunning()) {
    yield* servicesOfSystemd();
    return;
  }
  if (tree.isFolder('/run/openrc')) {
    yield* openRcServices(tree);
    return;
  }
  yield { note: noSystemd() };
  yield* installedServices(tree);
  yield* initScripts(tree);
}

/** What a list says where systemd cannot be asked. */
export const noSystemd = (): string =>
  `systemd does not run here: process 1 is ${firstProcess()}. Listed is what is installed; its state is not known.`;

const firstProcess = (): string => readStat(1)?.name.toString('utf8') ?? 'not visible';

const asked = [
  'Id',
  'Description',
  'LoadState',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'MainPID',
  'User',
  'ExecStart',
];

async function* servicesOfSystemd(): AsyncGenerator<Service> {
  for await (const unit of unitProperties(await unitNames('service'), asked)) {
    // Named by another unit, and not installed.
    if (propertyOf(unit, 'LoadState') !== 'not-found') yield serviceOf(unit);
  }
}

/** What `systemctl show` says of one service. */
export const serviceOf = (unit: UnitProperties): Service => {
  const exec = parseExec(propertyOf(unit, 'ExecStart'));
  const states = [propertyOf(unit, 'ActiveState'), propertyOf(unit, 'SubState')];
  const pid = Number(propertyOf(unit, 'MainPID') ?? 0);
  return {
    name: shownOf(propertyOf(unit, 'Id') ?? ''),
    displayName: shownOf(propertyOf(unit, 'Description') ?? ''),
    state: states.filter((part) => part !== null).join(' '),
    startMode: propertyOf(unit, 'UnitFileState'),
    pid: pid === 0 ? null : pid,
    user: shownOf(propertyOf(unit, 'User') ?? 'root'),
    command: exec === undefined ? null : shownOf(exec.command),
    path: exec === undefined ? null : shownOf(exec.path),
    manager: 'systemd',
  };
};

/** From the files alone. */
export function* installedServices(tree: SystemTree): Generator<Service> {
  for (const folders of unitFolders(tree).filter(({ scope }) => scope === 'system')) {
    for (const unit of unitFilesIn(tree, folders, ['service'])) yield installedService(unit);
  }
}

/** The first command that a service starts, as its file has it. */
export const startOf = ({ settings }: UnitFile): string | undefined => {
  const start = listOf(settings, 'Service', 'ExecStart')[0];
  return start === undefined ? undefined : commandOf(start);
};

const installedService = (unit: UnitFile): Service => {
  const command = startOf(unit);
  const description = lastOf(unit.settings, 'Unit', 'Description');
  return {
    name: shownOf(unit.name),
    displayName: description === undefined ? null : shownOf(description),
    startMode: unit.isMasked
      ? 'masked'
      : unit.enabled === null
        ? 'static'
        : unit.enabled
          ? 'enabled'
          : 'disabled',
    user: shownOf(lastOf(unit.settings, 'Service', 'User') ?? 'root'),
    command: command === undefined ? null : shownOf(command),
    path: command === undefined ? null : shownOf(command.split(/\s/, 1)[0] ?? ''),
    manager: 'systemd',
  };
};

/** OpenRC links what it has started, and what each runlevel starts. */
export function* openRcServices(tree: SystemTree): Generator<Service> {
  const isLinked = (folder: string, name: string): boolean =>
    tree.lstat(posix.join(folder, name)) !== undefined;
  const levels = tree.names('/etc/runlevels');
  for (const { name, path } of initScriptsOf(tree)) {
    const starting = levels.filter((level) => isLinked(`/etc/runlevels/${level}`, name));
    const states = ['started', 'starting', 'stopping', 'inactive', 'failed'];
    const command = /^command=(?:"([^"]*)"|'([^']*)'|(\S+))\s*$/m.exec(tree.text(path) ?? '')?.slice(1);
    const program = command?.find((one) => one !== undefined) ?? path;
    yield {
      name: shownOf(name),
      state: states.find((state) => isLinked(`/run/openrc/${state}`, name)) ?? 'stopped',
      startMode: starting.length === 0 ? 'disabled' : `enabled in ${starting.join(', ')}`,
      command: shownOf(`${path} start`),
      path: shownOf(program),
      manager: 'openrc',
    };
  }
}

/** Scripts that a runlevel starts by links such as `/etc/rc3.d/S20name`. */
export function* initScripts(tree: SystemTree): Generator<Service> {
  const started = new Set<string>();
  for (const level of ['S', '2', '3', '4', '5']) {
    for (const folder of [`/etc/rc${level}.d`, `/etc/rc.d/rc${level}.d`]) {
      for (const name of tree.names(folder)) {
        const script = /^S\d\d(.+)$/.exec(name)?.[1];
        if (script !== undefined) started.add(script);
      }
    }
  }
  for (const { name, path } of initScriptsOf(tree)) {
    const description = /^#\s*Short-Description:\s*(.*)$/m.exec(tree.text(path) ?? '')?.[1];
    yield {
      name: shownOf(name),
      displayName: description === undefined ? null : shownOf(withoutBlanks(description)),
      startMode: started.has(name) ? 'enabled' : 'disabled',
      user: 'root',
      command: shownOf(`${path} start`),
      path: shownOf(path),
      manager: 'init script',
    };
  }
}

/** Programs in the folder of init scripts. */
export const initScriptsOf = (
  tree: SystemTree,
): readonly { readonly name: string; readonly path: string }[] => {
  const folder = tree.isFolder('/etc/init.d') ? '/etc/init.d' : '/etc/rc.d/init.d';
  return tree
    .names(folder)
    .map((name) => ({ name, path: posix.join(folder, name) }))
    .filter(({ path }) => tree.isProgram(path));
};
