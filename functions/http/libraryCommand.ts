import type { BoundCommand } from '../../domain/catalogue/index.ts';
import { DomainError } from '../../domain/domainError.ts';
import { signatureStateOf } from '../../evidence/scriptSignature.ts';
import type { Services } from '../services.ts';
import { readLibraryFiles } from '../streams/libraryFiles.ts';
import { onLibrary, readSettingsOf } from '../streams/streams.ts';
import type { Signed } from './route.ts';

/** What the command `library` comes to: the files as rows, or why it failed. */
export type LibraryOutcome =
  { readonly rows: readonly object[] } | { readonly code: string; readonly message: string };

export const isLibraryDeletion = ({ name, parameters }: BoundCommand): boolean =>
  name === 'library' && parameters['action'] === 'delete';

/** Lists the library or deletes a file of it. Done again under the same command id, a deletion changes nothing more. */
export const libraryOutcomeOf = async (
  services: Services,
  { caller, metadata }: Signed,
  commandId: string,
  command: BoundCommand,
): Promise<LibraryOutcome> => {
  const { tenantId, actor } = caller;
  if (!isLibraryDeletion(command)) return { rows: await rowsOf(services, tenantId) };
  try {
    await onLibrary(services, tenantId, metadata(commandId), (now) => ({
      type: 'DeleteFile',
      name: String(command.parameters['file']),
      requestId: commandId,
      by: actor.id,
      byName: actor.name,
      now,
    }));
    return { rows: [] };
  } catch (error) {
    if (error instanceof DomainError && error.code === 'LIBRARY_FILE_UNKNOWN') return error;
    throw error;
  }
};

const rowsOf = async (services: Services, tenantId: string): Promise<readonly object[]> => {
  const [files, { state }] = await Promise.all([
    readLibraryFiles(services, tenantId),
    readSettingsOf(services, tenantId),
  ]);
  return files.map((file) => {
    const { name, size, sha256, description, hasParameters, parametersDescription, byName, at } = file;
    const signature = signatureStateOf(file, state.signers).state;
    return {
      ...{ name, size, description, hasParameters, parametersDescription, sha256, signature },
      updatedBy: byName,
      updatedAt: at,
    };
  });
};
