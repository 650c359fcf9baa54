import * as z from 'zod';
import * as device from './device.ts';
import * as http from './http.ts';

interface Operation {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  /** App roles of which one is needed; none for what devices and everybody may call. */
  readonly roles?: readonly string[];
  readonly idempotencyKey?: boolean;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: z.ZodType;
  /** The body is bytes; what is said about them is in the header `x-library-file`. */
  readonly content?: { readonly describedBy: z.ZodType };
  readonly answers: Readonly<
    Record<number, { readonly says: string; readonly schema?: z.ZodType; readonly type?: string }>
  >;
}

const basic = ['LiveResponse.Basic', 'LiveResponse.Advanced'];
const readers = [...basic, 'History.Read'];
const page = { limit: 'Rows per page.', before: 'The `next` of the page before.' };

/** Every operation of the API; what is here and what is served are compared by a test. */
export const operations: readonly Operation[] = [
  {
    method: 'post',
    path: '/sessions',
    id: 'openSession',
    summary: 'Open a session on a device',
    roles: basic,
    idempotencyKey: true,
    body: http.openSessionRequest,
    answers: {
      201: { says: 'The session, waiting for its device', schema: http.sessionResource },
      200: { says: 'The same request was sent before', schema: http.sessionResource },
    },
  },
  {
    method: 'get',
    path: '/sessions',
    id: 'listSessions',
    summary: 'List sessions, newest first',
    roles: readers,
    query: { ...page, status: 'Only sessions in this status.' },
    answers: { 200: { says: 'A page of sessions', schema: http.sessionList } },
  },
  {
    method: 'get',
    path: '/sessions/{sessionId}',
    id: 'getSession',
    summary: 'Show a session',
    roles: readers,
    answers: { 200: { says: 'The session', schema: http.sessionResource } },
  },
  {
    method: 'delete',
    path: '/sessions/{sessionId}',
    id: 'closeSession',
    summary: 'Disconnect a session',
    roles: basic,
    answers: { 200: { says: 'The ended session', schema: http.sessionResource } },
  },
  {
    method: 'post',
    path: '/sessions/{sessionId}/commands',
    id: 'issueCommand',
    summary: 'Issue a command',
    roles: basic,
    idempotencyKey: true,
    query: { wait: 'Seconds to wait for its end, at most 60.' },
    body: http.issueCommandRequest,
    answers: {
      202: {
        says: 'The command is accepted and will end in exactly one state',
        schema: http.commandResource,
      },
    },
  },
  {
    method: 'get',
    path: '/sessions/{sessionId}/commands',
    id: 'listCommands',
    summary: 'List commands of a session, newest first',
    roles: readers,
    query: { ...page, state: 'Only commands in this state.' },
    answers: { 200: { says: 'A page of commands', schema: http.commandList } },
  },
  {
    method: 'get',
    path: '/sessions/{sessionId}/commands/{commandId}',
    id: 'getCommand',
    summary: 'Show a command',
    roles: readers,
    answers: { 200: { says: 'The command', schema: http.commandResource } },
  },
  {
    method: 'post',
    path: '/sessions/{sessionId}/commands/{commandId}/cancel',
    id: 'cancelCommand',
    summary: 'Ask the device to stop a command',
    roles: basic,
    answers: { 202: { says: 'The command', schema: http.commandResource } },
  },
  {
    method: 'post',
    path: '/sessions/{sessionId}/commands/{commandId}/background',
    id: 'backgroundCommand',
    summary: 'Send a command to the background',
    roles: basic,
    answers: { 200: { says: 'The command', schema: http.commandResource } },
  },
  {
    method: 'get',
    path: '/sessions/{sessionId}/commands/{commandId}/output',
    id: 'readOutput',
    summary: 'Read the output of a command, or the bytes that the header range names',
    roles: readers,
    answers: {
      200: { says: 'The bytes, JSON lines for commands with columns', type: 'application/x-ndjson' },
      206: { says: 'The bytes from N to M of bytes=N-M, or from N on', type: 'application/x-ndjson' },
    },
  },
  {
    method: 'get',
    path: '/sessions/{sessionId}/events',
    id: 'readEvents',
    summary: 'Read or follow the history of a session',
    roles: readers,
    query: { after: 'Version after which to begin.', limit: 'Events per page.' },
    answers: {
      200: { says: 'A page, or server-sent events when asked for text/event-stream', schema: http.eventPage },
    },
  },
  {
    method: 'get',
    path: '/sessions/{sessionId}/files',
    id: 'listFiles',
    summary: 'List collected files, and output that lines kept with > name',
    roles: readers,
    answers: {
      200: { says: 'The files', schema: http.fileList },
    },
  },
  {
    method: 'get',
    path: '/sessions/{sessionId}/files/{fileId}/download',
    id: 'downloadFile',
    summary: 'Get a short-lived address of a collected file',
    roles: readers,
    answers: { 200: { says: 'Address and hash', schema: http.fileDownload } },
  },
  {
    method: 'get',
    path: '/devices',
    id: 'listDevices',
    summary: 'List devices',
    roles: [...basic, 'Devices.Manage', 'Machine.Read.All'],
    query: page,
    answers: { 200: { says: 'A page of devices', schema: http.deviceList } },
  },
  {
    method: 'get',
    path: '/devices/{deviceId}',
    id: 'getDevice',
    summary: 'Show a device',
    roles: [...basic, 'Devices.Manage', 'Machine.Read.All'],
    answers: { 200: { says: 'The device', schema: http.deviceResource } },
  },
  {
    method: 'delete',
    path: '/devices/{deviceId}',
    id: 'retireDevice',
    summary: 'Retire a device',
    roles: ['Devices.Manage'],
    answers: {
      200: { says: 'The device is retired', schema: http.retiredDevice },
    },
  },
  {
    method: 'post',
    path: '/enrolment-tokens',
    id: 'createEnrolmentToken',
    summary: 'Make a token with which devices enrol',
    roles: ['Devices.Manage'],
    body: http.createEnrolmentTokenRequest,
    answers: { 201: { says: 'The token, shown once', schema: http.enrolmentToken } },
  },
  {
    method: 'get',
    path: '/settings',
    id: 'getSettings',
    summary: 'Show limits and switches',
    roles: [...basic, 'Settings.Manage'],
    answers: { 200: { says: 'The settings', schema: http.settingsResource } },
  },
  {
    method: 'patch',
    path: '/settings',
    id: 'changeSettings',
    summary: 'Change limits and switches',
    roles: ['Settings.Manage'],
    body: http.changeSettingsRequest,
    answers: { 200: { says: 'The settings', schema: http.settingsResource } },
  },
  {
    method: 'post',
    path: '/settings/signers',
    id: 'trustSigner',
    summary: 'Trust a signer of scripts',
    roles: ['Settings.Manage'],
    body: http.trustSignerRequest,
    answers: { 201: { says: 'The signer', schema: http.signer } },
  },
  {
    method: 'delete',
    path: '/settings/signers/{keyId}',
    id: 'distrustSigner',
    summary: 'Stop trusting a signer of scripts',
    roles: ['Settings.Manage'],
    answers: { 200: { says: 'The signer is not trusted', schema: http.distrustedSigner } },
  },
  {
    method: 'get',
    path: '/library/files',
    id: 'listLibraryFiles',
    summary: 'List the library, by name',
    roles: [...basic, 'Library.Manage'],
    answers: { 200: { says: 'All files', schema: http.libraryFileList } },
  },
  {
    method: 'get',
    path: '/library/files/{name}',
    id: 'getLibraryFile',
    summary: 'Show a library file',
    roles: [...basic, 'Library.Manage'],
    answers: { 200: { says: 'The file', schema: http.libraryFile } },
  },
  {
    method: 'put',
    path: '/library/files/{name}',
    id: 'putLibraryFile',
    summary: 'Add a library file of at most 50 MB',
    roles: ['Library.Manage'],
    idempotencyKey: true,
    content: { describedBy: http.libraryFileDescription },
    answers: {
      201: { says: 'The file was added', schema: http.libraryFile },
      200: { says: 'The same request was sent before', schema: http.libraryFile },
    },
  },
  {
    method: 'delete',
    path: '/library/files/{name}',
    id: 'deleteLibraryFile',
    summary: 'Delete a library file; an Idempotency-Key makes a repeat harmless',
    roles: ['Library.Manage'],
    answers: { 200: { says: 'The file is deleted', schema: http.deletedLibraryFile } },
  },
  {
    method: 'get',
    path: '/library/files/{name}/content',
    id: 'downloadLibraryFile',
    summary: 'Get a short-lived address of the content of a library file',
    roles: [...basic, 'Library.Manage'],
    answers: { 200: { says: 'Address and hash', schema: http.libraryDownload } },
  },
  {
    method: 'post',
    path: '/library/uploads',
    id: 'createLibraryUpload',
    summary: 'Get a ticket to upload a library file, or a fresh one to go on',
    roles: ['Library.Manage'],
    idempotencyKey: true,
    body: http.libraryUploadRequest,
    answers: {
      201: { says: 'The upload and its ticket', schema: http.libraryUploadTicket },
      200: { says: 'The same request was sent before', schema: http.libraryUploadTicket },
    },
  },
  {
    method: 'get',
    path: '/library/uploads/{uploadId}',
    id: 'getLibraryUpload',
    summary: 'Show how an upload stands',
    roles: ['Library.Manage'],
    answers: { 200: { says: 'The upload', schema: http.libraryUpload } },
  },
  {
    method: 'post',
    path: '/library/uploads/{uploadId}/complete',
    id: 'completeLibraryUpload',
    summary: 'Have an upload checked and added; ask again until it is accepted or refused',
    roles: ['Library.Manage'],
    query: { wait: 'Seconds to wait for the end of the check, at most 60.' },
    answers: {
      200: { says: 'The upload is accepted or refused', schema: http.libraryUpload },
      202: { says: 'It is being checked', schema: http.libraryUpload },
    },
  },
  {
    method: 'post',
    path: '/devices/enrol',
    id: 'enrolDevice',
    summary: 'Enrol a device (called by its agent)',
    body: device.enrolRequest,
    answers: {
      201: { says: 'Enrolled', schema: device.enrolResponse },
      200: { says: 'Was enrolled before', schema: device.enrolResponse },
    },
  },
  {
    method: 'post',
    path: '/devices/{deviceId}/token',
    id: 'issueDeviceToken',
    summary: 'Get access to the device channel (called by an agent)',
    body: device.deviceTokenRequest,
    answers: { 200: { says: 'Tokens for an hour', schema: device.deviceTokenResponse } },
  },
  {
    method: 'get',
    path: '/keys',
    id: 'getKeys',
    summary: 'Public keys that sign commands',
    answers: { 200: { says: 'All key sets', schema: http.keySetList } },
  },
  {
    method: 'get',
    path: '/ready',
    id: 'getReadiness',
    summary: 'Whether everything that a command needs answers',
    answers: {
      200: { says: 'Ready', schema: http.readiness },
      503: { says: 'Not ready', schema: http.readiness },
    },
  },
  {
    method: 'get',
    path: '/openapi.json',
    id: 'getOpenApi',
    summary: 'This description',
    answers: { 200: { says: 'OpenAPI 3.1', schema: z.record(z.string(), z.unknown()) } },
  },
];

const schemaOf = (schema: z.ZodType, io: 'input' | 'output'): object => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
};

const parametersOf = ({ path, query, idempotencyKey, content }: Operation): object[] => [
  ...[...path.matchAll(/\{(\w+)\}/g)].map((match) => ({
    name: match[1],
    in: 'path',
    required: true,
    schema: { type: 'string' },
  })),
  ...Object.entries(query ?? {}).map(([name, description]) => ({
    name,
    in: 'query',
    description,
    schema: { type: 'string' },
  })),
  ...(idempotencyKey === true
    ? [
        {
          name: 'Idempotency-Key',
          in: 'header',
          required: true,
          description: 'A new UUID; the same one when the request is repeated.',
          schema: { type: 'string', format: 'uuid' },
        },
      ]
    : []),
  ...(content === undefined
    ? []
    : [
        {
          name: 'x-library-file',
          in: 'header',
          required: false,
          description: `What is said about the content: base64url of JSON with the schema ${JSON.stringify(schemaOf(content.describedBy, 'input'))}`,
          schema: { type: 'string' },
        },
      ]),
];

/** OpenAPI 3.1 of the whole API, made from the schemas that requests and answers are checked with. */
export const openApi = (): object => {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) {
    const responses: Record<string, object> = {
      default: {
        description: 'A problem (RFC 9457) with a stable code',
        content: { 'application/problem+json': { schema: schemaOf(http.problem, 'output') } },
      },
    };
    for (const [status, { says, schema, type }] of Object.entries(operation.answers)) {
      responses[status] = {
        description: says,
        content: {
          [type ?? 'application/json']: schema === undefined ? {} : { schema: schemaOf(schema, 'output') },
        },
      };
    }
    const item = {
      operationId: operation.id,
      summary: operation.summary,
      ...(operation.roles === undefined
        ? { security: [] }
        : { description: `App role: one of ${operation.roles.join(', ')}.` }),
      parameters: parametersOf(operation),
      ...(operation.content === undefined
        ? {}
        : {
            requestBody: {
              required: true,
              content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
            },
          }),
      ...(operation.body === undefined
        ? {}
        : {
            requestBody: {
              required: true,
              content: { 'application/json': { schema: schemaOf(operation.body, 'input') } },
            },
          }),
      responses,
    };
    paths[operation.path] = { ...paths[operation.path], [operation.method]: item };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Live Response',
      version: '1',
      description: 'Remote sessions on devices, with a history that nobody can quietly change.',
    },
    servers: [{ url: '/api' }],
    security: [{ entra: [] }],
    components: { securitySchemes: { entra: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    paths,
  };
};
