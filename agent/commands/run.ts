import { spawn } from 'node:child_process';
import { closeSync, constants, openSync, rmSync, statSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { splitArguments } from '../../domain/catalogue/index.ts';
import { type Interpreter, interpreterOf } from '../library/interpreter.ts';
import { requireTrusted } from '../library/scriptTrust.ts';
import { markerVariable } from '../session/processTree.ts';
import { type CommandContext, CommandFailure, type DeviceCommand, failureFor } from './command.ts';
import { requiredLibraryFile } from './libraryFile.ts';

/** As much of a script as its first line may take. */
const headSize = 256;

/**
 * Runs a script of the library. What it prints does not pass through here: it writes to the FIFOs that the worker reads. It
 * has ended when its first process has; whatever that leaves behind is ended with proof, like after every command.
 */
export const run: DeviceCommand = {
  name: 'run',
  systems: ['linux'],
  startsProcesses: true,
  async *run(context) {
    const file = requiredLibraryFile(context);
    const split = splitArguments(String(context.parameters['parameters'] ?? ''));
    if (!split.ok) throw new CommandFailure('PARAMETERS_INVALID', split.message);
    requireDirectory(context.directory);
    const { holdLibraryFile } = await import('../library/heldFile.ts');
    const script = await holdLibraryFile(file, context.stateDirectory, context.commandId);
    try {
      requireTrusted(file);
      const { buffer, bytesRead } = await script.read(Buffer.alloc(headSize), 0, headSize, 0);
      const interpreter = interpreterOf(buffer.subarray(0, bytesRead), file.name);
      const { exitCode, signal } = await runScript(context, interpreter, script, split.words);
      if (exitCode !== null) return { exitCode };
      throw new CommandFailure(
        'ENDED_BY_SIGNAL',
        `${file.name} was ended by the signal ${signal}, not by the agent.`,
      );
    } finally {
      await script.close();
    }
  },
};

const requireDirectory = (path: string): void => {
  try {
    if (statSync(path).isDirectory()) return;
  } catch (error) {
    throw failureFor(error, path);
  }
  throw new CommandFailure('NOT_A_DIRECTORY', `${path} is not a directory.`);
};

/** Under this number the script is open in its interpreter, which reads it there and nowhere else. */
const scriptDescriptor = 3;

const runScript = (
  { commandId, sessionId, user, directory, scriptStreams }: CommandContext,
  { program, options }: Interpreter,
  script: FileHandle,
  words: readonly string[],
): Promise<{ readonly exitCode: number | null; readonly signal: NodeJS.Signals | null }> => {
  if (scriptStreams === null) throw new Error('The command came without pipes for its output.');
  const outputs = [scriptStreams.stdout, scriptStreams.stderr].map((path) => {
    const descriptor = openSync(path, constants.O_WRONLY);
    rmSync(path);
    return descriptor;
  });
  const child = spawn(program, [...options, `/proc/self/fd/${scriptDescriptor}`, ...words], {
    cwd: directory,
    stdio: ['ignore', ...outputs, script.fd],
    env: {
      PATH: process.env['PATH'],
      LANG: process.env['LANG'],
      LIVE_RESPONSE_USER: user,
      LIVE_RESPONSE_SESSION: sessionId,
      LIVE_RESPONSE_COMMAND: commandId,
      [markerVariable]: process.env[markerVariable],
    },
  });
  for (const descriptor of outputs) closeSync(descriptor);
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(failureFor(error, program)));
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });
};
