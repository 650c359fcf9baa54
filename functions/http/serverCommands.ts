import {
  type BoundCommand,
  catalogue,
  helpFor,
  helpRows,
  type Platform,
} from '../../domain/catalogue/index.ts';
import { closedEnd, openCommands, type SessionState } from '../../domain/session/index.ts';
import { type JobRow } from '../../domain/views/index.ts';
import type { LibraryOutcome } from './libraryCommand.ts';

/** What a command that needs no device may look at. */
export interface ServerCommandContext {
  readonly command: BoundCommand;
  readonly state: SessionState;
  readonly rights: readonly ('Basic' | 'Advanced')[];
  /** The command that `status` asks about, from its events; undefined when there is none. */
  readonly asked: (JobRow & { readonly output: string }) | undefined;
  /** What `library` came to; undefined for every other command, and where nothing was done. */
  readonly library: LibraryOutcome | undefined;
}

/** What a command that needs no device comes to. */
export interface Answer {
  readonly error: { readonly code: string; readonly message: string } | null;
  /** JSON lines; empty when there is nothing to show. */
  readonly text: string;
  /** Command that comes to the foreground. */
  readonly foreground: string | null;
}

/** The answers to commands that need no device. A name that is not here is not supported by this version, and says so. */
const answers: Readonly<Record<string, (context: ServerCommandContext) => Answer>> = {
  connect: ({ state }) => {
    const { sessionId, deviceId, hostName, platform, agentVersion, directory, connectedAt, capabilities } =
      state;
    return rows([
      { sessionId, deviceId, hostName, platform, agentVersion, directory, connectedAt, capabilities },
    ]);
  },
  cls: () => ({ error: null, text: '', foreground: null }),
  jobs: ({ state }) =>
    rows(
      openCommands(state).map((open) => ({
        commandId: open.commandId,
        name: open.name,
        line: open.line,
        state: open.startedAt === null ? 'Issued' : 'Started',
        background: open.background,
        issuedAt: open.issuedAt,
        startedAt: open.startedAt,
      })),
    ),
  status: ({ asked }) => {
    if (asked === undefined)
      return failed(
        'COMMAND_UNKNOWN',
        'There is no such command in this session. `jobs` lists those that run.',
      );
    const { commandId, line, state, background, issuedAt, startedAt, endedAt, duration, exitCode } = asked;
    const { error, files, outputSize, output } = asked;
    const about = { commandId, line, state, background, issuedAt, startedAt, endedAt, duration, exitCode };
    return rows([
      {
        ...about,
        error: error === null ? null : `${error.code}: ${error.message}`,
        files: files.map(({ fileId }) => fileId),
        outputSize,
        output,
      },
    ]);
  },
  library: ({ library = { rows: [] } }) =>
    'rows' in library ? rows(library.rows) : failed(library.code, library.message),
  fg: ({ state, command }) => {
    const commandId = String(command.parameters['command_id']).toLowerCase();
    const target = state.open[commandId];
    if (target === undefined) {
      const end = closedEnd(state, commandId);
      return end === undefined
        ? failed('COMMAND_UNKNOWN', 'There is no such command in this session. `jobs` lists those that run.')
        : failed(
            'COMMAND_ENDED',
            `This command has ended (${end}). \`status ${commandId}\` shows what it printed.`,
          );
    }
    if (!target.background) return failed('NOT_IN_BACKGROUND', 'This command is in the foreground already.');
    if (state.foreground !== null)
      return failed(
        'FOREGROUND_BUSY',
        'Another command runs in the foreground. Wait for it or send it to the background.',
      );
    return {
      ...rows([{ commandId, line: target.line, state: target.startedAt === null ? 'Issued' : 'Started' }]),
      foreground: commandId,
    };
  },
  help: ({ command, state, rights }) => {
    const about = { platform: state.platform as Platform, capabilities: [...state.capabilities], rights };
    const name = command.parameters['command'];
    if (name === undefined) return rows(helpRows(catalogue, about));
    const help = helpFor(String(name), catalogue, about);
    return help.ok ? rows([help.page]) : failed(help.code, help.message);
  },
};

export const isAnsweredHere = (name: string): boolean => answers[name] !== undefined;

export const answerOf = (context: ServerCommandContext): Answer => {
  const answer = answers[context.command.name];
  if (answer === undefined) throw new Error(`${context.command.name} is not answered by the server`);
  return answer(context);
};

const failed = (code: string, message: string): Answer => ({
  error: { code, message },
  text: '',
  foreground: null,
});

const rows = (list: readonly object[]): Answer => ({
  error: null,
  text: list.map((row) => `${JSON.stringify(row)}\n`).join(''),
  foreground: null,
});
