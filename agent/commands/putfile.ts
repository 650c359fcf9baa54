import { existsSync, linkSync, renameSync, rmSync, statfsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { keptFolderOf, placedFolderOf, workFolderOf } from '../library/folders.ts';
import { CommandFailure, type DeviceCommand, systemCodeOf } from './command.ts';
import { requiredLibraryFile } from './libraryFile.ts';

/**
 * Places a library file in the agent's folder. It has its name only when it is whole, checked and on disk; until then it lies
 * in the work folder, which is emptied at every start of the agent.
 */
export const putfile: DeviceCommand = {
  name: 'putfile',
  systems: ['linux', 'darwin'],
  async *run(context) {
    const file = requiredLibraryFile(context);
    const { name, size, sha256 } = file;
    const isKept = context.flags.has('keep');
    const overwrites = context.flags.has('overwrite');
    const { stateDirectory } = context;
    const folders = { placed: placedFolderOf(stateDirectory), kept: keptFolderOf(stateDirectory) };
    const folder = isKept ? folders.kept : folders.placed;
    const elsewhere = join(isKept ? folders.placed : folders.kept, name);
    const path = join(folder, name);
    if (!overwrites) refuseExisting([path, elsewhere]);
    refuseFullDisk(folder, size, name);

    const { downloadLibraryFile, writeFailure } = await import('../transport/libraryDownload.ts');
    const draftPath = join(workFolderOf(stateDirectory), context.commandId);
    try {
      // Its owner may run it: a tool is placed to be started by a script.
      const draft = await open(draftPath, 'wx', 0o700);
      try {
        await downloadLibraryFile(file, draft);
        await draft.sync();
      } finally {
        await draft.close();
      }
      if (overwrites) renameSync(draftPath, path);
      else linkSync(draftPath, path);
      await syncFolder(folder);
      if (overwrites) rmSync(elsewhere, { force: true });
    } catch (error) {
      if (systemCodeOf(error) === 'EEXIST') throw existing(path);
      throw writeFailure(error, name);
    } finally {
      rmSync(draftPath, { force: true });
    }
    yield { name, path, size, sha256, kept: isKept };
    return { placed: [{ name, path: { text: path }, size, sha256, kept: isKept }] };
  },
};

const refuseExisting = (paths: readonly string[]): void => {
  const path = paths.find((one) => existsSync(one));
  if (path !== undefined) throw existing(path);
};

const existing = (path: string): CommandFailure =>
  new CommandFailure('FILE_EXISTS', `${path} exists. Add -overwrite to replace it.`);

const refuseFullDisk = (folder: string, size: number, name: string): void => {
  const { bavail, bsize } = statfsSync(folder, { bigint: true });
  const free = bavail * bsize;
  if (free > BigInt(size)) return;
  throw new CommandFailure(
    'DISK_FULL',
    `${name} has ${size} bytes, and ${free} are free on the disk that holds ${folder}. Make room and try again.`,
  );
};

const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
};
