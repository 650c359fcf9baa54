import { readFile } from 'node:fs/promises';
import type * as z from 'zod';
import { detachedSignature } from '../../contracts/http.ts';
import { exitCodes } from '../exitCodes.ts';
import { Failure } from '../failure.ts';

type Signature = z.infer<typeof detachedSignature>;

/** The signatures in these files, as `lr library sign` writes them. */
export const readSignatures = (paths: readonly string[]): Promise<Signature[]> =>
  Promise.all(paths.map(readSignature));

const readSignature = async (path: string): Promise<Signature> => {
  try {
    return detachedSignature.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== undefined) throw error;
    throw new Failure(
      exitCodes.usage,
      'SIGNATURE_FILE_INVALID',
      `${path} is not a signature.`,
      'Make one: lr library sign FILE --key PRIVATE.pem',
    );
  }
};
