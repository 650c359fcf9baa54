import type { CommandResource, SessionResource } from '../../contracts/http.ts';
import { DomainError } from '../../domain/domainError.ts';
import type { Head } from '../../domain/eventStore.ts';
import { fixedLimits } from '../../domain/limits.ts';
import {
  type OpenCommand,
  openCommands,
  parseIso,
  type SessionState,
  sessionStream,
} from '../../domain/session/index.ts';
import { type JobRow, jobView } from '../../domain/views/index.ts';
import type { Services } from '../services.ts';

/** A session as the API shows it, from its head: never older than the newest append. */
export const sessionResource = async (
  services: Services,
  tenantId: string,
  head: Head<SessionState>,
): Promise<SessionResource> => {
  const { state } = head;
  const heardAt =
    state.status === 'connected'
      ? await services.presence.heardAt(tenantId, state.deviceId, state.sessionId)
      : null;
  const newest = heardAt ?? state.connectedAt;
  const silentMs = newest === null ? 0 : parseIso(services.surroundings.now()) - parseIso(newest);
  return {
    sessionId: state.sessionId,
    deviceId: state.deviceId,
    userId: state.userId,
    userName: state.userName,
    reason: state.reason,
    epoch: state.epoch,
    platform: state.platform,
    hostName: state.hostName,
    agentVersion: state.agentVersion,
    capabilities: [...state.capabilities],
    status: state.status === 'none' ? 'ended' : state.status,
    end: state.end,
    directory: state.directory,
    reachable: state.status === 'connected' ? silentMs < fixedLimits.unreachableAfter * 1000 : null,
    heardAt: newest,
    requestedAt: state.requestedAt,
    connectedAt: state.connectedAt,
    endedAt: state.endedAt,
    foreground: state.foreground,
    openCommands: openCommands(state).map((command) => ({
      commandId: command.commandId,
      name: command.name,
      line: command.line,
      background: command.background,
      state: stateOf(command),
      cancelRequested: command.cancelRequestedAt !== null,
      issuedAt: command.issuedAt,
      startedAt: command.startedAt,
    })),
    limits: { ...state.limits },
    version: head.version,
  };
};

const stateOf = (command: OpenCommand): 'Issued' | 'Started' =>
  command.startedAt === null ? 'Issued' : 'Started';

/** A command that was issued this moment, from the head: nothing has been put out or collected yet. */
export const newCommandResource = (state: SessionState, command: OpenCommand): CommandResource => ({
  commandId: command.commandId,
  sessionId: state.sessionId,
  name: command.name,
  line: command.line,
  background: command.background,
  state: stateOf(command),
  cancelRequested: command.cancelRequestedAt !== null,
  issuedBy: command.issuedBy,
  issuedAt: command.issuedAt,
  startedAt: command.startedAt,
  endedAt: null,
  duration: null,
  exitCode: null,
  error: null,
  outputSize: 0,
  files: [],
});

/** The job row of one command, folded from the session's own events: what it says is as new as the store. */
export const commandFromEvents = async (
  services: Services,
  tenantId: string,
  sessionId: string,
  commandId: string,
): Promise<CommandResource | undefined> => {
  let row: JobRow | undefined;
  for (const envelope of await services.store.readAbout(tenantId, sessionStream(sessionId), commandId)) {
    row = jobView.apply(row, envelope);
  }
  return row === undefined ? undefined : asCommandResource(row);
};

/** The same, where there has to be one: throws otherwise. */
export const commandResource = async (
  services: Services,
  tenantId: string,
  sessionId: string,
  commandId: string,
): Promise<CommandResource> => {
  const command = await commandFromEvents(services, tenantId, sessionId, commandId);
  if (command === undefined) {
    throw new DomainError('COMMAND_UNKNOWN', 'There is no such command in this session.');
  }
  return command;
};

export const asCommandResource = (row: JobRow): CommandResource => ({ ...row, files: [...row.files] });
