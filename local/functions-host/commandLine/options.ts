import { parseArgs } from 'node:util';
import { describe } from '../log.ts';

export const usage = `Usage: local-functions start [options]

Runs the Azure Functions app (Node, programming model v4, Durable Functions included) of a folder on this machine.

Options:
  -p, --port <n>           port; 0 takes any free one (default: Host.LocalHttpPort of local.settings.json, else 7071)
      --app <folder>       folder with host.json and package.json (default: this one)
      --data-dir <folder>  where durable and timer state and the keys are kept (default: .local-functions in the app)
      --app-processes <n>  processes that run the app (default: FUNCTIONS_WORKER_PROCESS_COUNT, else 1)
      --cors <origins>     origins, separated by commas, or * (default: Host.CORS of local.settings.json, else none)
  -v, --verbose            log every invocation, and the app's logs from level debug on
  -h, --help               show this text

Settings come from Values of local.settings.json and from the environment, which wins. Ctrl+C ends it; the state stays.`;

export interface StartOptions {
  app: string;
  port?: number;
  dataDir?: string;
  appProcesses?: number;
  cors?: string;
  verbose: boolean;
}

/** The command line was not understood. */
export class UsageError extends Error {}

/** @throws {UsageError} saying what is wrong with the arguments. */
export function readOptions(args: readonly string[]): StartOptions | 'help' {
  const { values, positionals } = parse(args);
  if (values.help === true) return 'help';
  const [command, ...more] = positionals;
  if (command === undefined) throw new UsageError('No command given; the command is "start".');
  if (command !== 'start') throw new UsageError(`There is no command "${command}"; the command is "start".`);
  if (more.length > 0) throw new UsageError(`"start" takes no argument "${more.join(' ')}".`);
  return {
    app: values.app ?? '.',
    verbose: values.verbose === true,
    ...(values.port !== undefined && { port: wholeNumber(values.port, '--port', 0, 65_535) }),
    ...(values['data-dir'] !== undefined && { dataDir: values['data-dir'] }),
    ...(values['app-processes'] !== undefined && {
      appProcesses: wholeNumber(values['app-processes'], '--app-processes', 1, 64),
    }),
    ...(values.cors !== undefined && { cors: values.cors }),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        port: { type: 'string', short: 'p' },
        app: { type: 'string' },
        'data-dir': { type: 'string' },
        'app-processes': { type: 'string' },
        cors: { type: 'string' },
        verbose: { type: 'boolean', short: 'v' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(describe(error));
  }
}

/** @throws {UsageError} naming the option or setting that holds something else. */
export function wholeNumber(text: string, where: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new UsageError(`${where} must be a whole number from ${least} to ${most}, it is "${text}".`);
  }
  return value;
}
