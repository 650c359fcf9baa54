/** A line of the agent's log as `trace` shows it. */
export interface LogLine {
  /** UTC ISO 8601. */
  readonly at: string;
  readonly message: string;
}

const followers = new Set<(line: LogLine) => void>();

/** Tells every line of this process, detailed ones included, until the answer is called. */
export const followLog = (follower: (line: LogLine) => void): (() => void) => {
  followers.add(follower);
  return () => void followers.delete(follower);
};

/** One short line on stderr. Never put a token, a ticket or a key into it. */
export const log = (text: string): void => {
  process.stderr.write(`${new Date().toISOString()} ${text}\n`);
  tell(text);
};

/** A line for those who follow the log in detail; it goes nowhere else. The same holds for secrets. */
export const logDetail = (text: string): void => tell(text);

const tell = (text: string): void => {
  if (followers.size === 0) return;
  const line = { at: new Date().toISOString(), message: withoutSecrets(text) };
  for (const follower of followers) follower(line);
};

export const reasonOf = (error: unknown): string =>
  withoutSecrets(error instanceof Error ? error.message : String(error));

/**
 * Second line of defence, for texts that come from elsewhere: query strings of addresses may be tickets, and signed tokens,
 * access signatures and enrolment tokens open doors.
 */
export const withoutSecrets = (text: string): string =>
  text
    .replace(/(\w+:\/\/[^\s?"']+)\?[^\s"']*/g, '$1?…')
    .replace(/SharedAccessSignature\s[^\s"']+/g, 'SharedAccessSignature …')
    .replace(/\bsig=[^&\s"']+/g, 'sig=…')
    .replace(/\bBearer\s+[^\s"']+/gi, 'Bearer …')
    .replace(/\beyJ[\w-]+\.[\w-]*\.[\w-]*/g, 'eyJ…')
    .replace(/\blre_[\w-]+/g, 'lre_…');
