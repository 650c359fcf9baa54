import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, statSync } from 'node:fs';

/** A program larger than this is not hashed in passing; `fileinfo` does. */
const mostBytes = 512 * 1024 * 1024;

/** SHA-256 of a regular file; null when there is none, or it cannot be read. */
export const hashOf = async (path: string | Buffer | null): Promise<string | null> => {
  if (path === null) return null;
  try {
    const stat = statSync(path);
    if (!stat.isFile() || stat.size > mostBytes) return null;
    const hash = createHash('sha256');
    for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
    return hash.digest('hex');
  } catch {
    return null;
  }
};

/** Size and last change of an entry itself; nothing when it is gone. */
export const sizeAndTime = (
  path: string | Buffer,
): { readonly size?: number; readonly modifiedAt?: string } => {
  try {
    const { size, mtime } = lstatSync(path);
    return { size, modifiedAt: mtime.toISOString() };
  } catch {
    return {};
  }
};
