import { type BigIntStats, type Dir, lstatSync, opendirSync, readlinkSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { groupName, userName } from '../platform/linux/accounts.ts';
import { type DeviceCommand, failureFor, type Row, systemCodeOf } from './command.ts';
import { kindOf, modeTextOf, timeOf } from './fileFacts.ts';
import { textOf } from './text.ts';

const slash = Buffer.from('/');

/**
 * Lists a directory in the order of the file system, which keeps memory small however many entries there are. Entries that
 * cannot be looked at are reported one by one. A file is listed as itself.
 */
export const dir: DeviceCommand = {
  name: 'dir',
  systems: ['linux'],
  async *run(context) {
    const given = context.parameters['path'];
    const path = typeof given === 'string' && given !== '' ? given : '.';
    const absolute = resolve(context.directory, path);
    let open: Dir;
    try {
      const stat = lstatSync(absolute, { bigint: true });
      // A link that somebody names is followed when it leads to a directory; entries are never followed.
      const leadsToDirectory =
        stat.isDirectory() ||
        (stat.isSymbolicLink() && statSync(absolute, { throwIfNoEntry: false })?.isDirectory() === true);
      if (!leadsToDirectory) {
        yield rowOf(Buffer.from(absolute), lastPartOf(absolute), stat, null);
        return {};
      }
      // The types know only text encodings here; names that are not UTF-8 need their bytes.
      open = opendirSync(absolute, { encoding: 'buffer' as BufferEncoding, bufferSize: 256 });
    } catch (error) {
      throw failureFor(error, absolute);
    }
    const parent = Buffer.from(absolute === '/' ? '' : absolute);
    try {
      for (let entry = open.readSync(); entry !== null; entry = open.readSync()) {
        const name = entry.name as unknown as Buffer;
        yield entryRow(Buffer.concat([parent, slash, name]), name);
      }
    } finally {
      open.closeSync();
    }
    return {};
  },
};

const lastPartOf = (path: string): Buffer => Buffer.from(path.slice(path.lastIndexOf('/') + 1));

const entryRow = (path: Buffer, name: Buffer): Row => {
  try {
    return rowOf(path, name, lstatSync(path, { bigint: true }), null);
  } catch (error) {
    return rowOf(path, name, undefined, systemCodeOf(error) ?? String(error));
  }
};

const rowOf = (path: Buffer, name: Buffer, stat: BigIntStats | undefined, error: string | null): Row => ({
  name: textOf(name),
  kind: stat === undefined ? null : kindOf(stat),
  size: stat === undefined ? null : Number(stat.size),
  mode: stat === undefined ? null : modeTextOf(stat),
  owner: stat === undefined ? null : userName(Number(stat.uid)),
  group: stat === undefined ? null : groupName(Number(stat.gid)),
  modifiedAt: stat === undefined ? null : timeOf(stat.mtimeNs),
  accessedAt: stat === undefined ? null : timeOf(stat.atimeNs),
  changedAt: stat === undefined ? null : timeOf(stat.ctimeNs),
  linkTarget: stat?.isSymbolicLink() === true ? linkTargetOf(path) : null,
  path: textOf(path),
  error,
});

const linkTargetOf = (path: Buffer): Row[string] => {
  try {
    return textOf(readlinkSync(path, { encoding: 'buffer' }));
  } catch {
    return null;
  }
};
