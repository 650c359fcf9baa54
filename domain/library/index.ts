import type { Decider } from '../decider.ts';
import { unreachable } from '../decider.ts';
import { DomainError } from '../domainError.ts';
import type { DomainEvent } from '../envelope.ts';
import type { StreamFold } from '../eventStore.ts';
import type { LibraryEvent, StoredFile } from './events.ts';
import { refuseFileName, sameFileName } from './fileName.ts';

export type {
  AnnouncedFile,
  DetachedSignature,
  FileDescription,
  FileSignature,
  LibraryEvent,
  LibraryUploadEvent,
  StoredFile,
} from './events.ts';
export { signatureAlgorithms } from './events.ts';
export { isFileName, longestFileName, refuseFileName } from './fileName.ts';
export {
  type LibraryUploadCommand,
  type LibraryUploadState,
  libraryUpload,
  libraryUploadFold,
  libraryUploadStream,
  unknownUpload,
} from './upload.ts';

/**
 * What the head holds about one file: enough to decide, small enough for a thousand. Everything else is in the event at
 * `version`, one point read away.
 */
export interface LibraryEntry {
  readonly name: string;
  readonly sha256: string;
  readonly size: number;
  readonly version: number;
}

/** A request that changed the library lately: the same one again changes nothing. */
interface RecentRequest {
  readonly requestId: string;
  readonly requestHash: string;
}

export interface LibraryState {
  readonly version: number;
  readonly files: readonly LibraryEntry[];
  readonly recent: readonly RecentRequest[];
}

export type LibraryCommand =
  | ({
      readonly type: 'AddFile';
      readonly overwrite: boolean;
      readonly requestId: string;
      readonly requestHash: string;
      readonly by: string;
      readonly byName: string;
      /** Bytes. */
      readonly largestFile: number;
      readonly now: string;
    } & StoredFile)
  | {
      readonly type: 'DeleteFile';
      readonly name: string;
      readonly requestId: string;
      readonly by: string;
      readonly byName: string;
      readonly now: string;
    };

/** A thousand entries with the longest names take 230 KB of the 256 KB that a head may have. */
export const mostLibraryFiles = 1_000;
const rememberedRequests = 50;
export const mostSignatures = 4;
/** Characters. */
export const longestDescription = 500;

const initialState: LibraryState = { version: 0, files: [], recent: [] };

/** The file of this name, whatever its case. */
export const entryOf = (state: LibraryState, name: string): LibraryEntry | undefined =>
  state.files.find((file) => sameFileName(file.name, name));

/** Stands for a deletion in the place of a hash. */
const deletionOf = (name: string): string => `delete ${name.toLowerCase()}`;

const remembering = (state: LibraryState, request: RecentRequest): readonly RecentRequest[] =>
  [...state.recent, request].slice(-rememberedRequests);

const evolve = (state: LibraryState, event: LibraryEvent): LibraryState => {
  const version = state.version + 1;
  switch (event.type) {
    case 'LibraryFileAdded':
    case 'LibraryFileReplaced': {
      const { name, sha256, size, requestId, requestHash } = event.data;
      const others = state.files.filter((file) => !sameFileName(file.name, name));
      return {
        version,
        files: [...others, { name, sha256, size, version }],
        recent: remembering(state, { requestId, requestHash }),
      };
    }
    case 'LibraryFileDeleted': {
      const { name, requestId } = event.data;
      return {
        version,
        files: state.files.filter((file) => !sameFileName(file.name, name)),
        recent: remembering(state, { requestId, requestHash: deletionOf(name) }),
      };
    }
    default:
      return unreachable(event);
  }
};

const decide = (command: LibraryCommand, state: LibraryState): readonly LibraryEvent[] => {
  const before = state.recent.find(({ requestId }) => requestId === command.requestId);
  switch (command.type) {
    case 'AddFile': {
      if (before !== undefined) {
        refuseOtherRequest(before.requestHash, command.requestHash);
        return [];
      }
      const { type: _, overwrite: _overwrite, largestFile, now, ...added } = command;
      refuseAddition(state, command, largestFile);
      const existing = entryOf(state, command.name);
      return existing === undefined
        ? [{ type: 'LibraryFileAdded', data: { ...added, at: now } }]
        : [
            {
              type: 'LibraryFileReplaced',
              data: { ...added, replaced: { name: existing.name, sha256: existing.sha256 }, at: now },
            },
          ];
    }
    case 'DeleteFile': {
      if (before !== undefined) {
        refuseOtherRequest(before.requestHash, deletionOf(command.name));
        return [];
      }
      const { requestId, by, byName, now } = command;
      const existing = entryOf(state, command.name);
      if (existing === undefined) throw unknownFile(command.name);
      const { name, sha256 } = existing;
      return [{ type: 'LibraryFileDeleted', data: { name, sha256, requestId, by, byName, at: now } }];
    }
    default:
      return unreachable(command);
  }
};

const refuseOtherRequest = (first: string, now: string): void => {
  if (first !== now) {
    throw new DomainError(
      'IDEMPOTENCY_MISMATCH',
      'This Idempotency-Key was used for another request. Send a new key with a new request.',
    );
  }
};

/** The file of that name is not there, in the words that every refusal of it has. */
export const unknownFile = (name: string): DomainError =>
  new DomainError(
    'LIBRARY_FILE_UNKNOWN',
    'There is no such file in the library. List the library to see what it has.',
    { name },
  );

/** Throws when a file like this may not be added. Asked early, before anything is uploaded, and when it is decided. */
export const refuseAddition = (
  state: LibraryState,
  file: Pick<StoredFile, 'name' | 'size' | 'description' | 'parametersDescription'> & {
    readonly overwrite: boolean;
    readonly signatures: readonly unknown[];
  },
  largestFile: number,
): void => {
  refuseFileName(file.name);
  if (file.size > largestFile) {
    throw new DomainError(
      'LIBRARY_FILE_TOO_LARGE',
      `A library file has at most ${largestFile} bytes. An administrator can raise the limit.`,
      { limit: largestFile },
    );
  }
  if (file.signatures.length > mostSignatures || !isShort(file.description, file.parametersDescription)) {
    throw new DomainError(
      'LIBRARY_DESCRIPTION_INVALID',
      `A description has at most ${longestDescription} characters, and a file at most ${mostSignatures} signatures.`,
      { limit: longestDescription },
    );
  }
  const existing = entryOf(state, file.name);
  if (existing !== undefined && !file.overwrite) {
    const { name, sha256, size } = existing;
    throw new DomainError(
      'LIBRARY_FILE_EXISTS',
      `The library has a file called ${name}. Ask to overwrite it, or choose another name.`,
      { name, sha256, size },
    );
  }
  if (existing === undefined && state.files.length >= mostLibraryFiles) {
    throw new DomainError(
      'LIBRARY_FULL',
      `The library has ${mostLibraryFiles} files, which is the most it can have. Delete one first.`,
      { limit: mostLibraryFiles },
    );
  }
};

const isShort = (...texts: readonly string[]): boolean =>
  texts.every((text) => text.length <= longestDescription);

export const library: Decider<LibraryCommand, LibraryState, LibraryEvent> = { initialState, decide, evolve };

export const libraryFold: StreamFold<LibraryState> = {
  foldVersion: 1,
  initialState,
  evolve: (state, event: DomainEvent) => evolve(state, event as LibraryEvent),
};

export const libraryStream = (tenantId: string): string => `library-${tenantId}`;
