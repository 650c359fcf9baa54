import { Command, Option } from 'commander';
import { deviceKinds } from '../contracts/device.ts';
import type { EnrolOptions } from './enrol.ts';
import { defaultStateDirectory } from './settings/stateDirectory.ts';
import { agentVersion } from './version.ts';

/** The commands for people; `worker` and `executor` are started by the agent itself and do not come here. */
export const runCommandLine = async (argv: readonly string[]): Promise<void> => {
  const program = new Command('agent')
    .description('The Live Response device agent.')
    .version(agentVersion)
    .showHelpAfterError();
  const state = [
    '--state <directory>',
    'where the agent keeps its key and its journal',
    defaultStateDirectory,
  ] as const;

  program
    .command('enrol')
    .alias('enroll')
    .description('make this device known to a backend; once, or again without harm')
    .requiredOption('--server <url>', 'address of the backend')
    .requiredOption('--token <token>', 'enrolment token from an administrator')
    .option(...state)
    .option('--name <name>', 'name to show for this device; its host name unless given')
    .option('--ca-file <file>', 'PEM file of a further certificate authority to trust')
    .addOption(
      new Option('--kind <kind>', 'what this device is used as; found out unless given').choices(deviceKinds),
    )
    .action(async (options: EnrolOptions) => {
      const { enrol } = await import('./enrol.ts');
      process.stdout.write(`${await enrol(options)}\n`);
    });
  for (const [name, description] of [
    ['install', 'make the agent a service that the system starts and restarts (systemd)'],
    ['uninstall', 'take the service away; the key and the journal stay'],
  ] as const) {
    program
      .command(name)
      .description(description)
      .option(...state)
      .option('--root <directory>', 'write below this folder instead of /, and start nothing')
      .action(async (options: { state: string; root?: string }) => {
        const { installService, uninstallService } = await import('./install/systemdService.ts');
        const act = name === 'install' ? installService : uninstallService;
        process.stdout.write(`${act(options)}\n`);
      });
  }
  program
    .command('run')
    .description('run the agent until it is told to stop')
    .option(...state)
    .action(async (options: { state: string }) => {
      const { run } = await import('./run.ts');
      await run(options.state);
    });
  program
    .command('status')
    .description('show what the agent is and does, as JSON')
    .option(...state)
    .action(async (options: { state: string }) => {
      const { status } = await import('./status.ts');
      process.stdout.write(`${JSON.stringify(status(options.state), null, 2)}\n`);
    });
  await program.parseAsync([...argv]);
};
