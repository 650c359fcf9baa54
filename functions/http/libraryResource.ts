import type { LibraryFile as LibraryFileResource, LibraryUpload } from '../../contracts/http.ts';
import { type LibraryUploadState, unknownUpload } from '../../domain/library/index.ts';
import type { SettingsState } from '../../domain/settings/index.ts';
import { signatureStateOf } from '../../evidence/scriptSignature.ts';
import type { LibraryFile } from '../streams/libraryFiles.ts';

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

export const libraryUploadResource = (state: LibraryUploadState): LibraryUpload => {
  if (state.status === 'none') throw unknownUpload();
  const { uploadId, name, size, sha256, status, error } = state;
  return { uploadId, name, size, sha256, status, error };
};
