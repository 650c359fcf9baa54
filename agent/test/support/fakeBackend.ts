import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import { createSasTokenProvider } from '@azure/core-amqp';
import { AzureNamedKeyCredential } from '@azure/core-auth';
import {
  ServiceBusAdministrationClient,
  ServiceBusClient,
  type ServiceBusReceivedMessage,
} from '@azure/service-bus';
import {
  BlobSASPermissions,
  BlobServiceClient,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { importJWK, jwtVerify } from 'jose';
import {
  type DevicePublicKey,
  type DownwardPayload,
  deviceQueueOf,
  deviceTokenRequest,
  type EnrolRequest,
  type ExecuteBody,
  enrolAudience,
  enrolRequest,
  type KeySet,
  type LibraryFile,
  messagesQueue,
  parseSessionMessage,
  parseUpward,
  presenceQueue,
  type SessionMessageContent,
  type Tickets,
  tokenAudience,
  type UpwardMessage,
  upwardPath,
} from '../../../contracts/device.ts';
import { sha256 } from '../../../evidence/canonical.ts';
import { keySetHash, type SigningKey, signKeySet, signPayload } from '../../../evidence/commandSignature.ts';
import { deviceIdOf, isSignedBy, thumbprintOf } from '../../../evidence/deviceSignature.ts';
import { createAuthority } from '../../../local/certificates/authority.ts';
import { type RunningBroker, startBroker } from '../../../local/service-bus/broker.ts';
import type { BrokerConfig } from '../../../local/service-bus/config.ts';
import { startStorage } from '../../../local/storage/server.ts';
import { type CommandKey, newCommandKey } from './commandKey.ts';

export const tenantId = '11111111-2222-3333-4444-555555555555';
export const enrolmentToken = `lre_${tenantId}_secret`;
const account = {
  name: 'teststorage',
  key: Buffer.from('a key for tests only, 32 bytes..').toString('base64'),
};

export type SessionReport = UpwardMessage & SessionMessageContent;
export type Ended = Extract<SessionReport, { kind: 'command.ended' }>;

/** Server, broker and storage as a device sees them; everything it says is checked like the real backend checks it. */
export class FakeBackend {
  readonly directory: string;
  readonly caFile: string;
  readonly server: string;
  /** What came up, in order of arrival. */
  readonly messages: SessionReport[] = [];
  readonly presence: UpwardMessage[] = [];
  readonly faults: string[] = [];
  readonly tokensIssued: string[] = [];
  refuseTokens = false;
  /** Seconds that this backend's clock is ahead. */
  clockAhead = 0;
  renewAfter = 1800;
  heartbeatEvery = 600;
  keySets: KeySet[] = [];
  signer: CommandKey = newCommandKey('key-1');
  readonly #https: Server;
  readonly #storage: { close(): Promise<void> };
  readonly #busConfig: BrokerConfig;
  readonly #blobs: BlobServiceClient;
  #broker: RunningBroker | undefined;
  #namespace = '';
  #bus: ServiceBusClient | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #deviceKeys = new Map<string, DevicePublicKey>();
  readonly #sessionsRead = new Set<string>();
  readonly #usedAssertions = new Set<string>();

  private constructor(parts: {
    directory: string;
    caFile: string;
    https: Server;
    storage: { close(): Promise<void> };
    busConfig: BrokerConfig;
    blobEndpoint: string;
  }) {
    this.directory = parts.directory;
    this.caFile = parts.caFile;
    this.#https = parts.https;
    this.#storage = parts.storage;
    this.#busConfig = parts.busConfig;
    this.server = `https://localhost:${(parts.https.address() as AddressInfo).port}`;
    this.#blobs = new BlobServiceClient(
      parts.blobEndpoint,
      new StorageSharedKeyCredential(account.name, account.key),
    );
  }

  static async start(): Promise<FakeBackend> {
    const directory = await mkdtemp(join(tmpdir(), 'agent-backend-'));
    const { caFile, certFile, keyFile } = await createAuthority(join(directory, 'certificates'));
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), await readFile(caFile, 'utf8')]);
    const busConfig: BrokerConfig = {
      dataDir: join(directory, 'bus'),
      synchronous: 'NORMAL',
      tls: { certFile, keyFile },
      namespaces: [
        {
          name: 'devices',
          port: 0,
          rules: [
            { name: 'root', key: 'root-key', rights: ['Manage', 'Send', 'Listen'] },
            { name: 'listen', key: 'listen-key', rights: ['Listen'] },
            { name: 'send', key: 'send-key', rights: ['Send'] },
          ],
          queues: [{ name: presenceQueue }, { name: messagesQueue, requiresSession: true }],
        },
      ],
    };
    const storage = await startStorage({
      dataDir: join(directory, 'blobs'),
      port: 0,
      tls: { certFile, keyFile, caFile },
      account,
      containers: ['output', 'collected', 'library'],
    });
    const https = createServer({ cert: await readFile(certFile), key: await readFile(keyFile) });
    await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve));
    const backend = new FakeBackend({
      directory,
      caFile,
      https,
      storage,
      busConfig,
      blobEndpoint: storage.blobEndpoint,
    });
    await backend.#begin();
    return backend;
  }

  async #begin(): Promise<void> {
    this.keySets = [
      await signKeySet({ version: 1, keys: [this.signer.jwk], previousHash: null }, this.signer),
    ];
    this.#https.on('request', (request, response) => {
      void text(request).then(async (content) => {
        const { status, body } = await this.#answer(
          request.url ?? '',
          content === '' ? {} : JSON.parse(content),
        );
        response.writeHead(status, {
          'content-type': 'application/json',
          date: new Date(Date.now() + this.clockAhead * 1000).toUTCString(),
        });
        response.end(JSON.stringify(body));
      });
    });
    await this.startBus();
  }

  async startBus(): Promise<void> {
    const [namespace] = this.#busConfig.namespaces;
    const port = Number(this.#namespace.split(':')[1] ?? 0);
    this.#broker = await startBroker({
      ...this.#busConfig,
      namespaces: namespace === undefined ? [] : [{ ...namespace, port }],
    });
    this.#namespace = this.#broker.namespaces['devices'] ?? '';
    this.#bus = new ServiceBusClient(this.#connectionString, {
      retryOptions: { maxRetries: 2, retryDelayInMs: 100, timeoutInMs: 10_000 },
    });
    this.#bus.createReceiver(presenceQueue).subscribe(
      {
        processMessage: async ({ body }) => {
          this.presence.push(this.#checked(body));
          this.#notify();
        },
        processError: async () => undefined,
      },
      { autoCompleteMessages: true },
    );
    for (const sessionId of this.#sessionsRead) await this.#subscribe(sessionId);
  }

  async stopBus(): Promise<void> {
    await this.#bus?.close();
    await this.#broker?.close();
  }

  get #connectionString(): string {
    return `Endpoint=sb://${this.#namespace}/;SharedAccessKeyName=root;SharedAccessKey=root-key`;
  }

  get #openBus(): ServiceBusClient {
    if (this.#bus === undefined) throw new Error('The bus is not started.');
    return this.#bus;
  }

  async close(): Promise<void> {
    await this.stopBus();
    this.#https.closeAllConnections();
    await new Promise((resolve) => this.#https.close(resolve));
    await this.#storage.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Rotates the command key; the new set is signed by the old key. */
  async rotateKey(kid: string): Promise<void> {
    const previous = this.keySets.at(-1) as KeySet;
    const next = newCommandKey(kid);
    this.keySets.push(
      await signKeySet(
        {
          version: previous.version + 1,
          keys: [this.signer.jwk, next.jwk],
          previousHash: keySetHash(previous),
        },
        this.signer,
      ),
    );
    this.signer = next;
  }

  // ---- HTTP

  async #answer(url: string, content: unknown): Promise<{ status: number; body: unknown }> {
    if (url === '/api/devices/enrol') return this.#enrol(enrolRequest.parse(content));
    if (url === '/api/keys') return { status: 200, body: { keySets: this.keySets } };
    const device = /^\/api\/devices\/([^/]+)\/token$/.exec(url)?.[1];
    if (device !== undefined) return this.#token(device, deviceTokenRequest.parse(content).assertion);
    return { status: 404, body: { code: 'NOT_FOUND' } };
  }

  async #enrol(request: EnrolRequest): Promise<{ status: number; body: unknown }> {
    const { payload } = await jwtVerify(request.proof, await importJWK(request.publicKey, 'EdDSA'), {
      audience: enrolAudience,
    });
    if (payload['token_sha256'] !== sha256(request.token) || request.token !== enrolmentToken) {
      return { status: 403, body: { code: 'ENROLMENT_TOKEN_INVALID', detail: 'no such token' } };
    }
    const deviceId = deviceIdOf(tenantId, request.publicKey);
    const isNew = !this.#deviceKeys.has(deviceId);
    this.#deviceKeys.set(deviceId, request.publicKey);
    if (isNew) {
      await new ServiceBusAdministrationClient(this.#connectionString).createQueue(deviceQueueOf(deviceId), {
        lockDuration: 'PT5S',
        maxDeliveryCount: 100,
      });
    }
    const kid = thumbprintOf(request.publicKey);
    return { status: isNew ? 201 : 200, body: { tenantId, deviceId, kid, keySets: this.keySets } };
  }

  async #token(deviceId: string, assertion: string): Promise<{ status: number; body: unknown }> {
    const key = this.#deviceKeys.get(deviceId);
    const refused = { status: 401, body: { code: 'UNAUTHENTICATED' } };
    if (this.refuseTokens || key === undefined) return refused;
    try {
      const { payload } = await jwtVerify(assertion, await importJWK(key, 'EdDSA'), {
        audience: tokenAudience,
        issuer: deviceId,
        subject: deviceId,
        currentDate: new Date(Date.now() + this.clockAhead * 1000),
      });
      if (payload.jti === undefined || this.#usedAssertions.has(payload.jti)) return refused;
      this.#usedAssertions.add(payload.jti);
    } catch {
      return refused;
    }
    this.tokensIssued.push(deviceId);
    const token = async (rule: string, path: string) =>
      (
        await createSasTokenProvider(new AzureNamedKeyCredential(rule, `${rule}-key`)).getToken(
          `sb://${this.#namespace}/${path}`,
        )
      )?.token;
    return {
      status: 200,
      body: {
        namespace: this.#namespace,
        queue: deviceQueueOf(deviceId),
        listenToken: await token('listen', deviceQueueOf(deviceId)),
        sendToken: await token('send', upwardPath),
        presenceQueue,
        messagesQueue,
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
        serverTime: new Date(Date.now() + this.clockAhead * 1000).toISOString(),
        heartbeatEvery: this.heartbeatEvery,
        renewAfter: this.renewAfter,
        keySets: this.keySets,
      },
    };
  }

  // ---- up

  #checked(body: unknown): UpwardMessage {
    const message = parseUpward(body);
    const key = this.#deviceKeys.get(message.deviceId);
    if (key === undefined || !isSignedBy(message, key)) this.faults.push(`unsigned: ${JSON.stringify(body)}`);
    return message;
  }

  /** From now on the messages of this session are read, in order. */
  async read(sessionId: string): Promise<void> {
    if (this.#sessionsRead.has(sessionId)) return;
    this.#sessionsRead.add(sessionId);
    await this.#subscribe(sessionId);
  }

  async #subscribe(sessionId: string): Promise<void> {
    const receiver = await this.#openBus.acceptSession(messagesQueue, sessionId);
    receiver.subscribe(
      {
        processMessage: async ({ body }: ServiceBusReceivedMessage) => {
          const message = this.#checked(body);
          const last = this.messages.filter((known) => known.sessionId === sessionId).at(-1);
          const isRepeat = last?.messageId === message.messageId;
          if (isRepeat) return;
          if (message.sequence !== (last?.sequence ?? 0) + 1) {
            this.faults.push(`sequence ${message.sequence} after ${last?.sequence ?? 0}`);
          }
          this.messages.push({ ...message, ...parseSessionMessage(message) });
          this.#notify();
        },
        processError: async () => undefined,
      },
      { autoCompleteMessages: true },
    );
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  /** The first value that `look` finds, now or later. */
  async until<Value>(what: string, look: () => Value | undefined, timeoutMs = 15_000): Promise<Value> {
    const found = look();
    if (found !== undefined) return found;
    return new Promise<Value>((resolve, reject) => {
      const listener = (): void => {
        const value = look();
        if (value === undefined) return;
        clearTimeout(timer);
        this.#listeners.delete(listener);
        resolve(value);
      };
      const timer = setTimeout(() => {
        this.#listeners.delete(listener);
        const heard = this.messages.map(({ kind, body }) => `${kind} ${JSON.stringify(body).slice(0, 200)}`);
        reject(new Error(`Not within ${timeoutMs} ms: ${what}. Heard: ${heard.join('; ')}`));
      }, timeoutMs);
      this.#listeners.add(listener);
    });
  }

  endsOf(commandId: string): readonly Ended[] {
    return this.messages.filter(
      (message): message is Ended => message.kind === 'command.ended' && message.body.commandId === commandId,
    );
  }

  ended(commandId: string, timeoutMs?: number): Promise<Ended> {
    return this.until(`end of ${commandId}`, () => this.endsOf(commandId)[0], timeoutMs);
  }

  // ---- down

  async send(payload: DownwardPayload, tickets: Tickets = {}, by: SigningKey = this.signer): Promise<string> {
    const jws = await signPayload(payload, by);
    await this.sendRaw(payload.deviceId, { v: 1, jws, tickets });
    return jws;
  }

  async sendRaw(deviceId: string, body: unknown): Promise<void> {
    const sender = this.#openBus.createSender(deviceQueueOf(deviceId));
    await sender.sendMessages({
      messageId: randomUUID(),
      body,
      contentType: 'application/json',
      timeToLive: 120_000,
    });
    await sender.close();
  }

  payloads(deviceId: string, sessionId: string, epoch: number) {
    const address = { v: 1 as const, tenantId, deviceId, sessionId, epoch };
    const messageId = (): string => randomUUID();
    return {
      open: (): DownwardPayload => ({
        ...address,
        messageId: messageId(),
        kind: 'session.open',
        body: { directory: null },
      }),
      close: (): DownwardPayload => ({
        ...address,
        messageId: messageId(),
        kind: 'session.close',
        body: { reason: 'Disconnected' },
      }),
      cancel: (commandId: string): DownwardPayload => ({
        ...address,
        messageId: messageId(),
        kind: 'command.cancel',
        commandId,
        body: { reason: 'user' },
      }),
      execute: (commandId: string, name: string, more: Partial<ExecuteBody> = {}): DownwardPayload => ({
        ...address,
        messageId: messageId(),
        kind: 'command.execute',
        commandId,
        body: {
          line: name,
          name,
          parameters: {},
          flags: [],
          output: 'table',
          background: false,
          timeLimit: 60,
          limits: { collectedFile: 3 * 1024 ** 3, fileinfoFile: 30 * 1024 ** 3 },
          blobs: {
            output: this.blob('output', `${sessionId}/${commandId}`).url,
            collected: this.blob('collected', `${sessionId}/${commandId}`).url,
          },
          ...more,
        },
      }),
    };
  }

  blob(container: string, name: string) {
    return this.#blobs.getContainerClient(container).getBlobClient(name);
  }

  tickets(sessionId: string, commandId: string): Tickets {
    const name = `${sessionId}/${commandId}`;
    return { output: this.ticket('output', name, 'ac'), collected: this.ticket('collected', name, 'cw') };
  }

  ticket(containerName: string, blobName: string, permissions: string): string {
    return generateBlobSASQueryParameters(
      {
        containerName,
        blobName,
        permissions: BlobSASPermissions.parse(permissions),
        expiresOn: new Date(Date.now() + 600_000),
      },
      new StorageSharedKeyCredential(account.name, account.key),
    ).toString();
  }

  /** Puts a file into the library; unless said otherwise it is one that may run unsigned. */
  async libraryFile(
    name: string,
    content: string | Buffer,
    more: Partial<LibraryFile> = {},
  ): Promise<{ readonly libraryFile: LibraryFile; readonly ticket: string }> {
    const bytes = Buffer.from(content);
    const hash = sha256(bytes);
    const blob = this.blob('library', hash);
    await blob.getBlockBlobClient().upload(bytes, bytes.length);
    return {
      libraryFile: {
        name,
        size: bytes.length,
        sha256: hash,
        url: blob.url,
        trust: { kind: 'unsigned-allowed' },
        ...more,
      },
      ticket: this.ticket('library', hash, 'r'),
    };
  }
}
