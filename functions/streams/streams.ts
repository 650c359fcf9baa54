import { type AccessEvent, accessFold, accessStream } from '../../domain/access/index.ts';
import {
  type DeviceCommand,
  type DeviceState,
  device,
  deviceFold,
  deviceStream,
} from '../../domain/device/index.ts';
import type { Decider } from '../../domain/decider.ts';
import type { DomainEvent } from '../../domain/envelope.ts';
import type { AppendMetadata, Head, StreamFold } from '../../domain/eventStore.ts';
import {
  type LibraryCommand,
  type LibraryState,
  type LibraryUploadCommand,
  type LibraryUploadState,
  library,
  libraryFold,
  libraryStream,
  libraryUpload,
  libraryUploadFold,
  libraryUploadStream,
} from '../../domain/library/index.ts';
import {
  type SessionCommand,
  type SessionState,
  session,
  sessionFold,
  sessionStream,
} from '../../domain/session/index.ts';
import {
  type SettingsCommand,
  type SettingsState,
  settings,
  settingsFold,
  settingsStream,
} from '../../domain/settings/index.ts';
import {
  type SlotsCommand,
  type SlotsState,
  slots,
  slotsFold,
  slotsStream,
} from '../../domain/slots/index.ts';
import type { Services } from '../services.ts';
import { type Decision, decideAndAppend } from './decideAndAppend.ts';

type Context = Pick<Services, 'store' | 'surroundings'>;
type Metadata = Omit<AppendMetadata, 'now'>;
/** Commands are made when the state and the time are known; an undefined one asks for nothing. */
type Asking<Command, State> = (
  now: string,
  state: State,
) => Command | undefined | Promise<Command | undefined>;

interface Target<State> {
  readonly tenantId: string;
  readonly streamId: string;
  readonly fold: StreamFold<State>;
  /** Of a head that was just read. */
  readonly head?: Head<State> | undefined;
}

/** Decides a command on the newest state of one stream and appends what comes of it. */
const on = <Command, State, Event extends DomainEvent>(
  context: Context,
  { head, ...target }: Target<State>,
  metadata: Metadata,
  decider: Decider<Command, State, Event>,
  ask: Asking<Command, State>,
): Promise<Decision<State>> =>
  decideAndAppend(
    context,
    { ...target, ...(head === undefined ? {} : { head }) },
    metadata,
    async (state, now): Promise<readonly Event[]> => {
      const command = await ask(now, state);
      return command === undefined ? [] : decider.decide(command, state);
    },
  );

export const onSession = (
  context: Context,
  tenantId: string,
  sessionId: string,
  metadata: Metadata,
  ask: Asking<SessionCommand, SessionState>,
  head?: Head<SessionState>,
): Promise<Decision<SessionState>> =>
  on(
    context,
    { tenantId, streamId: sessionStream(sessionId), fold: sessionFold, head },
    metadata,
    session,
    ask,
  );

export const onSlots = (
  context: Context,
  tenantId: string,
  metadata: Metadata,
  ask: Asking<SlotsCommand, SlotsState>,
): Promise<Decision<SlotsState>> =>
  on(context, { tenantId, streamId: slotsStream(tenantId), fold: slotsFold }, metadata, slots, ask);

export const onDevice = (
  context: Context,
  tenantId: string,
  deviceId: string,
  metadata: Metadata,
  ask: Asking<DeviceCommand, DeviceState>,
): Promise<Decision<DeviceState>> =>
  on(context, { tenantId, streamId: deviceStream(deviceId), fold: deviceFold }, metadata, device, ask);

export const onSettings = (
  context: Context,
  tenantId: string,
  metadata: Metadata,
  ask: Asking<SettingsCommand, SettingsState>,
): Promise<Decision<SettingsState>> =>
  on(context, { tenantId, streamId: settingsStream(tenantId), fold: settingsFold }, metadata, settings, ask);

export const onLibrary = (
  context: Context,
  tenantId: string,
  metadata: Metadata,
  ask: Asking<LibraryCommand, LibraryState>,
): Promise<Decision<LibraryState>> =>
  on(context, { tenantId, streamId: libraryStream(tenantId), fold: libraryFold }, metadata, library, ask);

export const onLibraryUpload = (
  context: Context,
  tenantId: string,
  uploadId: string,
  metadata: Metadata,
  ask: Asking<LibraryUploadCommand, LibraryUploadState>,
): Promise<Decision<LibraryUploadState>> =>
  on(
    context,
    { tenantId, streamId: libraryUploadStream(uploadId), fold: libraryUploadFold },
    metadata,
    libraryUpload,
    ask,
  );

/** Records who read what, in the day's access stream. */
export const recordAccess = (
  context: Context,
  tenantId: string,
  metadata: Metadata,
  event: (now: string) => AccessEvent,
): Promise<Decision<{ readonly events: number }>> =>
  decideAndAppend(
    context,
    { tenantId, streamId: accessStream(tenantId, context.surroundings.now()), fold: accessFold },
    metadata,
    (_state, now) => [event(now)],
  );

export const readSession = (context: Context, tenantId: string, sessionId: string) =>
  context.store.head(tenantId, sessionStream(sessionId), sessionFold);
export const readDevice = (context: Context, tenantId: string, deviceId: string) =>
  context.store.head(tenantId, deviceStream(deviceId), deviceFold);
export const readSettingsOf = (context: Context, tenantId: string) =>
  context.store.head(tenantId, settingsStream(tenantId), settingsFold);
export const readLibrary = (context: Context, tenantId: string) =>
  context.store.head(tenantId, libraryStream(tenantId), libraryFold);
export const readLibraryUpload = (context: Context, tenantId: string, uploadId: string) =>
  context.store.head(tenantId, libraryUploadStream(uploadId), libraryUploadFold);
export const readSlots = (context: Context, tenantId: string) =>
  context.store.head(tenantId, slotsStream(tenantId), slotsFold);

/** Gives the slot of an ended session back. Every path that ends a session does this; reconciliation makes sure of it. */
export const releaseSlot = (
  context: Context,
  tenantId: string,
  sessionId: string,
  reason: string,
  metadata: Metadata,
) => onSlots(context, tenantId, metadata, (now) => ({ type: 'ReleaseSlot', sessionId, reason, now }));
