import { toolText, unknownOutput } from '../tool.ts';

const file = '/usr/bin/dscl';

/** Output of `dscl . -list /Users UniqueID`: a name and a number a line. Names of the system begin with an underscore. */
export const parseAccounts = (text: string): ReadonlyMap<number, string> => {
  const names = new Map<number, string>();
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const [, name, id] = /^(\S.*?)\s+(-?\d+)$/.exec(line) ?? [];
    if (name === undefined) throw unknownOutput(file, line);
    // nobody is -2, which the kernel shows without a sign.
    const number = Number(id) >>> 0;
    if (!names.has(number)) names.set(number, name);
  }
  return names;
};

export const userNames = async (): Promise<ReadonlyMap<number, string>> =>
  parseAccounts(await toolText({ file, args: ['.', '-list', '/Users', 'UniqueID'] }));
