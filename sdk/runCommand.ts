import type { CommandResource, SessionResource } from '../contracts/http.ts';
import { ConnectionError } from './errors.ts';
import type { Envelope, FollowOptions } from './sessionEvents.ts';

export interface RunCommandOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told every event about this command, in order. */
  readonly onEvent?: (event: Envelope) => void;
  /** Version of the session to follow from; saves a request when it is known. */
  readonly after?: number;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** The calls of the client that running one command takes. */
interface SessionCalls {
  readonly server: string;
  session(sessionId: string, options: CallOptions): Promise<SessionResource>;
  issueCommand(sessionId: string, line: string, options: CallOptions): Promise<CommandResource>;
  command(sessionId: string, commandId: string, options: CallOptions): Promise<CommandResource>;
  events(sessionId: string, options: FollowOptions): AsyncIterable<Envelope>;
}

/** Events that end a command. */
export const commandEnds: ReadonlySet<string> = new Set([
  'CommandCompleted',
  'CommandFailed',
  'CommandCancelled',
  'CommandTimedOut',
  'CommandLost',
]);

/** Issues `line` and follows its events; gives the command as it ended, whatever its end. */
export const runCommand = async (
  client: SessionCalls,
  sessionId: string,
  line: string,
  { signal, onEvent = () => {}, after }: RunCommandOptions,
): Promise<CommandResource> => {
  const from = after ?? (await client.session(sessionId, { signal })).version;
  const { commandId } = await client.issueCommand(sessionId, line, { signal });
  for await (const event of client.events(sessionId, { after: from, signal })) {
    if (event.data.commandId !== commandId) continue;
    onEvent(event);
    if (commandEnds.has(event.type)) return client.command(sessionId, commandId, { signal });
  }
  const command = await client.command(sessionId, commandId, { signal });
  if (command.endedAt === null) {
    throw new ConnectionError(client.server, 'the events of the session ended before the command did');
  }
  return command;
};
