import { request } from 'node:https';
import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  generateAccountSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';

const created = 201;
const existsAlready = 409;

/**
 * Makes the containers that are missing, with the account's key as an administrator would. A plain request, because the
 * SDK's client cannot be told which authority to trust.
 */
export async function makeContainers(
  blobEndpoint: string,
  account: { readonly name: string; readonly key: string },
  ca: string,
  containers: readonly string[],
): Promise<void> {
  const signature = generateAccountSASQueryParameters(
    {
      expiresOn: new Date(Date.now() + 60_000),
      permissions: AccountSASPermissions.parse('c'),
      services: AccountSASServices.parse('b').toString(),
      resourceTypes: AccountSASResourceTypes.parse('c').toString(),
    },
    new StorageSharedKeyCredential(account.name, account.key),
  );
  for (const container of containers) {
    const { status, body } = await put(`${blobEndpoint}/${container}?restype=container&${signature}`, ca);
    if (status !== created && status !== existsAlready) {
      throw new Error(`The container '${container}' cannot be made: ${status} ${body}`);
    }
  }
}

function put(url: string, ca: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: 'PUT', ca, agent: false, headers: { 'content-length': 0 } });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    outgoing.end();
  });
}
