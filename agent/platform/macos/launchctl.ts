import { toolText, unknownOutput } from '../tool.ts';

const file = '/bin/launchctl';

export interface LoadedJob {
  readonly label: string;
  readonly pid: number | null;
}

/** Output of `launchctl list`: process, last status and label. */
export const parseLoaded = (text: string): readonly LoadedJob[] => {
  const [heading, ...lines] = text.split('\n');
  if (heading !== 'PID\tStatus\tLabel') throw unknownOutput(file, heading ?? 'nothing');
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const [, pid, label] = /^(-|\d+)\t-?\d+\t(.+)$/.exec(line) ?? [];
      if (pid === undefined || label === undefined) throw unknownOutput(file, line);
      return { label, pid: pid === '-' ? null : Number(pid) };
    });
};

/** Output of `launchctl print-disabled`: labels that were switched on or off, whatever their files say. */
export const parseOverrides = (text: string): ReadonlyMap<string, boolean> => {
  const isDisabled = new Map<string, boolean>();
  let isInside = false;
  let isFound = false;
  for (const line of text.split('\n')) {
    if (/^\s*disabled services = \{$/.test(line)) isInside = isFound = true;
    else if (/^\s*\}$/.test(line)) isInside = false;
    else if (isInside && line.trim() !== '') {
      const [, label, state] = /^\s*"(.+)" => (disabled|enabled|true|false)$/.exec(line) ?? [];
      if (label === undefined) throw unknownOutput(file, line);
      isDisabled.set(label, state === 'disabled' || state === 'true');
    }
  }
  if (!isFound) throw unknownOutput(file, text);
  return isDisabled;
};

export const loadedJobs = async (): Promise<readonly LoadedJob[]> =>
  parseLoaded(await toolText({ file, args: ['list'] }));

export const systemOverrides = async (): Promise<ReadonlyMap<string, boolean>> =>
  parseOverrides(await toolText({ file, args: ['print-disabled', 'system'] }));
