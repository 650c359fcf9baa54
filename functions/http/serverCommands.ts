import {
  type BoundCommand,
  catalogue,
  helpFor,
  helpRows,
  type Platform,
} from '../../domain/catalogue/index.ts';
import { openCommands, type ServerAnswer, type SessionState } from '../../domain/session/index.ts';
import { type JobRow } from '../../domain/views/index.ts';
import { sha256 } from '../../evidence/canonical.ts';

/** What a command that needs no device may look at. */
export interface ServerCommandContext {
  readonly command: BoundCommand;
  readonly state: SessionState;
  readonly rights: readonly ('Basic' | 'Advanced')[];
  /** The command that `status` asks about, from its events; undefined when there is none. */
  readonly asked: (JobRow & { readonly output: string }) | undefined;
}

const largestAnswer = 8 * 1024;

/** The answers to commands that need no device. A name that is not here is not supported by this version, and says so. */
const answers: Readonly<Record<string, (context: ServerCommandContext) => ServerAnswer>> = {
  connect: ({ state }) => {
    const { sessionId, deviceId, hostName, platform, agentVersion, directory, connectedAt, capabilities } =
      state;
    return rows([
      { sessionId, deviceId, hostName, platform, agentVersion, directory, connectedAt, capabilities },
    ]);
  },
  cls: () => ({ error: null, output: null, foreground: null }),
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
    const { commandId, line, state, issuedAt, startedAt, endedAt, exitCode } = asked;
    const about = {
      commandId,
      line: line.slice(0, 500).toWellFormed(),
      state,
      issuedAt,
      startedAt,
      endedAt,
      exitCode,
    };
    // Escapes may make it many times longer, and an answer has to fit into its event.
    let { output } = asked;
    while (Buffer.byteLength(JSON.stringify({ ...about, output })) >= largestAnswer) {
      output = output.slice(0, output.length / 2).toWellFormed();
    }
    return rows([{ ...about, output }]);
  },
  fg: ({ state, command }) => {
    const commandId = String(command.parameters['command_id']).toLowerCase();
    const target = state.open[commandId];
    if (target === undefined)
      return failed('COMMAND_UNKNOWN', 'No such command runs. `jobs` lists those that run.');
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

export const answerOf = (context: ServerCommandContext): ServerAnswer => {
  const answer = answers[context.command.name];
  if (answer === undefined) throw new Error(`${context.command.name} is not answered by the server`);
  return answer(context);
};

const failed = (code: string, message: string): ServerAnswer => ({
  error: { code, message },
  output: null,
  foreground: null,
});

/** JSON lines, cut between rows when they would not fit into an event. */
const rows = (list: readonly object[]): ServerAnswer => {
  let text = '';
  for (const row of list) {
    const line = `${JSON.stringify(row)}\n`;
    if (Buffer.byteLength(text) + Buffer.byteLength(line) > largestAnswer) break;
    text += line;
  }
  const output = text === '' ? null : { text, size: Buffer.byteLength(text), sha256: sha256(text) };
  return { error: null, output, foreground: null };
};
