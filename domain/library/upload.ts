import type { Decider } from '../decider.ts';
import { unreachable } from '../decider.ts';
import { DomainError } from '../domainError.ts';
import type { DomainEvent } from '../envelope.ts';
import type { StreamFold } from '../eventStore.ts';
import type { AnnouncedFile, LibraryUploadEvent } from './events.ts';

interface Upload extends AnnouncedFile {
  readonly uploadId: string;
  readonly requestHash: string;
  readonly by: string;
  readonly byName: string;
}

/** `open`: its ticket takes content. `checking`: the content is frozen. Then it is `accepted` or `refused`, for ever. */
export type LibraryUploadState =
  | { readonly status: 'none' }
  | (Upload & { readonly status: 'open' | 'checking' | 'accepted'; readonly error: null })
  | (Upload & {
      readonly status: 'refused';
      readonly error: { readonly code: string; readonly message: string };
    });

export type LibraryUploadCommand =
  | ({
      readonly type: 'RequestUpload';
      readonly uploadId: string;
      readonly requestHash: string;
      readonly by: string;
      readonly byName: string;
      readonly now: string;
    } & AnnouncedFile)
  | { readonly type: 'SubmitUpload'; readonly by: string; readonly now: string }
  | { readonly type: 'AcceptUpload'; readonly now: string }
  | {
      readonly type: 'RefuseUpload';
      readonly code: string;
      readonly message: string;
      readonly now: string;
    };

const initialState: LibraryUploadState = { status: 'none' };

const evolve = (state: LibraryUploadState, event: LibraryUploadEvent): LibraryUploadState => {
  if (event.type === 'LibraryUploadRequested') {
    const { at: _, ...requested } = event.data;
    return { status: 'open', ...requested, error: null };
  }
  if (state.status === 'none') return state;
  switch (event.type) {
    case 'LibraryUploadSubmitted':
      return { ...state, status: 'checking', error: null };
    case 'LibraryUploadAccepted':
      return { ...state, status: 'accepted', error: null };
    case 'LibraryUploadRefused': {
      const { code, message } = event.data;
      return { ...state, status: 'refused', error: { code, message } };
    }
    default:
      return unreachable(event);
  }
};

const decide = (command: LibraryUploadCommand, state: LibraryUploadState): readonly LibraryUploadEvent[] => {
  if (command.type === 'RequestUpload') {
    const { type: _, now, ...requested } = command;
    if (state.status === 'none') return [{ type: 'LibraryUploadRequested', data: { ...requested, at: now } }];
    if (state.requestHash !== command.requestHash) {
      throw new DomainError(
        'IDEMPOTENCY_MISMATCH',
        'This Idempotency-Key was used for another upload. Send a new key with a new request.',
      );
    }
    return [];
  }
  if (state.status === 'none') throw unknownUpload();
  const { uploadId, name } = state;
  switch (command.type) {
    case 'SubmitUpload':
      return state.status === 'open'
        ? [{ type: 'LibraryUploadSubmitted', data: { uploadId, by: command.by, at: command.now } }]
        : [];
    case 'AcceptUpload':
      return state.status === 'checking'
        ? [{ type: 'LibraryUploadAccepted', data: { uploadId, name, at: command.now } }]
        : [];
    case 'RefuseUpload': {
      const { code, message, now } = command;
      return state.status === 'checking'
        ? [{ type: 'LibraryUploadRefused', data: { uploadId, code, message, at: now } }]
        : [];
    }
    default:
      return unreachable(command);
  }
};

/** Said of an upload that was never asked for, and of another tenant's. */
export const unknownUpload = (): DomainError =>
  new DomainError('UPLOAD_UNKNOWN', 'There is no such upload. Ask for a ticket first.');

/** One upload by ticket: asked for, filled from outside, submitted, checked. */
export const libraryUpload: Decider<LibraryUploadCommand, LibraryUploadState, LibraryUploadEvent> = {
  initialState,
  decide,
  evolve,
};

export const libraryUploadFold: StreamFold<LibraryUploadState> = {
  foldVersion: 1,
  initialState,
  evolve: (state, event: DomainEvent) => evolve(state, event as LibraryUploadEvent),
};

export const libraryUploadStream = (uploadId: string): string => `libraryUpload-${uploadId}`;
