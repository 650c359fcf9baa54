import type { SystemTree } from './systemTree.ts';

export interface Home {
  readonly user: string;
  readonly path: string;
}

/**
 * The home of every account, and what else lies in `/home`: accounts of a directory service are in no file of the system. A
 * home that several accounts share is told once, for the first of them.
 */
export const homesOf = (tree: SystemTree): readonly Home[] => {
  const homes = new Map<string, string>();
  for (const line of tree.lines('/etc/passwd')) {
    const [user, , , , , path] = line.split(':');
    if (user === undefined || path === undefined || !path.startsWith('/') || path === '/') continue;
    if (!homes.has(path) && tree.isFolder(path)) homes.set(path, user);
  }
  for (const path of tree.paths('/home')) {
    if (!homes.has(path) && tree.isFolder(path)) homes.set(path, path.slice('/home/'.length));
  }
  return [...homes].map(([path, user]) => ({ user, path }));
};
