import { DomainError } from '../../domain/domainError.ts';
import type { AppendMetadata } from '../../domain/eventStore.ts';
import {
  type AnnouncedFile,
  type DetachedSignature,
  entryOf,
  type FileSignature,
  type LibraryEvent,
  type LibraryState,
  libraryStream,
} from '../../domain/library/index.ts';
import { effectiveLimits } from '../../domain/limits.ts';
import type { SettingsState } from '../../domain/settings/index.ts';
import { isSignatureOf, type SignedFile } from '../../evidence/scriptSignature.ts';
import { libraryBlob } from '../adapters/libraryBlobs.ts';
import type { Services } from '../services.ts';
import type { Decision } from './decideAndAppend.ts';
import { onLibrary, readLibrary, readSettingsOf } from './streams.ts';

type Context = Pick<Services, 'store' | 'surroundings'>;

/** Everything that is known about one file of the library: the event that added it or replaced it last. */
export type LibraryFile = Extract<LibraryEvent, { type: 'LibraryFileAdded' }>['data'];

/** The file of this name as it is now, whatever the case of the name; undefined when the library has none. */
export const readLibraryFile = async (
  context: Context,
  tenantId: string,
  name: string,
): Promise<LibraryFile | undefined> => {
  const { state } = await readLibrary(context, tenantId);
  const entry = entryOf(state, name);
  if (entry === undefined) return undefined;
  const [envelope] = await context.store.read(tenantId, libraryStream(tenantId), entry.version - 1, 1);
  const event = envelope as unknown as LibraryEvent | undefined;
  if (event === undefined || event.type === 'LibraryFileDeleted')
    throw new Error(`library of ${tenantId}: version ${entry.version} does not say what ${entry.name} is.`);
  return event.data;
};

const pageSize = 500;

/**
 * All files, by name, as they are now. Read from the library's own events, so that what was just added is there: a library changes
 * seldom, and has at most a thousand files.
 */
export const readLibraryFiles = async (
  context: Context,
  tenantId: string,
): Promise<readonly LibraryFile[]> => {
  const { state } = await readLibrary(context, tenantId);
  if (state.files.length === 0) return [];
  const wanted = new Set(state.files.map(({ version }) => version));
  const files: LibraryFile[] = [];
  const oldest = Math.min(...wanted);
  for (let after = oldest - 1; files.length < wanted.size;) {
    const page = await context.store.read(tenantId, libraryStream(tenantId), after, pageSize);
    for (const { version, data } of page) {
      if (wanted.has(version)) files.push(data as LibraryFile);
      after = version;
    }
    if (page.length < pageSize) break;
  }
  return files.sort((one, other) => (one.name.toLowerCase() < other.name.toLowerCase() ? -1 : 1));
};

/** Adds a file whose content is kept already. Throws a DomainError when the library does not take it. */
export const addLibraryFile = async (
  context: Context,
  tenantId: string,
  metadata: Omit<AppendMetadata, 'now'>,
  added: {
    readonly file: AnnouncedFile;
    readonly requestId: string;
    readonly requestHash: string;
    readonly by: string;
    readonly byName: string;
  },
): Promise<Decision<LibraryState>> => {
  const { file, ...request } = added;
  const { name, size, sha256, description, hasParameters, parametersDescription, overwrite } = file;
  const { state: settings } = await readSettingsOf(context, tenantId);
  const signatures = checkedSignatures(file, file.signatures, settings);
  return onLibrary(context, tenantId, metadata, (now) => ({
    type: 'AddFile',
    ...{ name, size, sha256, description, hasParameters, parametersDescription, overwrite },
    ...request,
    signatures,
    blob: libraryBlob(tenantId, sha256),
    largestFile: effectiveLimits(settings.limits).libraryFile,
    now,
  }));
};

/** Takes a file out of the library; its content stays. Throws a DomainError when there is no such file. */
export const deleteLibraryFile = (
  context: Context,
  tenantId: string,
  metadata: Omit<AppendMetadata, 'now'>,
  request: {
    readonly name: string;
    readonly requestId: string;
    readonly by: string;
    readonly byName: string;
  },
): Promise<Decision<LibraryState>> =>
  onLibrary(context, tenantId, metadata, (now) => ({ type: 'DeleteFile', ...request, now }));

/** The signatures with the keys that prove them. Throws when one is wrong or by nobody whom the tenant trusts. */
export const checkedSignatures = (
  file: SignedFile,
  signatures: readonly DetachedSignature[],
  { signers }: SettingsState,
): readonly FileSignature[] =>
  signatures.map(({ algorithm, keyId, value }) => {
    const signer = signers[keyId];
    if (signer === undefined) {
      throw new DomainError(
        'SIGNER_UNKNOWN',
        'The tenant does not trust the key that made this signature. An administrator can trust its public key.',
        { keyId },
      );
    }
    const { publicKey, name: signerName } = signer;
    if (!isSignatureOf(file, { algorithm, keyId, value }, publicKey)) {
      throw new DomainError(
        'SIGNATURE_INVALID',
        `The signature by ${signerName} is not about this content under the name ${file.name}. Sign the file anew.`,
        { keyId },
      );
    }
    return { algorithm, keyId, value, publicKey, signerName };
  });
