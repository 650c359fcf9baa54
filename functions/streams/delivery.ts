import type { DownwardPayload, LibraryFile, Tickets } from '../../contracts/device.ts';
import { type SessionEvent, type SessionState, sessionStream } from '../../domain/session/index.ts';
import { signPayload } from '../../evidence/commandSignature.ts';
import { bucketOf } from '../adapters/deviceChannel.ts';
import type { Services } from '../services.ts';
import { broughtBlobOf } from './broughtFile.ts';

type Context = Pick<Services, 'devices' | 'keys' | 'blobs'>;

/** A cancel or a close is of use for as long as a device may come back to it. */
const controlTimeToLive = 600;
/** After its time limit a command may still be uploading what it found. */
const ticketGrace = 300;

const addressOf = (tenantId: string, state: SessionState, messageId: string) => ({
  v: 1 as const,
  messageId,
  tenantId,
  deviceId: state.deviceId,
  sessionId: state.sessionId,
  epoch: state.epoch,
});

const send = async (
  context: Context,
  state: SessionState,
  messageId: string,
  jws: string,
  tickets: Tickets,
  timeToLive: number,
) =>
  context.devices.send(
    state.deviceId,
    bucketOf(state.deviceId),
    messageId,
    { v: 1, jws, tickets },
    timeToLive,
  );

const signAndSend = async (
  context: Context,
  state: SessionState,
  payload: DownwardPayload,
  timeToLive: number,
): Promise<void> => {
  const { current } = await context.keys();
  await send(context, state, payload.messageId, await signPayload(payload, current), {}, timeToLive);
};

/** All of these may be repeated: the message id makes the broker drop a second one, and the agent knows what it did. */
export const sendOpen = (context: Context, tenantId: string, state: SessionState): Promise<void> =>
  signAndSend(
    context,
    state,
    {
      ...addressOf(tenantId, state, `${state.sessionId}:open`),
      kind: 'session.open',
      body: { directory: null },
    },
    state.limits.connect,
  );

export const sendClose = (context: Context, tenantId: string, state: SessionState): Promise<void> =>
  signAndSend(
    context,
    state,
    {
      ...addressOf(tenantId, state, `${state.sessionId}:close`),
      kind: 'session.close',
      body: { reason: state.end ?? 'Ended' },
    },
    controlTimeToLive,
  );

export const sendCancel = (
  context: Context,
  tenantId: string,
  state: SessionState,
  commandId: string,
  reason: string,
): Promise<void> =>
  signAndSend(
    context,
    state,
    {
      ...addressOf(tenantId, state, `${commandId}:cancel`),
      kind: 'command.cancel',
      commandId,
      body: { reason },
    },
    controlTimeToLive,
  );

/** The signed command: stored in its event, sent as it is, verifiable for ever. */
export const signCommand = async (
  context: Context,
  tenantId: string,
  state: SessionState,
  command: {
    readonly commandId: string;
    readonly line: string;
    readonly name: string;
    readonly parameters: Readonly<Record<string, string | number>>;
    readonly flags: readonly string[];
    readonly output: 'table' | 'json';
    readonly background: boolean;
    readonly timeLimit: number;
    readonly libraryFile: LibraryFile | undefined;
    readonly user: string;
  },
): Promise<string> => {
  const { commandId, line, name, parameters, flags, output, background, timeLimit, libraryFile, user } =
    command;
  const addresses = context.blobs.addressesOf(tenantId, state.sessionId, commandId);
  const { current } = await context.keys();
  const payload: DownwardPayload = {
    ...addressOf(tenantId, state, `${commandId}:execute`),
    kind: 'command.execute',
    commandId,
    body: {
      line,
      name,
      parameters: { ...parameters },
      flags: [...flags],
      output,
      background,
      timeLimit,
      limits: { collectedFile: state.limits.collectedFile, fileinfoFile: state.limits.fileinfoFile },
      blobs: { output: addresses.output, collected: collects(name) ? addresses.collected : null },
      // An agent that can run scripts knows these; to all others nothing changes.
      ...(libraryFile === undefined ? {} : { libraryFile, user }),
    },
  };
  return signPayload(payload, current);
};

const collects = (name: string): boolean => name === 'getfile';

/** Sends a signed command with fresh tickets for its blobs. */
export const sendExecute = async (
  context: Context,
  tenantId: string,
  state: SessionState,
  command: {
    readonly commandId: string;
    readonly name: string;
    readonly timeLimit: number;
    readonly startWithin: number;
    readonly signed: string;
  },
): Promise<void> => {
  const { commandId, name, timeLimit, startWithin, signed } = command;
  const lifetime = startWithin + timeLimit + ticketGrace;
  const tickets = await context.blobs.ticketsFor(
    tenantId,
    state.sessionId,
    commandId,
    collects(name),
    broughtBlobOf(signed),
    lifetime,
  );
  await send(context, state, `${commandId}:execute`, signed, tickets, startWithin);
};

/** Reads the signed command from its event: exactly what was signed when it was issued goes out again. */
export const resendCommand = async (
  services: Context & Pick<Services, 'store'>,
  tenantId: string,
  state: SessionState,
  commandId: string,
): Promise<void> => {
  const command = state.open[commandId];
  if (command === undefined) return;
  const [issued] = await services.store.read(
    tenantId,
    sessionStream(state.sessionId),
    command.issuedVersion - 1,
    1,
  );
  const event = issued as unknown as Extract<SessionEvent, { type: 'CommandIssued' }> | undefined;
  if (event?.type !== 'CommandIssued' || event.data.signed === null) return;
  await sendExecute(services, tenantId, state, { ...event.data, signed: event.data.signed });
};
