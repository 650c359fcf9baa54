import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { signFile } from '../../evidence/scriptSignature.ts';
import { sizeAndHashOf } from '../../sdk/upload.ts';
import type { JsonOption } from '../context.ts';
import { exitCodes } from '../exitCodes.ts';
import { Failure } from '../failure.ts';
import { shownInLine } from '../terminal/neutralise.ts';
import { print, printJson } from '../terminal/screen.ts';

export interface SignOptions extends JsonOption {
  readonly key: string;
  /** The name that the file will have in the library. */
  readonly name?: string;
  readonly output?: string;
}

/** Makes a detached signature with a private key of this machine; nothing is sent anywhere. */
export const signForLibrary = async (path: string, options: SignOptions): Promise<number> => {
  const { name = basename(path), output = `${path}.sig` } = options;
  const file = { name, ...(await sizeAndHashOf(path)) };
  const signature = signFile(file, await privateKeyOf(options.key));
  if (signature === undefined) throw wrongKey(options.key);
  await writeFile(output, `${JSON.stringify(signature, null, 2)}\n`);
  if (options.json) printJson({ ...signature, ...file, output });
  else
    print(
      `Signed as ${shownInLine(name)} with key ${signature.keyId.slice(0, 16)}…: lr library add ${shownInLine(path)} --signature ${shownInLine(output)}`,
    );
  return exitCodes.completed;
};

const privateKeyOf = async (path: string): Promise<KeyObject> => {
  const pem = await readFile(path, 'utf8').catch((error: Error) => {
    throw new Failure(exitCodes.usage, 'KEY_UNREADABLE', `${path} cannot be read: ${error.message}`);
  });
  try {
    return createPrivateKey(pem);
  } catch {
    throw wrongKey(path);
  }
};

const wrongKey = (path: string): Failure =>
  new Failure(
    exitCodes.usage,
    'KEY_INVALID',
    `${path} is not a private key that can sign: Ed25519 or ECDSA P-256, as PEM, without a passphrase.`,
    'Make one: openssl genpkey -algorithm ed25519 -out private.pem',
  );
