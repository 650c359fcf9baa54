import { describe } from '../log.ts';
import type { StartOptions } from './options.ts';
import { readOptions, usage, UsageError } from './options.ts';
import { startApp } from './startApp.ts';

/** What a shell reports for a program that Ctrl+C ended at once. */
const INTERRUPTED = 130;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

let end: () => void = () => process.exit(INTERRUPTED);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end());
process.on('disconnect', () => end());

try {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') say(usage);
  else await run(options);
} catch (error) {
  process.stderr.write(`${describe(error)}\n`);
  if (error instanceof UsageError) process.stderr.write('Run local-functions --help for what there is.\n');
  process.exit(error instanceof UsageError ? 2 : 1);
}

async function run(options: StartOptions): Promise<void> {
  const { host, report } = await startApp(options);
  end = () => {
    end = () => process.exit(INTERRUPTED);
    say('Ending; Ctrl+C again ends at once.');
    host.close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${describe(error)}\n`);
        process.exit(1);
      },
    );
  };
  say(report);
}
