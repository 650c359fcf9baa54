import { type Dir, type Dirent, lstatSync, opendirSync, realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { readMounts } from '../platform/linux/mounts.ts';
import {
  CommandFailure,
  type CommandContext,
  type DeviceCommand,
  failureFor,
  type Row,
  systemCodeOf,
} from './command.ts';
import { kindOf, timeOf } from './fileFacts.ts';
import { namePattern } from './namePattern.ts';
import { textOf } from './text.ts';

/** Rows that were found go out when the walk makes room for it. */
const walkAtOnceMs = 50;

/**
 * Finds entries by name, directories and links included, and never goes through a link, so that no path is walked twice. A
 * directory that is not searched has a row that says why. The directory that somebody names is searched whatever it lies on.
 */
export const findfile: DeviceCommand = {
  name: 'findfile',
  systems: ['linux'],
  async *run(context) {
    const matches = namePattern(wantedName(context), context.flags.has('ignore_case'));
    const start = startOf(context);
    const mounts = readMounts();
    // Paths are bytes, kept as latin1 text: half the memory of buffers, and names that are not UTF-8 stay what they are.
    const waiting = [start];
    let since = performance.now();
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      const reason = path === start ? undefined : mounts.unsearched(path);
      if (reason !== undefined) {
        yield skippedRow(path, reason);
        waiting.push(...mounts.searchedBelow(path));
        continue;
      }
      let open: Dir;
      try {
        // The types know only text encodings here; names that are not UTF-8 need their bytes.
        open = opendirSync(bytesOf(path), { encoding: 'buffer' as BufferEncoding, bufferSize: 256 });
      } catch (error) {
        // What is gone by now needs no mention.
        if (systemCodeOf(error) !== 'ENOENT')
          yield skippedRow(path, `Not searched: ${reasonFor(error, path)}`);
        continue;
      }
      const parent = path === '/' ? '' : path;
      const below: string[] = [];
      try {
        for (let entry = nextOf(open); entry !== null; entry = nextOf(open)) {
          if (entry instanceof Error) {
            yield skippedRow(path, `Not searched to its end: ${reasonFor(entry, path)}`);
            break;
          }
          const name = entry.name as unknown as Buffer;
          const child = `${parent}/${name.toString('latin1')}`;
          if (matches(name.toString('utf8'))) yield hitRow(child, name);
          if (entry.isDirectory()) below.push(child);
          if (performance.now() - since > walkAtOnceMs) {
            await setImmediate();
            since = performance.now();
          }
        }
      } finally {
        open.closeSync();
      }
      for (const child of below.reverse()) waiting.push(child);
    }
    return {};
  },
};

const wantedName = ({ parameters }: CommandContext): string => {
  const name = parameters['name'];
  if (typeof name !== 'string' || name === '') {
    throw new CommandFailure('PARAMETER_MISSING', 'The parameter name is missing.');
  }
  if (name.includes('/')) {
    throw new CommandFailure(
      'NAME_INVALID',
      `${name} is a path. Give the name alone, and the directory to search after it: findfile NAME DIRECTORY.`,
    );
  }
  return name;
};

const startOf = ({ directory, parameters }: CommandContext): string => {
  const given = parameters['path'];
  if (typeof given !== 'string' || given === '') return '/';
  if (given.includes('\0')) throw new CommandFailure('FILE_NOT_FOUND', 'A path cannot hold a NUL character.');
  const path = resolve(directory, given);
  try {
    if (!statSync(path).isDirectory())
      throw new CommandFailure('NOT_A_DIRECTORY', `${path} is not a directory.`);
    return realpathSync(path, { encoding: 'buffer' }).toString('latin1');
  } catch (error) {
    throw failureFor(error, path);
  }
};

const bytesOf = (path: string): Buffer => Buffer.from(path, 'latin1');

const nextOf = (open: Dir): Dirent | Error | null => {
  try {
    return open.readSync();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
};

const reasonFor = (error: unknown, path: string): string => {
  const failure = failureFor(error, bytesOf(path).toString('utf8'));
  return failure instanceof Error ? failure.message : String(failure);
};

const skippedRow = (path: string, note: string): Row => ({
  path: textOf(bytesOf(path)),
  name: null,
  kind: 'directory',
  size: null,
  modifiedAt: null,
  note,
});

const hitRow = (path: string, name: Buffer): Row => {
  const bytes = bytesOf(path);
  try {
    const stat = lstatSync(bytes, { bigint: true });
    return {
      path: textOf(bytes),
      name: textOf(name),
      kind: kindOf(stat),
      size: Number(stat.size),
      modifiedAt: timeOf(stat.mtimeNs),
      note: null,
    };
  } catch (error) {
    return {
      path: textOf(bytes),
      name: textOf(name),
      kind: null,
      size: null,
      modifiedAt: null,
      note: reasonFor(error, path),
    };
  }
};
