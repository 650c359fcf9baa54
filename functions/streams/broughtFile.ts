import { BlobClient } from '@azure/storage-blob';
import { decodeJwt } from 'jose';
import type { LibraryFile } from '../../contracts/device.ts';
import { DomainError } from '../../domain/domainError.ts';
import { unknownFile } from '../../domain/library/index.ts';
import { trustedSignatureOf } from '../../evidence/scriptSignature.ts';
import type { Services } from '../services.ts';
import { readLibraryFile } from './libraryFiles.ts';
import { readSettingsOf } from './streams.ts';

type Context = Pick<Services, 'store' | 'surroundings' | 'blobs'>;

/** Name of the parameter that names the library file which a command brings to the device. */
const fileParameter: Readonly<Record<string, string>> = { run: 'script', putfile: 'file' };

/**
 * The library file that a command brings to the device, as it is now; undefined for a command that brings none. Throws for a
 * file that is not there, and for a script that may not run.
 */
export const broughtFileOf = async (
  context: Context,
  tenantId: string,
  command: { readonly name: string; readonly parameters: Readonly<Record<string, string | number>> },
): Promise<LibraryFile | undefined> => {
  const parameter = fileParameter[command.name];
  if (parameter === undefined) return undefined;
  const wanted = String(command.parameters[parameter]);
  const file = await readLibraryFile(context, tenantId, wanted);
  if (file === undefined) throw unknownFile(wanted);
  const { name, size, sha256, blob } = file;
  const brought = { name, size, sha256, url: context.blobs.addressOf(blob) };
  return { ...brought, trust: command.name === 'run' ? await trustIn(context, tenantId, file) : null };
};

const trustIn = async (
  context: Context,
  tenantId: string,
  file: NonNullable<Awaited<ReturnType<typeof readLibraryFile>>>,
): Promise<NonNullable<LibraryFile['trust']>> => {
  const { state: settings } = await readSettingsOf(context, tenantId);
  const signature = trustedSignatureOf(file, settings.signers);
  if (signature !== undefined) {
    const { algorithm, keyId, value, publicKey } = signature;
    const signerName = settings.signers[keyId]?.name ?? signature.signerName;
    return { kind: 'signed', algorithm, keyId, value, publicKey, signerName };
  }
  if (settings.switches.unsignedScripts) return { kind: 'unsigned-allowed' };
  throw new DomainError(
    'SCRIPT_UNSIGNED',
    `${file.name} carries no signature of a signer whom this tenant trusts, and the tenant does not allow unsigned scripts. Sign it (lr library sign) and add it again with the signature, or have an administrator switch unsignedScripts on.`,
    { name: file.name, sha256: file.sha256 },
  );
};

/** `container/name` of the library file that a signed command brings; undefined when it brings none. */
export const broughtBlobOf = (signedCommand: string): string | undefined => {
  const { body } = decodeJwt<{ readonly body?: { readonly libraryFile?: { readonly url: string } } }>(
    signedCommand,
  );
  if (body?.libraryFile === undefined) return undefined;
  const { containerName, name } = new BlobClient(body.libraryFile.url);
  return `${containerName}/${name}`;
};
