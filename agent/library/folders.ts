import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** For what is on its way; nothing in it outlives a restart. */
export const workFolderOf = (stateDirectory: string): string => join(stateDirectory, 'work');
/** Placed files that are gone at the next start of the agent. */
export const placedFolderOf = (stateDirectory: string): string => join(stateDirectory, 'files');
/** Placed files that stay. */
export const keptFolderOf = (stateDirectory: string): string => join(stateDirectory, 'kept');

/** Removes what does not outlive a restart. Nothing of an earlier run may still be alive. */
export const prepareFolders = (stateDirectory: string): void => {
  for (const folder of [workFolderOf(stateDirectory), placedFolderOf(stateDirectory)]) {
    rmSync(folder, { recursive: true, force: true });
  }
  for (const folderOf of [workFolderOf, placedFolderOf, keptFolderOf]) {
    const folder = folderOf(stateDirectory);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
  }
};
