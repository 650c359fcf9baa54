import { createHash } from 'node:crypto';
import { readSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { groupName, userName } from '../platform/linux/accounts.ts';
import { type DeviceCommand, failureFor, requiredPath } from './command.ts';
import { kindOf, modeTextOf, timeOf } from './fileFacts.ts';
import { openRegularFile, requireSize, requireUnchanged } from './openFile.ts';

const chunkSize = 1024 * 1024;

/** Facts and three hashes of one regular file, read once. A link is followed, and the row names the file it leads to. */
export const fileinfo: DeviceCommand = {
  name: 'fileinfo',
  systems: ['linux'],
  async *run(context) {
    const path = realPathOf(resolve(context.directory, requiredPath(context)));
    const file = openRegularFile(path);
    try {
      const { stat } = file;
      requireSize(stat, context.limits.fileinfoFile, path);
      const hashes = ['md5', 'sha1', 'sha256'].map((name) => createHash(name));
      const chunk = Buffer.allocUnsafe(chunkSize);
      let read = 0n;
      try {
        for (;;) {
          const size = readSync(file.descriptor, chunk, 0, chunk.length, null);
          if (size === 0) break;
          read += BigInt(size);
          for (const hash of hashes) hash.update(chunk.subarray(0, size));
          // A file that somebody appends to faster than it is read would never end.
          if (read > stat.size) break;
        }
      } catch (error) {
        throw failureFor(error, path);
      }
      requireUnchanged(file, read, path);
      const [md5, sha1, sha256] = hashes.map((hash) => hash.digest('hex')) as [string, string, string];
      yield {
        path,
        kind: kindOf(stat),
        size: Number(stat.size),
        mode: modeTextOf(stat),
        owner: userName(Number(stat.uid)),
        group: groupName(Number(stat.gid)),
        links: Number(stat.nlink),
        // Some file systems keep no creation time and show 0.
        createdAt: stat.birthtimeNs === 0n ? null : timeOf(stat.birthtimeNs),
        modifiedAt: timeOf(stat.mtimeNs),
        accessedAt: timeOf(stat.atimeNs),
        changedAt: timeOf(stat.ctimeNs),
        md5,
        sha1,
        sha256,
      };
      return {};
    } finally {
      file.close();
    }
  },
};

const realPathOf = (path: string): string => {
  try {
    return realpathSync(path);
  } catch (error) {
    throw failureFor(error, path);
  }
};
