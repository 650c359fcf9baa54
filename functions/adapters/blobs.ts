import {
  BlobSASPermissions,
  type BlobServiceClient,
  generateBlobSASQueryParameters,
  SASProtocol,
  type UserDelegationKey,
} from '@azure/storage-blob';
import type { Tickets } from '../../contracts/device.ts';
import { statusOf } from './statusOf.ts';

export const outputContainer = 'output';
export const collectedContainer = 'collected';

const keyLifetimeMs = 6 * 3_600_000;
const clockSkewMs = 5 * 60_000;
/** The form of the signature, fixed: a newer SDK would sign fields that an older service does not know. */
const signatureVersion = '2025-07-05';

/** Where output and collected files of a command lie, and the tickets that open exactly those blobs. */
export class Blobs {
  readonly #service: BlobServiceClient;
  #delegation: { readonly key: UserDelegationKey; readonly until: number } | undefined;

  constructor(service: BlobServiceClient) {
    this.#service = service;
  }

  /** Full addresses without tickets: they are part of the signed command. */
  addressesOf(
    tenantId: string,
    sessionId: string,
    commandId: string,
  ): { readonly output: string; readonly collected: string } {
    const name = `${tenantId}/${sessionId}/${commandId}`;
    const address = (container: string): string =>
      this.#service.getContainerClient(container).getBlobClient(name).url;
    return { output: address(outputContainer), collected: address(collectedContainer) };
  }

  /** Full address of a blob without a ticket. */
  addressOf(blob: string): string {
    return this.#client(blob).url;
  }

  /**
   * Tickets for the blobs of one command: the output may be created and appended to, a collected file created and written, and the
   * library file that it brings to the device be read.
   * @param lifetime seconds.
   */
  async ticketsFor(
    tenantId: string,
    sessionId: string,
    commandId: string,
    collects: boolean,
    libraryBlob: string | undefined,
    lifetime: number,
  ): Promise<Tickets> {
    const name = `${tenantId}/${sessionId}/${commandId}`;
    const until = Date.now() + lifetime * 1000;
    const output = await this.#sign(outputContainer, name, 'ac', until);
    const library = libraryBlob === undefined ? undefined : splitPath(libraryBlob);
    return {
      output,
      ...(collects ? { collected: await this.#sign(collectedContainer, name, 'cw', until) } : {}),
      ...(library === undefined
        ? {}
        : { library: await this.#sign(library.container, library.name, 'r', until) }),
    };
  }

  /** Stores what the server answered to a command, under a name that follows from its content. */
  async storeAnswer(
    tenantId: string,
    sessionId: string,
    commandId: string,
    text: string,
    sha256: string,
  ): Promise<{ readonly blob: string; readonly etag: string }> {
    const blob = `${outputContainer}/${tenantId}/${sessionId}/${commandId}-${sha256}`;
    const content = Buffer.from(text);
    try {
      const { etag } = await this.#client(blob)
        .getBlockBlobClient()
        .upload(content, content.length, { conditions: { ifNoneMatch: '*' } });
      return { blob, etag: etag ?? '' };
    } catch (error) {
      if (![409, 412].includes(statusOf(error) ?? 0)) throw error;
      return { blob, etag: (await this.etagOf(blob)) ?? '' };
    }
  }

  /** A read ticket that makes browsers save the file, never show it. */
  async downloadUrl(
    blob: string,
    fileName: string,
    lifetime: number,
  ): Promise<{ readonly url: string; readonly expiresAt: string }> {
    const { container, name } = splitPath(blob);
    const plain = fileName.replace(/[^\x20-\x7e]|["\\/;]/g, '_');
    const disposition = `attachment; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(fileName.toWellFormed())}`;
    return this.ticketUrl(container, name, 'r', lifetime, disposition);
  }

  /** An address with a ticket for one blob, which need not exist. `lifetime`: seconds. */
  async ticketUrl(
    container: string,
    name: string,
    permissions: string,
    lifetime: number,
    disposition?: string,
  ): Promise<{ readonly url: string; readonly expiresAt: string }> {
    const until = Date.now() + lifetime * 1000;
    const query = await this.#sign(container, name, permissions, until, disposition);
    return {
      url: `${this.#client(`${container}/${name}`).url}?${query}`,
      expiresAt: new Date(until).toISOString(),
    };
  }

  /** Null when the blob does not exist. */
  async etagOf(blob: string): Promise<string | null> {
    try {
      return (await this.#client(blob).getProperties()).etag ?? null;
    } catch (error) {
      if (statusOf(error) === 404) return null;
      throw error;
    }
  }

  /** Bytes `offset` to `offset + size` of a blob as a stream. */
  async read(blob: string, offset: number, size: number): Promise<NodeJS.ReadableStream> {
    const { readableStreamBody } = await this.#client(blob).download(offset, size, { maxRetryRequests: 3 });
    if (readableStreamBody === undefined) throw new Error('The blob has no content.');
    return readableStreamBody;
  }

  async check(): Promise<void> {
    await this.#service.getContainerClient(outputContainer).getProperties();
  }

  #client(blob: string) {
    const { container, name } = splitPath(blob);
    return this.#service.getContainerClient(container).getBlobClient(name);
  }

  async #sign(
    containerName: string,
    blobName: string,
    permissions: string,
    until: number,
    contentDisposition?: string,
  ): Promise<string> {
    const key = await this.#delegationKey(until);
    return generateBlobSASQueryParameters(
      {
        containerName,
        blobName,
        version: signatureVersion,
        permissions: BlobSASPermissions.parse(permissions),
        protocol: SASProtocol.Https,
        startsOn: new Date(Date.now() - clockSkewMs),
        expiresOn: new Date(until),
        ...(contentDisposition === undefined
          ? {}
          : { contentDisposition, contentType: 'application/octet-stream' }),
      },
      key,
      this.#service.accountName,
    ).toString();
  }

  async #delegationKey(until: number): Promise<UserDelegationKey> {
    if (this.#delegation === undefined || this.#delegation.until < until) {
      const expires = Math.max(Date.now() + keyLifetimeMs, until + clockSkewMs);
      const key = await this.#service.getUserDelegationKey(
        new Date(Date.now() - clockSkewMs),
        new Date(expires),
      );
      this.#delegation = { key, until: expires };
    }
    return this.#delegation.key;
  }
}

/** `container/name` as events hold it. */
export const splitPath = (blob: string): { readonly container: string; readonly name: string } => {
  const slash = blob.indexOf('/');
  if (slash < 1) throw new Error(`Not the path of a blob: ${blob}`);
  return { container: blob.slice(0, slash), name: blob.slice(slash + 1) };
};
