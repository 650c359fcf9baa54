import { createHash } from 'node:crypto';
import { read } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { BlockUpload } from '../transport/blockUpload.ts';
import { CommandFailure, type DeviceCommand, failureFor, requiredPath } from './command.ts';
import { type OpenFile, openRegularFile, refuseLink, requireSize, requireUnchanged } from './openFile.ts';
import { textObjectOf } from './text.ts';

/** Collects one regular file. Its content goes straight to the blob of this command; the hash is of what was sent. */
export const getfile: DeviceCommand = {
  name: 'getfile',
  async *run(context) {
    const path = resolve(context.directory, requiredPath(context));
    const { collected, commandId } = context;
    if (collected === null) {
      throw new CommandFailure('TICKET_MISSING', 'The command came without a place for the file. Try again.');
    }
    refuseLink(path);
    const file = openRegularFile(path);
    try {
      requireSize(file.stat, context.limits.collectedFile, path);
      const { BlockUpload: Upload } = await import('../transport/blockUpload.ts');
      const upload = new Upload(collected.url, collected.ticket);
      const sha256 = await sendContent(file, upload, path);
      const { etag, blob } = await upload.commit();
      const size = Number(file.stat.size);
      yield { path, size, sha256, fileId: commandId };
      return {
        files: [
          {
            fileId: commandId,
            name: basename(path),
            path: textObjectOf(Buffer.from(path)),
            size,
            sha256,
            etag,
            blob,
          },
        ],
      };
    } finally {
      file.close();
    }
  },
};

const sendContent = async (
  file: OpenFile,
  upload: Pick<BlockUpload, 'blockSize' | 'add' | 'settle'>,
  path: string,
): Promise<string> => {
  const hash = createHash('sha256');
  let sent = 0n;
  try {
    for (;;) {
      const block = await readBlock(file.descriptor, upload.blockSize, path);
      if (block.length === 0) break;
      sent += BigInt(block.length);
      if (sent > file.stat.size) break;
      hash.update(block);
      await upload.add(block);
    }
  } finally {
    // The descriptor and this process outlive no transfer.
    await upload.settle();
  }
  requireUnchanged(file, sent, path);
  return hash.digest('hex');
};

/** A full block, or what is left of the file; empty at its end. */
const readBlock = async (descriptor: number, size: number, path: string): Promise<Buffer> => {
  const block = Buffer.allocUnsafe(size);
  let filled = 0;
  while (filled < size) {
    const got = await new Promise<number>((done, fail) => {
      read(descriptor, block, filled, size - filled, null, (error, bytes) =>
        error === null ? done(bytes) : fail(failureFor(error, path)),
      );
    });
    if (got === 0) break;
    filled += got;
  }
  return block.subarray(0, filled);
};
