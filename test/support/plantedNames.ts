import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';

/** Longest path that the system takes, without the byte that ends it. */
const longestPath = 4095;
const longestName = 255;

/**
 * Empty files whose names and directories are as long as they can be and not UTF-8, so that each makes a row of about 18 KB in
 * `findfile` and `dir`: much output from few files. Answers their paths.
 */
export const plantLongNames = (top: string, files: number): readonly Buffer[] => {
  const odd = Buffer.alloc(longestName, 0xff);
  let folder = Buffer.from(top);
  while (folder.length + 2 * (longestName + 1) <= longestPath) {
    folder = Buffer.concat([folder, Buffer.from('/'), odd]);
    mkdirSync(folder);
  }
  return Array.from({ length: files }, (_, index) => {
    const name = Buffer.concat([odd.subarray(10), Buffer.from(String(index).padStart(10, '0'))]);
    const path = Buffer.concat([folder, Buffer.from('/'), name]);
    writeFileSync(path, '');
    return path;
  });
};

/** Node's own removal reads names as UTF-8 and does not find these. */
export const removeTree = async (top: string): Promise<void> => {
  await promisify(execFile)('rm', ['-rf', top]);
};
