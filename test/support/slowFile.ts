import { open } from 'node:fs/promises';

/** A file that takes no room on the disk and minutes to hash. */
export const writeSlowFile = async (path: string): Promise<string> => {
  const file = await open(path, 'w');
  await file.truncate(25 * 1024 ** 3);
  await file.close();
  return path;
};
