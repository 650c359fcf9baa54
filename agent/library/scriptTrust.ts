import type { LibraryFile } from '../../contracts/device.ts';
import { isSignatureOf } from '../../evidence/scriptSignature.ts';
import { CommandFailure } from '../commands/command.ts';

/**
 * Throws unless the script may run: signed by the signer whom the signed command names, or sent with the backend's signed word
 * that the tenant allows unsigned scripts. Call it for a file whose hash was checked: the signature is about that hash.
 */
export const requireTrusted = (file: LibraryFile): void => {
  const { trust, name } = file;
  if (trust?.kind === 'unsigned-allowed') return;
  if (trust?.kind === 'signed') {
    const { algorithm, keyId, value, publicKey, signerName } = trust;
    if (isSignatureOf(file, { algorithm, keyId, value }, publicKey)) return;
    throw new CommandFailure(
      'SIGNATURE_INVALID',
      `The signature of ${name} by ${signerName} is not right for what came to this device. It was not run. Sign the script anew and upload it again.`,
    );
  }
  throw new CommandFailure(
    'SCRIPT_UNSIGNED',
    `${name} came without a signature and without leave to run unsigned. It was not run.`,
  );
};
