import { withoutBlanks } from './blanks.ts';

/** A job of `at`, as the name and the content of its file say. */
export interface AtJob {
  readonly queue: string;
  readonly number: number;
  readonly runsAt: string;
  readonly userId: number | null;
  readonly command: string;
}

/** One letter for the queue (`=` while it runs), five hexadecimal digits of a number, eight of minutes since 1970. */
export const parseAtJob = (name: string, text: string): AtJob | undefined => {
  const parts = /^([a-zA-Z=])([0-9a-f]{5})([0-9a-f]{8})$/.exec(name);
  if (parts === null) return undefined;
  const userId = /^# atrun uid=(\d+)/m.exec(text)?.[1];
  return {
    queue: parts[1] ?? '',
    number: Number.parseInt(parts[2] ?? '', 16),
    runsAt: new Date(Number.parseInt(parts[3] ?? '', 16) * 60_000).toISOString(),
    userId: userId === undefined ? null : Number(userId),
    command: commandIn(text),
  };
};

/** Behind the environment and the change of directory that `at` writes before what it was given. */
const commandIn = (text: string): string => {
  const body = /^cd [\s\S]*?\n}\n([\s\S]*)$/m.exec(text)?.[1] ?? text;
  const fenced = /^\$\{SHELL:-\/bin\/sh\} << '(\S+)'\n([\s\S]*?)\n\1\s*$/.exec(body)?.[2];
  return withoutBlanks(fenced ?? body);
};
