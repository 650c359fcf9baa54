import type { LibraryFile as LibraryFileResource, LibraryUpload } from '../../contracts/http.ts';
import { type LibraryUploadState, unknownUpload } from '../../domain/library/index.ts';
import type { SettingsState } from '../../domain/settings/index.ts';
import { signatureStateOf } from '../../evidence/scriptSignature.ts';
import type { Services } from '../services.ts';
import { type LibraryFile, readLibraryFiles } from '../streams/libraryFiles.ts';
import { readSettingsOf } from '../streams/streams.ts';

/** A library file as the API shows it; its signature stands as it does today. */
export const libraryFileResource = (file: LibraryFile, { signers }: SettingsState): LibraryFileResource => {
  const { name, size, sha256, description, hasParameters, parametersDescription, byName, at } = file;
  return {
    ...{ name, size, sha256, description, hasParameters, parametersDescription },
    signature: signatureStateOf(file, signers),
    updatedBy: byName,
    updatedAt: at,
  };
};

/** The whole library as the API shows it, by name. */
export const libraryFileResources = async (
  services: Services,
  tenantId: string,
): Promise<readonly LibraryFileResource[]> => {
  const [files, { state: settings }] = await Promise.all([
    readLibraryFiles(services, tenantId),
    readSettingsOf(services, tenantId),
  ]);
  return files.map((file) => libraryFileResource(file, settings));
};

export const libraryUploadResource = (state: LibraryUploadState): LibraryUpload => {
  if (state.status === 'none') throw unknownUpload();
  const { uploadId, name, size, sha256, status, error } = state;
  return { uploadId, name, size, sha256, status, error };
};
