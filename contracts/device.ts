/**
 * The wire between agent and backend, version 1.
 *
 * Down: the device's queue carries {@link DownwardMessage}: a compact JWS (ES256) over {@link DownwardPayload}, and beside it
 * tickets that the signed payload binds to one blob each. Up: {@link UpwardMessage}, signed by the device (Ed25519).
 */
import * as z from 'zod';
import { deviceKinds } from '../domain/device/index.ts';
import { isFileName, signatureAlgorithms } from '../domain/library/index.ts';

/** The bodies of session messages as the domain reads them; the schemas below check that what came has these shapes. */
export type { EndedBody, OutputPart, SessionMessage, StartedBody } from '../domain/session/deviceMessage.ts';
export type { Text } from '../domain/session/events.ts';
export { type DeviceKind, deviceKinds } from '../domain/device/index.ts';

const id = z.string().min(1).max(128);
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
export const platforms = ['linux', 'macos', 'windows'] as const;
export const platform = z.enum(platforms);
export const deviceKind = z.enum(deviceKinds);
export const signatureAlgorithm = z.enum(signatureAlgorithms);
const size = z.number().int().nonnegative();

/** Text that may not be valid UTF-8: then `bytes` is the original in base64 and `text` a readable form. */
export const text = z.strictObject({ text: z.string(), bytes: z.base64().optional() });

// ---- down

export const deviceQueueOf = (deviceId: string): string => `device-${deviceId}`;
/** Both upward queues lie below one path, so that one Send token narrowed to that path covers exactly them. */
export const upwardPath = 'devices';
export const presenceQueue = `${upwardPath}/presence`;
export const messagesQueue = `${upwardPath}/messages`;

const address = {
  v: z.literal(1),
  messageId: id,
  tenantId: id,
  deviceId: id,
  sessionId: id,
  epoch: z.number().int().positive(),
};

/** A file of the library that a command brings to the device: what it must be, and for a script why it may run. */
export const libraryFile = z.strictObject({
  name: z.string().refine(isFileName, 'is no name of a library file'),
  size,
  sha256: sha256Hex,
  /** Address without ticket. */
  url: z.url(),
  /** Null for a file that is not run. */
  trust: z
    .discriminatedUnion('kind', [
      z.strictObject({
        kind: z.literal('signed'),
        /** As the tenant calls the signer, whom it trusted when the command was given. */
        signerName: z.string(),
        /** SPKI, DER, base64. */
        publicKey: z.base64(),
        algorithm: signatureAlgorithm,
        keyId: sha256Hex,
        /** The signature, base64, over name, size and hash of the file. */
        value: z.base64(),
      }),
      z.strictObject({ kind: z.literal('unsigned-allowed') }),
    ])
    .nullable(),
});
export type LibraryFile = z.infer<typeof libraryFile>;

export const executeBody = z.strictObject({
  line: z.string(),
  name: z.string(),
  parameters: z.record(z.string(), z.union([z.string(), z.number()])),
  flags: z.array(z.string()),
  output: z.enum(['table', 'json']),
  background: z.boolean(),
  /** Seconds from the start of the command. */
  timeLimit: z.number().positive(),
  /** Bytes. */
  limits: z.strictObject({ collectedFile: size, fileinfoFile: size }),
  /** The only blobs that tickets of this command may open, without their tickets. */
  blobs: z.strictObject({ output: z.url(), collected: z.url().nullable() }),
  /** For `run` and `putfile`; its ticket may read it. */
  libraryFile: libraryFile.optional(),
  /** Name of who gave the command, told to a script. */
  user: z.string().max(1_000).optional(),
});
export type ExecuteBody = z.infer<typeof executeBody>;

export const downwardPayload = z.discriminatedUnion('kind', [
  z.strictObject({
    ...address,
    kind: z.literal('session.open'),
    body: z.strictObject({ directory: z.string().nullable() }),
  }),
  z.strictObject({
    ...address,
    kind: z.literal('session.close'),
    body: z.strictObject({ reason: z.string() }),
  }),
  z.strictObject({ ...address, kind: z.literal('command.execute'), commandId: id, body: executeBody }),
  z.strictObject({
    ...address,
    kind: z.literal('command.cancel'),
    commandId: id,
    body: z.strictObject({ reason: z.string() }),
  }),
]);
export type DownwardPayload = z.infer<typeof downwardPayload>;

/** Query strings (shared access signatures) for the blobs named in the signed payload. They are secret and never stored. */
export const tickets = z.strictObject({
  output: z.string().optional(),
  collected: z.string().optional(),
  library: z.string().optional(),
});
export type Tickets = z.infer<typeof tickets>;

export const downwardMessage = z.strictObject({ v: z.literal(1), jws: z.string().min(1), tickets });
export type DownwardMessage = z.infer<typeof downwardMessage>;

// ---- up

const outputPart = z.strictObject({
  part: z.number().int().positive(),
  stream: z.enum(['result', 'stdout', 'stderr']),
  offset: size,
  size,
  sha256: sha256Hex,
  inline: text.nullable(),
  blob: z.string().nullable(),
});

export const startedBody = z.strictObject({
  commandId: id,
  commandHash: sha256Hex,
  deviceTime: z.iso.datetime(),
});
const failure = z.strictObject({ code: z.string().max(100), message: z.string().max(4_000) });

export const endedBody = z.strictObject({
  commandId: id,
  state: z.enum(['Completed', 'Failed', 'Cancelled', 'TimedOut', 'Lost']),
  started: startedBody.nullable(),
  output: z.array(outputPart).max(50),
  cancelReached: z.boolean(),
  exitCode: z.number().int().nullable(),
  duration: z.number().nonnegative(),
  error: failure.nullable(),
  directory: z.string().nullable(),
  processesGone: z.boolean().nullable(),
  files: z
    .array(
      z.strictObject({
        fileId: id,
        name: z.string().min(1),
        path: text,
        size,
        sha256: sha256Hex,
        etag: z.string(),
        blob: z.string(),
      }),
    )
    .max(20),
  /** Library files that the command left on the device. */
  placed: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        path: text,
        size,
        sha256: sha256Hex,
        /** Stays when the agent restarts. */
        kept: z.boolean(),
      }),
    )
    .max(20)
    .optional(),
});

const sessionMessages = [
  z.strictObject({
    kind: z.literal('session.opened'),
    body: z.strictObject({
      agentVersion: z.string(),
      platform,
      hostName: z.string(),
      osVersion: z.string(),
      capabilities: z.array(z.string()).max(200),
      directory: z.string(),
      resumed: z.boolean(),
    }),
  }),
  z.strictObject({ kind: z.literal('session.refused'), body: failure }),
  z.strictObject({ kind: z.literal('command.started'), body: startedBody }),
  z.strictObject({
    kind: z.literal('command.output'),
    body: z.strictObject({ commandId: id, parts: z.array(outputPart).min(1).max(50) }),
  }),
  z.strictObject({ kind: z.literal('command.ended'), body: endedBody }),
] as const;

const presenceMessages = [
  z.strictObject({
    kind: z.literal('device.hello'),
    body: z.strictObject({
      agentVersion: z.string(),
      platform,
      hostName: z.string(),
      osVersion: z.string(),
      openSessions: z.array(id).max(100),
      addresses: z.array(z.string()).max(50),
    }),
  }),
  z.strictObject({
    kind: z.literal('device.heartbeat'),
    body: z.strictObject({ openSessions: z.array(id).max(100) }),
  }),
  z.strictObject({
    kind: z.literal('session.alive'),
    body: z.strictObject({ openCommands: z.array(id).max(100) }),
  }),
] as const;

/** What every upward message carries beside `kind` and `body`. */
export const upwardAddress = z.object({
  v: z.literal(1),
  messageId: id,
  tenantId: id,
  deviceId: id,
  /** The live session; null for what concerns no session. */
  sessionId: id.nullable(),
  kid: z.string(),
  /** Random id of this start of the agent. */
  run: id,
  /** 1-based. On the messages queue it counts per session, on the presence queue per device; both go on over restarts. */
  sequence: z.number().int().positive(),
  previousRun: id.nullable(),
  previousLast: z.number().int().nonnegative(),
  /** Ed25519 over the RFC 8785 form of all other members, base64url. */
  signature: z.string(),
});

export const sessionMessage = z.discriminatedUnion('kind', sessionMessages);
export const presenceMessage = z.discriminatedUnion('kind', presenceMessages);
export type SessionMessageContent = z.infer<typeof sessionMessage>;
export type PresenceMessageContent = z.infer<typeof presenceMessage>;

export type UpwardAddress = z.infer<typeof upwardAddress>;
export type UpwardMessage = UpwardAddress & { readonly kind: string; readonly body: unknown };

const looseUpward = upwardAddress.extend({ kind: z.string(), body: z.unknown() });

/** Splits a message into address and content; throws a ZodError for anything else. The signature is not checked here. */
export const parseUpward = (value: unknown): UpwardMessage =>
  looseUpward.strict().parse(value) as UpwardMessage;

export const parseSessionMessage = (message: UpwardMessage): SessionMessageContent =>
  sessionMessage.parse({ kind: message.kind, body: message.body });
export const parsePresenceMessage = (message: UpwardMessage): PresenceMessageContent =>
  presenceMessage.parse({ kind: message.kind, body: message.body });

// ---- enrolment and tokens (HTTP)

export const publicKey = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().min(1),
});
export type DevicePublicKey = z.infer<typeof publicKey>;

/** Audiences of the two kinds of JWT (EdDSA) that a device signs. */
export const enrolAudience = 'urn:live-response:enrol';
export const tokenAudience = 'urn:live-response:device-token';

export const enrolRequest = z.strictObject({
  /** `lre_{tenantId}_{secret}`, from an administrator. */
  token: z.string().min(1).max(300),
  publicKey,
  name: z.string().min(1).max(255),
  platform,
  osVersion: z.string().max(255),
  /** Absent when the agent could not tell, or is older than the question. */
  kind: deviceKind.optional(),
  agentVersion: z.string().max(50),
  /** JWT signed by the device's key: `aud` {@link enrolAudience}, `jti`, `iat`, `exp`, `token_sha256`. */
  proof: z.string(),
});
export type EnrolRequest = z.infer<typeof enrolRequest>;

/** Every version names the hash of the one before and is signed (compact JWS) by a key of the one before; version 1 by its own. */
export const keySet = z.strictObject({
  version: z.number().int().positive(),
  keys: z.array(
    z.object({
      kty: z.literal('EC'),
      crv: z.literal('P-256'),
      kid: z.string(),
      x: z.string(),
      y: z.string(),
    }),
  ),
  previousHash: sha256Hex.nullable(),
  signature: z.string(),
});
export type KeySet = z.infer<typeof keySet>;

export const enrolResponse = z.object({
  tenantId: id,
  deviceId: id,
  kid: z.string(),
  keySets: z.array(keySet),
});
export type EnrolResponse = z.infer<typeof enrolResponse>;

export const deviceTokenRequest = z.strictObject({
  /** JWT signed by the device's key: `aud` {@link tokenAudience}, `iss` and `sub` the device id, `tid`, `jti`, `iat`, `exp` at most 5 min ahead. */
  assertion: z.string(),
});

export const deviceTokenResponse = z.object({
  /** Fully qualified name of the Service Bus namespace that serves this device. */
  namespace: z.string(),
  queue: z.string(),
  /** Shared access signature, Listen, for `queue` only. */
  listenToken: z.string(),
  /** Shared access signature, Send, for {@link upwardPath} only. */
  sendToken: z.string(),
  presenceQueue: z.string(),
  messagesQueue: z.string(),
  expiresAt: z.iso.datetime(),
  serverTime: z.iso.datetime(),
  /** Seconds. */
  heartbeatEvery: z.number().positive(),
  renewAfter: z.number().positive(),
  keySets: z.array(keySet),
});
export type DeviceTokenResponse = z.infer<typeof deviceTokenResponse>;
