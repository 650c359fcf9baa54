import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'plist';
import * as z from 'zod';
import { systemCodeOf } from '../../commands/command.ts';

const calendar = z.record(z.string(), z.int());

/** The keys that say what starts and when; a job may have many others. */
const jobFile = z.object({
  Label: z.string().optional(),
  Program: z.string().optional(),
  BundleProgram: z.string().optional(),
  ProgramArguments: z.array(z.string()).optional(),
  UserName: z.string().optional(),
  Disabled: z.boolean().optional(),
  RunAtLoad: z.boolean().optional(),
  KeepAlive: z.unknown().optional(),
  StartInterval: z.int().optional(),
  StartCalendarInterval: z.union([calendar, z.array(calendar)]).optional(),
});
export type JobFile = z.infer<typeof jobFile>;

export interface LaunchJob {
  readonly path: string;
  readonly kind: 'daemon' | 'agent';
  /** Whose sign-in starts it; null for everybody's, and for daemons. */
  readonly home: string | null;
  readonly job: JobFile | undefined;
  /** Why the file could not be understood. */
  readonly problem: string | null;
}

/** Property lists are XML, or binary with a name of eight bytes in front. */
export const parsePlist = (content: Buffer): unknown =>
  parse(content.subarray(0, 8).toString('latin1') === 'bplist00' ? content : content.toString('utf8'));

const readJob = (path: string): Pick<LaunchJob, 'job' | 'problem'> => {
  try {
    const read = jobFile.safeParse(parsePlist(readFileSync(path)));
    return read.success
      ? { job: read.data, problem: null }
      : { job: undefined, problem: `Not a job of launchd: ${z.prettifyError(read.error)}` };
  } catch (error) {
    const reason = systemCodeOf(error) ?? (error instanceof Error ? error.message : String(error));
    return { job: undefined, problem: `Not read: ${reason}` };
  }
};

/** Entries of a folder, sorted; none when it is not there, and the reason when it may not be read. */
export const entriesOf = (
  folder: string,
): { readonly names: readonly string[]; readonly problem?: string } => {
  try {
    return { names: readdirSync(folder).sort() };
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === undefined) throw error;
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? { names: [] }
      : { names: [], problem: `Not read: ${code}` };
  }
};

/** Homes of the people who use this machine, and that of root. */
export const homesBelow = (root: string): readonly string[] => [
  ...entriesOf(join(root, 'Users'))
    .names.map((name) => join(root, 'Users', name))
    .filter((path) => lstatSync(path).isDirectory()),
  join(root, 'var/root'),
];

/** Every file from which launchd takes jobs, below `root`. */
export function* launchJobs(root = '/'): Generator<LaunchJob> {
  const folders: readonly (readonly [string, LaunchJob['kind'], string | null])[] = [
    [join(root, 'System/Library/LaunchDaemons'), 'daemon', null],
    [join(root, 'Library/LaunchDaemons'), 'daemon', null],
    [join(root, 'System/Library/LaunchAgents'), 'agent', null],
    [join(root, 'Library/LaunchAgents'), 'agent', null],
    ...homesBelow(root).map((home) => [join(home, 'Library/LaunchAgents'), 'agent', home] as const),
  ];
  for (const [folder, kind, home] of folders) {
    const { names, problem } = entriesOf(folder);
    if (problem !== undefined) yield { path: folder, kind, home, job: undefined, problem };
    for (const name of names) {
      const path = join(folder, name);
      if (name.endsWith('.plist')) yield { path, kind, home, ...readJob(path) };
    }
  }
}

/** What a job executes, and the whole line. */
export const commandOf = (
  job: JobFile | undefined,
): { readonly program: string | null; readonly line: string | null } => {
  const program = job?.Program ?? job?.BundleProgram ?? job?.ProgramArguments?.[0] ?? null;
  return { program, line: job?.ProgramArguments?.join(' ') ?? program };
};

/** When a job runs by the clock; null for one that does not. */
export const scheduleOf = (job: JobFile): string | null => {
  const { StartInterval: every, StartCalendarInterval: at } = job;
  const parts = [
    ...(every === undefined ? [] : [`every ${every} seconds`]),
    ...(at === undefined ? [] : (Array.isArray(at) ? at : [at]).map(calendarText)),
  ];
  return parts.length === 0 ? null : parts.join('; ');
};

const calendarText = (at: z.infer<typeof calendar>): string => {
  const fields = Object.entries(at).map(([name, value]) => `${name.toLowerCase()} ${value}`);
  return fields.length === 0 ? 'every minute' : `at ${fields.join(', ')}`;
};
