import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { connect } from './commands/connect.ts';
import { devices } from './commands/devices.ts';
import { download } from './commands/download.ts';
import { enrolmentToken } from './commands/enrolmentToken.ts';
import { files } from './commands/files.ts';
import { history } from './commands/history.ts';
import {
  addToLibrary,
  deleteFromLibrary,
  getFromLibrary,
  listLibrary,
  showInLibrary,
} from './commands/library.ts';
import { login } from './commands/login.ts';
import { run } from './commands/run.ts';
import { sessions } from './commands/sessions.ts';
import { settings } from './commands/settings.ts';
import { signForLibrary } from './commands/signForLibrary.ts';
import { exitCodes } from './exitCodes.ts';
import { reportOf } from './failure.ts';
import { safeJson, shownInLine } from './terminal/neutralise.ts';
import { notice, styled } from './terminal/screen.ts';

const json = ['--json', 'print JSON, one object a line'] as const;
const reason = (command: string) =>
  ['-r, --reason <text>', 'why; it is recorded', `${command}, no reason given`] as const;

/** Runs one invocation of `lr` and gives its exit code. Every failure has been told when it returns. */
export const runProgram = async (args: readonly string[]): Promise<number> => {
  let exitCode: number = exitCodes.completed;
  const program = programFor((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.completed : exitCodes.usage;
    return tell(error, args.includes('--json'));
  }
};

const programFor = (finish: (exitCode: number) => void): Command => {
  const program = new Command('lr')
    .description('Live Response: sessions on devices, with a history nobody can quietly change.')
    .option('--profile <name>', 'use this profile of the configuration')
    .option('--cut', 'cut long cells of tables instead of wrapping them')
    .exitOverride()
    .showHelpAfterError('Run lr --help for what there is.');
  const add = (usage: string, description: string): Command =>
    program.command(usage).description(description);
  const act =
    (action: (operands: readonly string[], options: never) => Promise<number>) =>
    async (...given: unknown[]): Promise<void> => {
      const command = given.at(-1) as Command;
      finish(await action(command.args, command.optsWithGlobals() as never));
    };

  add('login', 'sign in, and keep the profile')
    .option('--device-code', 'sign in as a person, in a browser anywhere (the default)')
    .option(
      '--client-credentials',
      'sign in as a client; its secret comes from LR_CLIENT_SECRET or is asked for',
    )
    .option('--server <url>', 'address of the Live Response API')
    .option('--tenant <id>', 'tenant to sign in to')
    .option('--client-id <id>', 'id of this client in the tenant')
    .option('--authority <url>', 'sign-in service')
    .option('--scope <scope>', 'scope to ask for')
    .option('--ca-file <file>', 'certificate authorities to trust beside the usual ones')
    .option(...json)
    .action(act((_, options) => login(options)));
  add('devices', 'list the devices')
    .option(...json)
    .action(act((_, options) => devices(options)));
  add('sessions', 'list the sessions, newest first')
    .addOption(new Option('--status <status>', 'only these').choices(['opening', 'connected', 'ended']))
    .option(...json)
    .action(act((_, options) => sessions(options)));
  add('connect', 'open a console on a device, by id or by the beginning of its name')
    .argument('<device>')
    .option(...reason('lr connect'))
    .option('--json', 'with lines from a pipe: print one object per command')
    .action(act(([device = ''], options) => connect(device, options)));
  add('run', 'run lines on a device, one after the other, and disconnect')
    .argument('<device>')
    .argument('<line...>', 'command lines, each quoted as one word')
    .option(...reason('lr run'))
    .option(...json)
    .action(act(([device = '', ...lines], options) => run(device, lines, options)));
  add('history', 'show all events of a session and verify their chain')
    .argument('<session>')
    .option('--export <file>', 'write the events as JSON lines')
    .option(...json)
    .action(act(([session = ''], options) => history(session, options)));
  add('files', 'list the files that a session collected')
    .argument('<session>')
    .option(...json)
    .action(act(([session = ''], options) => files(session, options)));
  add('download', 'download a collected file and check it')
    .argument('<session>')
    .argument('<fileId>')
    .option('-o, --output <file>', 'where to (its own name in this folder)')
    .option('--overwrite', 'replace a file that is there')
    .option(...json)
    .action(act(([session = '', fileId = ''], options) => download(session, fileId, options)));
  const library = add('library', 'files that responders bring: scripts to run, files to place');
  const addLibrary = (usage: string, description: string): Command =>
    library
      .command(usage)
      .description(description)
      .option(...json);
  addLibrary('add', 'add a file; given again after a failure, the upload goes on')
    .argument('<file>')
    .option('--name <name>', 'its name in the library (that of the file)')
    .option('--description <text>', 'what it is for')
    .option('--parameters <text>', 'which parameters the script takes')
    .option('--signature <file...>', 'detached signatures of it: see lr library sign')
    .option('--overwrite', 'replace the file of this name')
    .action(act(([file = ''], options) => addToLibrary(file, options)));
  addLibrary('list', 'list the files').action(act((_, options) => listLibrary(options)));
  addLibrary('show', 'show what is known about a file')
    .argument('<name>')
    .action(act(([name = ''], options) => showInLibrary(name, options)));
  addLibrary('get', 'download a file and check it')
    .argument('<name>')
    .option('-o, --output <file>', 'where to (its own name in this folder)')
    .option('--overwrite', 'replace a file that is there')
    .action(act(([name = ''], options) => getFromLibrary(name, options)));
  addLibrary('delete', 'delete a file; what ran and the history stay')
    .argument('<name>')
    .action(act(([name = ''], options) => deleteFromLibrary(name, options)));
  addLibrary('sign', 'make a detached signature with a private key of this machine')
    .argument('<file>')
    .requiredOption('--key <file>', 'private key as PEM: Ed25519 or ECDSA P-256')
    .option('--name <name>', 'the name that the file will have in the library (its own)')
    .option('-o, --output <file>', 'where to (the file with .sig added)')
    .action(act(([file = ''], options) => signForLibrary(file, options)));
  add('settings', 'show the limits and switches of the tenant')
    .option(...json)
    .action(act((_, options) => settings(options)));
  add('enrolment-token', 'make a token with which devices enrol')
    .option('--uses <n>', 'how many devices', count, 1)
    .option('--valid-for <seconds>', 'how long', count)
    .option('--description <text>', 'what it is for')
    .option(...json)
    .action(act((_, options) => enrolmentToken(options)));
  return program;
};

const count = (text: string): number => {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 1 on.');
};

const tell = (error: unknown, asJson: boolean): number => {
  const report = reportOf(error) ?? {
    exitCode: exitCodes.internal,
    code: 'INTERNAL',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    next: 'This is a fault of lr itself. Report it with the text above.',
  };
  if (asJson) {
    notice(safeJson({ error: report }));
    return report.exitCode;
  }
  const { message, next, correlationId } = report;
  const lines = message.split('\n').map(shownInLine).join('\n');
  notice(styled('red', lines, process.stderr));
  if (next !== undefined) notice(next);
  if (correlationId !== undefined) notice(`Correlation id: ${shownInLine(correlationId)}`);
  return report.exitCode;
};
