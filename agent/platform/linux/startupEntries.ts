import { posix } from 'node:path';
import { shownOf } from '../../commands/text.ts';
import { hashOf, sizeAndTime } from '../hashOf.ts';
import type { StartupEntry } from '../listed.ts';
import { userName } from './accounts.ts';
import { homesOf } from './homes.ts';
import { SystemTree } from './systemTree.ts';
import { Targets } from './targets.ts';
import { lastOf, parseUnit } from './unitText.ts';

/** What desktops start when somebody signs in: the XDG autostart folders of the system and of everybody. */
export async function* linuxStartupEntries(tree = new SystemTree()): AsyncGenerator<StartupEntry> {
  const targets = new Targets(tree);
  const folders: readonly (readonly [string | null, string])[] = [
    [null, '/etc/xdg/autostart'],
    [null, '/usr/share/gnome/autostart'],
    ...homesOf(tree).map(({ user, path }) => [user, posix.join(path, '.config/autostart')] as const),
  ];
  for (const [user, folder] of folders) {
    for (const path of tree.paths(folder)) {
      if (!tree.isFolder(path)) yield await startupEntry(tree, targets, path, user);
    }
  }
  yield* tree.takeNotes();
}

const startupEntry = async (
  tree: SystemTree,
  targets: Targets,
  path: string,
  user: string | null,
): Promise<StartupEntry> => {
  const settings = parseUnit(tree.text(path) ?? '');
  const valueOf = (key: string): string | undefined => lastOf(settings, 'Desktop Entry', key);
  const command = valueOf('Exec');
  const stat = tree.lstat(path);
  const isOff = valueOf('Hidden') === 'true' || valueOf('X-GNOME-Autostart-enabled') === 'false';
  const { target = null, sha256 = null } =
    command === undefined ? {} : await targets.ofCommand(unescaped(command));
  return {
    name: shownOf(posix.basename(path)),
    path: shownOf(path),
    user: user === null ? null : shownOf(user),
    // Desktops look at nothing else in the folder.
    enabled: path.endsWith('.desktop') && command !== undefined && !isOff,
    command: command === undefined ? null : shownOf(command),
    target,
    targetSha256: sha256,
    owner: stat === undefined ? null : userName(Number(stat.uid)),
    sha256: await hashOf(tree.bytesOf(path)),
    ...sizeAndTime(tree.bytesOf(path)),
  };
};

/** A value of a desktop entry escapes the backslash before the rules of quoting see it. */
const unescaped = (value: string): string => value.replaceAll('\\\\', '\\');
