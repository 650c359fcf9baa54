/** What makes another process run this same program: `node` options, then the file that was started. */
export const programArguments = (): readonly string[] => {
  const [, file] = process.argv;
  if (file === undefined) throw new Error('This program must be started from a file.');
  return [...process.execArgv, file];
};
