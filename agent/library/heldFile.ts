import { constants } from 'node:fs';
import { open, type FileHandle, rm } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { CommandFailure } from '../commands/command.ts';
import { downloadLibraryFile, type WantedFile, writeFailure } from '../transport/libraryDownload.ts';
import { workFolderOf } from './folders.ts';

/**
 * Fetches a library file into a file without a name, and opens it for reading only. No path leads to it, so nobody can put
 * another one in its place between its check and its use; and should the agent die, nothing of it is left. The hash is taken
 * once more from the descriptor that is handed over.
 */
export const holdLibraryFile = async (
  wanted: WantedFile,
  stateDirectory: string,
  commandId: string,
): Promise<FileHandle> => {
  const path = join(workFolderOf(stateDirectory), commandId);
  const draft = await open(path, 'wx', 0o600).catch((error: unknown) => {
    throw writeFailure(error, wanted.name);
  });
  let held: FileHandle | undefined;
  try {
    held = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    await rm(path);
    await downloadLibraryFile(wanted, draft);
    if ((await hashOf(held)) === wanted.sha256) return held;
    throw new CommandFailure(
      'HASH_MISMATCH',
      `${wanted.name} was changed on this device between its arrival and its use. It was not used.`,
    );
  } catch (error) {
    await held?.close();
    throw error;
  } finally {
    await draft.close();
  }
};

const hashOf = async (file: FileHandle): Promise<string> => {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(256 * 1024);
  for (let position = 0; ;) {
    const { bytesRead } = await file.read(piece, 0, piece.length, position);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(piece.subarray(0, bytesRead));
    position += bytesRead;
  }
};
