import { posix } from 'node:path';
import { homesOf } from './homes.ts';
import type { SystemTree } from './systemTree.ts';
import { listOf, parseUnit, type UnitSetting } from './unitText.ts';

/** A unit as its files say; what runs may have been loaded from older ones. */
export interface UnitFile {
  readonly name: string;
  readonly path: string;
  /** Whose own unit it is; null for those of the system and of every user. */
  readonly user: string | null;
  readonly scope: 'system' | 'user';
  /** Of the file and its drop-ins, in the order in which they count. */
  readonly settings: readonly UnitSetting[];
  readonly dropIns: readonly string[];
  /** Null for a unit that is only started by others. */
  readonly enabled: boolean | null;
  readonly isMasked: boolean;
}

/** The folders of one systemd, those that count more first. */
export interface UnitFolders {
  readonly scope: 'system' | 'user';
  readonly user: string | null;
  readonly folders: readonly string[];
}

const systemFolders = [
  '/etc/systemd/system.control',
  '/run/systemd/system.control',
  '/run/systemd/transient',
  '/run/systemd/generator.early',
  '/etc/systemd/system',
  '/run/systemd/system',
  '/run/systemd/generator',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
  '/run/systemd/generator.late',
];
const userFolders = [
  '/etc/systemd/user',
  '/run/systemd/user',
  '/usr/local/lib/systemd/user',
  '/usr/local/share/systemd/user',
  '/usr/lib/systemd/user',
  '/usr/share/systemd/user',
];
const ownFolders = ['.config/systemd/user', '.local/share/systemd/user'];

export const unitFolders = (tree: SystemTree): readonly UnitFolders[] => [
  { scope: 'system', user: null, folders: withoutRepeated(tree, systemFolders) },
  { scope: 'user', user: null, folders: userFolders },
  ...homesOf(tree).map(({ user, path }) => ({
    scope: 'user' as const,
    user,
    folders: ownFolders.map((folder) => posix.join(path, folder)),
  })),
];

/** `/lib` is a link to `/usr/lib` on most systems. */
const withoutRepeated = (tree: SystemTree, folders: readonly string[]): readonly string[] =>
  tree.linkTarget('/lib') === '/usr/lib' ? folders.filter((folder) => !folder.startsWith('/lib/')) : folders;

const unitName = /^[^/]+\.(?:service|timer|socket|path|mount|automount|swap|target|device|slice|scope)$/;

/** The units of one systemd that have one of these types, each once: from the folder that counts most. */
export function* unitFilesIn(
  tree: SystemTree,
  { scope, user, folders }: UnitFolders,
  types: readonly string[],
): Generator<UnitFile> {
  const isWanted = (name: string): boolean =>
    unitName.test(name) && types.some((type) => name.endsWith(`.${type}`));
  const first = new Map<string, string>();
  const started = new Set<string>();
  const dropInFolders = new Map<string, string[]>();
  for (const folder of folders) {
    for (const name of tree.names(folder)) {
      const path = posix.join(folder, name);
      if (/\.(?:wants|requires|upholds)$/.test(name)) {
        for (const wanted of tree.names(path)) started.add(wanted).add(templateOf(wanted));
      } else if (name.endsWith('.d')) {
        const unit = name.slice(0, -'.d'.length);
        dropInFolders.set(unit, [...(dropInFolders.get(unit) ?? []), path]);
      } else if (isWanted(name) && !first.has(name)) first.set(name, path);
    }
  }
  for (const [name, path] of first) {
    const target = tree.linkTarget(path);
    const targetName = target === undefined ? name : posix.basename(target);
    // A link from one unit to another is a second name for it.
    if (targetName !== name && unitName.test(targetName)) continue;
    const isMasked = target === '/dev/null' || tree.stat(path)?.size === 0n;
    const dropIns = dropInsOf(tree, name, dropInFolders);
    const settings = isMasked ? [] : settingsOf(tree, [path, ...dropIns]);
    const enabled = isMasked ? false : started.has(name) ? true : canBeEnabled(settings) ? false : null;
    yield { name, path, scope, user, settings, dropIns, isMasked, enabled };
  }
  // A drop-in may change a unit of other folders, such as a generated one.
  for (const unit of dropInFolders.keys()) {
    if (first.has(unit) || !isWanted(unit)) continue;
    const dropIns = dropInsOf(tree, unit, dropInFolders);
    const [path] = dropIns;
    if (path === undefined) continue;
    const settings = settingsOf(tree, dropIns);
    yield { name: unit, path, scope, user, settings, dropIns, isMasked: false, enabled: null };
  }
}

const settingsOf = (tree: SystemTree, files: readonly string[]): readonly UnitSetting[] =>
  files.flatMap((file) => parseUnit(tree.text(file) ?? ''));

const canBeEnabled = (settings: readonly UnitSetting[]): boolean =>
  ['WantedBy', 'RequiredBy', 'UpheldBy', 'Alias', 'Also'].some(
    (key) => listOf(settings, 'Install', key).length > 0,
  );

/** `getty@.service` for `getty@tty1.service`. */
const templateOf = (name: string): string => name.replace(/@.*(?=\.[a-z]+$)/, '@');

/** Files of `name.d`, of `type.d` and of `a-.service.d` for `a-b.service`; of files with one name the first counts. */
const dropInsOf = (
  tree: SystemTree,
  name: string,
  folders: ReadonlyMap<string, readonly string[]>,
): readonly string[] => {
  const type = name.slice(name.lastIndexOf('.') + 1);
  const dashes = [...name.matchAll(/-/g)].map(({ index }) => `${name.slice(0, index + 1)}.${type}`);
  const found = new Map<string, string>();
  for (const unit of new Set([name, templateOf(name), ...dashes.reverse(), type])) {
    for (const folder of folders.get(unit) ?? []) {
      for (const file of tree.names(folder)) {
        if (file.endsWith('.conf') && !found.has(file)) found.set(file, posix.join(folder, file));
      }
    }
  }
  return [...found].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, path]) => path);
};
