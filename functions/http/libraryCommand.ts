import type { BoundCommand } from '../../domain/catalogue/index.ts';
import { DomainError } from '../../domain/domainError.ts';
import type { Services } from '../services.ts';
import { deleteLibraryFile } from '../streams/libraryFiles.ts';
import { libraryFileResources } from './libraryResource.ts';
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
    await deleteLibraryFile(services, tenantId, metadata(commandId), {
      name: String(command.parameters['file']),
      requestId: commandId,
      by: actor.id,
      byName: actor.name,
    });
    return { rows: [] };
  } catch (error) {
    if (error instanceof DomainError && error.code === 'LIBRARY_FILE_UNKNOWN') return error;
    throw error;
  }
};

const rowsOf = async (services: Services, tenantId: string): Promise<readonly object[]> =>
  (await libraryFileResources(services, tenantId)).map((file) => ({
    ...file,
    signature: file.signature.state,
  }));
