/** One short line on stderr. Never put a token, a ticket or a key into it. */
export const log = (text: string): void => {
  process.stderr.write(`${new Date().toISOString()} ${text}\n`);
};

export const reasonOf = (error: unknown): string =>
  withoutQueries(error instanceof Error ? error.message : String(error));

/** Query strings of addresses may be tickets. */
const withoutQueries = (text: string): string =>
  text.replace(/(https?:\/\/[^\s?"']+)\?[^\s"']*/g, '$1?…').replace(/sig=[^&\s"']+/g, 'sig=…');
