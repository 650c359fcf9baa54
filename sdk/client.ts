import type * as z from 'zod';
import type { KeySet } from '../contracts/device.ts';
import {
  type CollectedFile,
  type CommandResource,
  type changeSettingsRequest,
  commandList,
  commandResource,
  type createEnrolmentTokenRequest,
  type DeviceResource,
  deviceList,
  deletedLibraryFile,
  deviceResource,
  distrustedSigner,
  enrolmentToken,
  type FileDownload,
  fileDownload,
  fileList,
  keySetList,
  type LibraryDownload,
  type LibraryFile,
  libraryDownload,
  libraryFile,
  type libraryFileDescription,
  libraryFileList,
  libraryUpload,
  type libraryUploadRequest,
  libraryUploadTicket,
  type OpenSessionRequest,
  readiness,
  retiredDevice,
  type SessionResource,
  type SessionSummary,
  sessionList,
  sessionResource,
  settingsResource,
  signer,
  type trustSignerRequest,
} from '../contracts/http.ts';
import type { DownloadOptions } from './download.ts';
import type { AddLibraryFileOptions, Description } from './libraryUpload.ts';
import { type OutputOptions, openOutput } from './output.ts';
import { everyRow } from './pages.ts';
import { type RunCommandOptions, runCommand } from './runCommand.ts';
import { type Envelope, type FollowOptions, followSession } from './sessionEvents.ts';
import { untouchedEventPage } from './shapes.ts';
import { type ApiRequest, Transport, type TransportOptions } from './transport.ts';

export type ClientOptions = TransportOptions;

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

interface PageOptions extends CallOptions {
  /** The `next` of the page before. */
  readonly before?: string | undefined;
}

interface SessionPageOptions extends PageOptions {
  readonly status?: SessionSummary['status'] | undefined;
}

interface IdempotentOptions extends CallOptions {
  /** UUID; a new one unless given. Give the same one to repeat a call whose outcome is unknown. */
  readonly idempotencyKey?: string;
}

type Asked = Omit<ApiRequest, 'method' | 'path' | 'repeatable'>;

/** Part of a path; ids are opaque text. */
const part = encodeURIComponent;

/**
 * The Live Response API. Every answer is checked against the published shapes. What is safe to repeat is repeated after
 * a cut connection and after 429 and 503; opening a session and issuing a command are, because their keys are sent again.
 *
 * Errors: ApiError (the server refused), ConnectionError (no whole answer), UnexpectedAnswerError (another version?).
 */
export class LiveResponseClient {
  readonly #transport: Transport;

  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
  }

  get server(): string {
    return this.#transport.server;
  }

  // ---- service

  /** Also answers when the service is not ready. */
  ready(options: CallOptions = {}): Promise<z.infer<typeof readiness>> {
    return this.#get('/ready', readiness, { ...options, alsoTaken: [503] });
  }

  async keys(options: CallOptions = {}): Promise<readonly KeySet[]> {
    return (await this.#get('/keys', keySetList, { ...options })).keySets;
  }

  settings(options: CallOptions = {}): Promise<z.infer<typeof settingsResource>> {
    return this.#get('/settings', settingsResource, { ...options });
  }

  changeSettings(
    change: z.input<typeof changeSettingsRequest>,
    options: CallOptions = {},
  ): Promise<z.infer<typeof settingsResource>> {
    return this.#ask('PATCH', '/settings', settingsResource, true, { ...options, body: change });
  }

  /** From now on scripts that this public key has signed may run. */
  trustSigner(
    request: z.input<typeof trustSignerRequest>,
    options: CallOptions = {},
  ): Promise<z.infer<typeof signer>> {
    return this.#post('/settings/signers', signer, { ...options, body: request });
  }

  distrustSigner(keyId: string, options: CallOptions = {}): Promise<z.infer<typeof distrustedSigner>> {
    return this.#ask('DELETE', `/settings/signers/${part(keyId)}`, distrustedSigner, true, { ...options });
  }

  // ---- library

  async libraryFiles(options: CallOptions = {}): Promise<readonly LibraryFile[]> {
    return (await this.#get('/library/files', libraryFileList, { ...options })).files;
  }

  libraryFile(name: string, options: CallOptions = {}): Promise<LibraryFile> {
    return this.#get(libraryPath(name), libraryFile, { ...options });
  }

  /** Content of at most 50 MB, in one request. `addLibraryFile` takes files of any size the library takes. */
  putLibraryFile(
    name: string,
    content: Uint8Array<ArrayBuffer>,
    described: z.input<typeof libraryFileDescription> = {},
    options: IdempotentOptions = {},
  ): Promise<LibraryFile> {
    const { headers, ...asked } = idempotent(options);
    return this.#ask('PUT', libraryPath(name), libraryFile, true, {
      ...asked,
      headers: { ...headers, 'x-library-file': base64urlOf(JSON.stringify(described)) },
      bytes: content,
      timeoutMs: 230_000,
    });
  }

  /** Adds the file at `path`; see {@link AddLibraryFileOptions}. Needs a file system. */
  async addLibraryFile(
    path: string,
    described: Description = {},
    options: AddLibraryFileOptions = {},
  ): Promise<LibraryFile> {
    const { signal } = options;
    const { addLibraryFile } = await import('./libraryUpload.ts');
    const { fetch, retry } = this.#transport;
    return addLibraryFile(path, described, options, {
      put: (name, content, said, idempotencyKey) =>
        this.putLibraryFile(name, content, said, { signal, idempotencyKey }),
      ticket: (request, idempotencyKey) => this.libraryUploadTicket(request, { signal, idempotencyKey }),
      complete: (uploadId) => this.completeLibraryUpload(uploadId, { signal, wait: 25 }),
      file: (name) => this.libraryFile(name, { signal }),
      fetch,
      retry,
    });
  }

  /** A ticket for one new blob; the same `idempotencyKey` again gives a fresh ticket for the same one. */
  libraryUploadTicket(
    request: z.input<typeof libraryUploadRequest>,
    options: IdempotentOptions = {},
  ): Promise<z.infer<typeof libraryUploadTicket>> {
    return this.#post('/library/uploads', libraryUploadTicket, { body: request, ...idempotent(options) });
  }

  libraryUpload(uploadId: string, options: CallOptions = {}): Promise<z.infer<typeof libraryUpload>> {
    return this.#get(`/library/uploads/${part(uploadId)}`, libraryUpload, { ...options });
  }

  /** Ask again while it is `checking`. `wait`: seconds, at most 60, that the server may hold the answer back. */
  completeLibraryUpload(
    uploadId: string,
    { wait, ...options }: CallOptions & { readonly wait?: number } = {},
  ): Promise<z.infer<typeof libraryUpload>> {
    return this.#post(`/library/uploads/${part(uploadId)}/complete`, libraryUpload, {
      ...options,
      query: { wait },
      timeoutMs: 30_000 + (wait ?? 0) * 1000,
    });
  }

  /** A short-lived address of a library file's content. Asking is recorded. */
  libraryDownload(name: string, options: CallOptions = {}): Promise<LibraryDownload> {
    return this.#get(`${libraryPath(name)}/content`, libraryDownload, { ...options });
  }

  deleteLibraryFile(
    name: string,
    options: IdempotentOptions = {},
  ): Promise<z.infer<typeof deletedLibraryFile>> {
    return this.#ask('DELETE', libraryPath(name), deletedLibraryFile, true, idempotent(options));
  }

  // ---- devices

  devicePage({ before, ...options }: PageOptions = {}): Promise<z.infer<typeof deviceList>> {
    return this.#get('/devices', deviceList, { ...options, query: { before } });
  }

  devices(options: CallOptions = {}): AsyncGenerator<DeviceResource, void, undefined> {
    return everyRow(async (before) => {
      const { devices: rows, next } = await this.devicePage({ ...options, before });
      return { rows, next };
    });
  }

  device(deviceId: string, options: CallOptions = {}): Promise<DeviceResource> {
    return this.#get(`/devices/${part(deviceId)}`, deviceResource, { ...options });
  }

  /** The device's key is refused from now on, and its queue is deleted. */
  retireDevice(deviceId: string, options: CallOptions = {}): Promise<z.infer<typeof retiredDevice>> {
    return this.#ask('DELETE', `/devices/${part(deviceId)}`, retiredDevice, true, { ...options });
  }

  /** Not repeated after a lost answer: each call makes another token. */
  createEnrolmentToken(
    request: z.input<typeof createEnrolmentTokenRequest> = {},
    options: CallOptions = {},
  ): Promise<z.infer<typeof enrolmentToken>> {
    return this.#ask('POST', '/enrolment-tokens', enrolmentToken, false, { ...options, body: request });
  }

  // ---- sessions

  openSession(request: OpenSessionRequest, options: IdempotentOptions = {}): Promise<SessionResource> {
    return this.#post('/sessions', sessionResource, { body: request, ...idempotent(options) });
  }

  sessionPage({ before, status, ...options }: SessionPageOptions = {}): Promise<z.infer<typeof sessionList>> {
    return this.#get('/sessions', sessionList, { ...options, query: { before, status } });
  }

  sessions(
    options: Omit<SessionPageOptions, 'before'> = {},
  ): AsyncGenerator<SessionSummary, void, undefined> {
    return everyRow(async (before) => {
      const { sessions: rows, next } = await this.sessionPage({ ...options, before });
      return { rows, next };
    });
  }

  session(sessionId: string, options: CallOptions = {}): Promise<SessionResource> {
    return this.#get(`/sessions/${part(sessionId)}`, sessionResource, { ...options });
  }

  disconnect(sessionId: string, options: CallOptions = {}): Promise<SessionResource> {
    return this.#ask('DELETE', `/sessions/${part(sessionId)}`, sessionResource, true, { ...options });
  }

  // ---- commands

  /** `wait`: seconds, at most 60, that the server may hold the answer back until the command has ended. */
  issueCommand(
    sessionId: string,
    line: string,
    { wait, ...options }: IdempotentOptions & { readonly wait?: number } = {},
  ): Promise<CommandResource> {
    return this.#post(`/sessions/${part(sessionId)}/commands`, commandResource, {
      body: { line },
      query: { wait },
      timeoutMs: 30_000 + (wait ?? 0) * 1000,
      ...idempotent(options),
    });
  }

  command(sessionId: string, commandId: string, options: CallOptions = {}): Promise<CommandResource> {
    return this.#get(commandPath(sessionId, commandId), commandResource, { ...options });
  }

  /** From a view that may lag behind by a moment; `command` is exact. */
  commands(
    sessionId: string,
    { state, ...options }: CallOptions & { readonly state?: CommandResource['state'] } = {},
  ): AsyncGenerator<CommandResource, void, undefined> {
    return everyRow(async (before) => {
      const path = `/sessions/${part(sessionId)}/commands`;
      const query = { state, before };
      const { commands: rows, next } = await this.#get(path, commandList, { ...options, query });
      return { rows, next };
    });
  }

  /** Asks the device to end it; the command itself says when it has. */
  cancelCommand(sessionId: string, commandId: string, options: CallOptions = {}): Promise<CommandResource> {
    return this.#post(`${commandPath(sessionId, commandId)}/cancel`, commandResource, { ...options });
  }

  sendToBackground(
    sessionId: string,
    commandId: string,
    options: CallOptions = {},
  ): Promise<CommandResource> {
    return this.#post(`${commandPath(sessionId, commandId)}/background`, commandResource, { ...options });
  }

  /** Everything the command has put out until now, from byte `from` on. */
  output(
    sessionId: string,
    commandId: string,
    options: OutputOptions = {},
  ): Promise<ReadableStream<Uint8Array>> {
    return openOutput(this.#transport, `${commandPath(sessionId, commandId)}/output`, options);
  }

  /** Issues the line and follows it to its end. */
  runCommand(sessionId: string, line: string, options: RunCommandOptions = {}): Promise<CommandResource> {
    return runCommand(this, sessionId, line, options);
  }

  // ---- events and files

  eventsPage(
    sessionId: string,
    { after, limit, ...options }: CallOptions & { readonly after?: number; readonly limit?: number } = {},
  ): Promise<z.infer<typeof untouchedEventPage>> {
    return this.#get(`/sessions/${part(sessionId)}/events`, untouchedEventPage, {
      ...options,
      query: { after, limit },
    });
  }

  /** The events recorded until now. */
  async *recordedEvents(
    sessionId: string,
    options: CallOptions = {},
  ): AsyncGenerator<Envelope, void, undefined> {
    for (let after = 0; ;) {
      const page = await this.eventsPage(sessionId, { ...options, after });
      yield* page.events;
      if (page.complete || page.next <= after) return;
      after = page.next;
    }
  }

  /** The events as they happen, until the session is settled: each once, in order, over any interruption. */
  events(sessionId: string, options: FollowOptions = {}): AsyncGenerator<Envelope, void, undefined> {
    return followSession(this.#transport, sessionId, options);
  }

  async files(sessionId: string, options: CallOptions = {}): Promise<readonly CollectedFile[]> {
    return (await this.#get(`/sessions/${part(sessionId)}/files`, fileList, { ...options })).files;
  }

  /** A short-lived address of the file's content. Asking is recorded. */
  fileDownload(sessionId: string, fileId: string, options: CallOptions = {}): Promise<FileDownload> {
    return this.#get(`/sessions/${part(sessionId)}/files/${part(fileId)}/download`, fileDownload, {
      ...options,
    });
  }

  /** Brings the content to `path`, checked; see {@link DownloadOptions}. Needs a file system. */
  async download(source: FileDownload, path: string, options: DownloadOptions = {}): Promise<void> {
    // Loaded on demand, so that the rest of the client runs where there is no file system.
    const { downloadTo } = await import('./download.ts');
    const { fetch, retry } = this.#transport;
    await downloadTo(source, path, options, { fetch, retry });
  }

  #get<Shape extends z.ZodType>(path: string, shape: Shape, asked: Asked): Promise<z.output<Shape>> {
    return this.#ask('GET', path, shape, true, asked);
  }

  /** For what may be repeated: it has a key, or doing it again changes nothing. */
  #post<Shape extends z.ZodType>(path: string, shape: Shape, asked: Asked): Promise<z.output<Shape>> {
    return this.#ask('POST', path, shape, true, asked);
  }

  #ask<Shape extends z.ZodType>(
    method: ApiRequest['method'],
    path: string,
    shape: Shape,
    repeatable: boolean,
    asked: Asked,
  ): Promise<z.output<Shape>> {
    return this.#transport.send({ ...asked, method, path, repeatable }, async (response) =>
      shape.parse(JSON.parse(await response.text())),
    );
  }
}

const commandPath = (sessionId: string, commandId: string): string =>
  `/sessions/${part(sessionId)}/commands/${part(commandId)}`;

const libraryPath = (name: string): string => `/library/files/${part(name)}`;

/** Also where there is no Buffer. */
const base64urlOf = (text: string): string =>
  btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

const idempotent = ({ idempotencyKey, ...options }: IdempotentOptions): Asked => ({
  ...options,
  headers: { 'idempotency-key': idempotencyKey ?? crypto.randomUUID() },
});
