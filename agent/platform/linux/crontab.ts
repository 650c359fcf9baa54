/** A line of a crontab that starts something. Texts are bytes as latin1 text. */
export interface CronLine {
  /** As it stands there: five fields, or a name such as `@reboot`. */
  readonly schedule: string;
  /** Null in a table that belongs to a user. */
  readonly user: string | null;
  readonly command: string;
  /** What the command reads: cron cuts a line at its first bare `%`, and the others end lines of that text. */
  readonly input: string | null;
  /** `NAME=value` of the lines above it. */
  readonly environment: readonly string[];
}

const setting = /^[ \t]*("[^"]*"|'[^']*'|[^ \t=#"']+)[ \t]*=[ \t]*(.*?)[ \t]*$/;
const named = '@[a-z]+';
const five = '(?:-?[^ \\t@-][^ \\t]*[ \\t]+)(?:[^ \\t]+[ \\t]+){3}[^ \\t]+';

/** Lines of a crontab in their order; what cron itself would not take is left out. */
export function* parseCrontab(text: string, hasUsers: boolean): Generator<CronLine> {
  const user = hasUsers ? '([^ \\t]+)[ \\t]+' : '()';
  const entry = new RegExp(`^[ \\t]*(${named}|${five})[ \\t]+${user}([^ \\t].*)$`);
  const environment: string[] = [];
  for (const line of text.split('\n')) {
    if (/^[ \t]*(?:#|$)/.test(line)) continue;
    const variable = setting.exec(line);
    if (variable !== null) {
      environment.push(`${unquoted(variable[1] ?? '')}=${unquoted(variable[2] ?? '')}`);
      continue;
    }
    const parts = entry.exec(line);
    if (parts === null) continue;
    const [, schedule = '', name = '', rest = ''] = parts;
    yield {
      schedule: schedule.replace(/^-/, ''),
      user: hasUsers ? name : null,
      ...cutAtPercent(rest),
      environment: [...environment],
    };
  }
}

const unquoted = (text: string): string => /^(["'])(.*)\1$/.exec(text)?.[2] ?? text;

const cutAtPercent = (text: string): Pick<CronLine, 'command' | 'input'> => {
  const [command = '', ...input] = text.split(/(?<!\\)%/).map((part) => part.replaceAll('\\%', '%'));
  return { command, input: input.length === 0 ? null : input.join('\n') };
};
