/** Shapes of the HTTP API: the source of `openapi.json`. Times are UTC ISO 8601, durations seconds, sizes bytes. */
import * as z from 'zod';
import { longestDescription, mostSignatures } from '../domain/library/index.ts';
import { limitBounds, limitProfiles } from '../domain/limits.ts';
import { deviceKind, keySet, platform, sha256Hex, signatureAlgorithm, text } from './device.ts';

export const uuid = z.uuid();
const time = z.iso.datetime();

/** RFC 9457. `code` is stable; other members hold facts about the refusal. */
export const problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  correlationId: z.string(),
});
export type Problem = z.infer<typeof problem>;

export const limits = z.object(
  Object.fromEntries(Object.keys(limitBounds).map((name) => [name, z.number().int()])),
);

export const openSessionRequest = z.strictObject({
  deviceId: z.string().min(1).max(128),
  reason: z.string().trim().min(1).max(500),
});
export type OpenSessionRequest = z.infer<typeof openSessionRequest>;

export const commandState = z.enum([
  'Issued',
  'Started',
  'Completed',
  'Failed',
  'Cancelled',
  'TimedOut',
  'Lost',
]);
export const failure = z.object({ code: z.string(), message: z.string() });

export const commandResource = z.object({
  commandId: z.string(),
  sessionId: z.string(),
  name: z.string(),
  line: z.string(),
  background: z.boolean(),
  state: commandState,
  cancelRequested: z.boolean(),
  issuedBy: z.string(),
  issuedAt: time,
  startedAt: time.nullable(),
  endedAt: time.nullable(),
  duration: z.number().nullable(),
  exitCode: z.number().int().nullable(),
  error: failure.nullable(),
  outputSize: z.number().int(),
  files: z.array(
    z.object({ fileId: z.string(), name: z.string(), size: z.number().int(), sha256: sha256Hex }),
  ),
});
export type CommandResource = z.infer<typeof commandResource>;

export const sessionStatus = z.enum(['opening', 'connected', 'ended']);
export const sessionSummary = z.object({
  sessionId: z.string(),
  deviceId: z.string(),
  userId: z.string(),
  userName: z.string(),
  reason: z.string(),
  platform: z.string(),
  hostName: z.string().nullable(),
  status: sessionStatus,
  /** Why it ended: Refused, Unanswered, Abandoned, Disconnected, Expired, Lost. */
  end: z.string().nullable(),
  requestedAt: z.string(),
  connectedAt: z.string().nullable(),
  endedAt: z.string().nullable(),
  commands: z.number().int(),
  openCommands: z.number().int(),
  files: z.number().int(),
});
export type SessionSummary = z.infer<typeof sessionSummary>;

export const sessionResource = z.object({
  sessionId: z.string(),
  deviceId: z.string(),
  userId: z.string(),
  userName: z.string(),
  reason: z.string(),
  epoch: z.number().int(),
  platform: z.string(),
  hostName: z.string().nullable(),
  agentVersion: z.string().nullable(),
  capabilities: z.array(z.string()),
  status: sessionStatus,
  end: z.string().nullable(),
  directory: z.string().nullable(),
  /** Whether the device was heard of in the last minute; null while not connected. */
  reachable: z.boolean().nullable(),
  heardAt: z.string().nullable(),
  requestedAt: z.string(),
  connectedAt: z.string().nullable(),
  endedAt: z.string().nullable(),
  foreground: z.string().nullable(),
  openCommands: z.array(
    z.object({
      commandId: z.string(),
      name: z.string(),
      line: z.string(),
      background: z.boolean(),
      state: commandState,
      cancelRequested: z.boolean(),
      issuedAt: time,
      startedAt: time.nullable(),
    }),
  ),
  limits,
  /** Version of the session's stream: where to begin following its events. */
  version: z.number().int(),
});
export type SessionResource = z.infer<typeof sessionResource>;

export const sessionList = z.object({ sessions: z.array(sessionSummary), next: z.string().nullable() });
export const commandList = z.object({ commands: z.array(commandResource), next: z.string().nullable() });

export const issueCommandRequest = z.strictObject({ line: z.string() });

export const envelope = z.object({
  id: z.string(),
  pk: z.string(),
  tenantId: z.string(),
  streamId: z.string(),
  version: z.number().int(),
  type: z.string(),
  schemaVersion: z.number().int(),
  data: z.record(z.string(), z.unknown()),
  metadata: z.looseObject({
    actor: z.object({ kind: z.string(), id: z.string(), name: z.string() }),
    correlationId: z.string(),
    causationId: z.string(),
    traceparent: z.string().nullable(),
    recordedAt: z.string(),
  }),
  previousHash: z.string(),
  hash: z.string(),
});
export const eventPage = z.object({
  events: z.array(envelope),
  /** Ask with `after` = this for what follows. */
  next: z.number().int(),
  /** True when the stream has no more events now. */
  complete: z.boolean(),
});

export const deviceResource = z.object({
  deviceId: z.string(),
  name: z.string(),
  platform,
  /** Null when its agent did not say at enrolment. */
  kind: deviceKind.nullable(),
  osVersion: z.string(),
  agentVersion: z.string(),
  status: z.enum(['enrolled', 'retired']),
  enrolledAt: z.string(),
  retiredAt: z.string().nullable(),
  lastSeen: z.string().nullable(),
});
export type DeviceResource = z.infer<typeof deviceResource>;
/** The answer to a retirement, also to a repeated one. */
export const retiredDevice = z.object({ deviceId: z.string(), status: z.literal('retired') });
export const deviceList = z.object({ devices: z.array(deviceResource), next: z.string().nullable() });

export const createEnrolmentTokenRequest = z.strictObject({
  description: z.string().max(200).default(''),
  uses: z.number().int().min(1).max(1000).default(1),
  /** Seconds from now, at most 30 days. */
  validFor: z
    .number()
    .int()
    .min(60)
    .max(30 * 86_400)
    .default(86_400),
});
export const enrolmentToken = z.object({
  tokenId: z.string(),
  /** Shown once. */
  token: z.string(),
  uses: z.number().int(),
  expiresAt: time,
});

export const switches = z.strictObject({
  liveResponse: z.boolean(),
  servers: z.boolean(),
  unsignedScripts: z.boolean(),
});
export const changeSettingsRequest = z.strictObject({
  /** Sets every limit of a named profile; `limits` then go over it. */
  profile: z.enum(Object.keys(limitProfiles)).optional(),
  limits: z
    .strictObject(
      Object.fromEntries(Object.keys(limitBounds).map((name) => [name, z.number().int().optional()])),
    )
    .optional(),
  switches: switches.partial().optional(),
});
/** Someone whose signatures let scripts run. */
export const signer = z.object({
  keyId: sha256Hex,
  name: z.string(),
  algorithm: signatureAlgorithm,
  /** SPKI, DER, base64. */
  publicKey: z.string(),
});
export const trustSignerRequest = z.strictObject({
  name: z.string().trim().min(1).max(100),
  /** Ed25519 or ECDSA P-256: PEM, or SPKI in base64. */
  publicKey: z.string().min(1).max(2_000),
});
export const distrustedSigner = z.object({ keyId: z.string(), trusted: z.literal(false) });
export const settingsResource = z.object({ limits, switches, signers: z.array(signer) });

/** A file that a session brought in: taken from the device, or the output of a line that ended with `> name`. */
export const collectedFile = z.object({
  fileId: z.string(),
  commandId: z.string(),
  kind: z.enum(['file', 'output']).default('file'),
  name: z.string(),
  path: text,
  size: z.number().int(),
  sha256: sha256Hex,
  collectedAt: z.string(),
});
export type CollectedFile = z.infer<typeof collectedFile>;
export const fileList = z.object({ files: z.array(collectedFile) });

export const keySetList = z.object({ keySets: z.array(keySet) });

/** A short-lived address of one file, with everything needed to check what comes from it. */
export const fileDownload = z.object({
  fileId: z.string(),
  name: z.string(),
  size: z.number().int(),
  sha256: sha256Hex,
  url: z.url(),
  expiresAt: time,
  /** True when the blob is not the one that was recorded: then do not trust it. */
  replaced: z.boolean(),
});
export type FileDownload = z.infer<typeof fileDownload>;

export const readiness = z.object({ ready: z.boolean(), checks: z.record(z.string(), z.string()) });

/** Over which bytes a signature is made is said in docs/library.md. */
export const detachedSignature = z.strictObject({
  algorithm: signatureAlgorithm,
  /** SHA-256, hex, of the signer's public key (SPKI, DER). */
  keyId: sha256Hex,
  value: z.base64().max(200),
});

/** What is said about a library file when it is sent. */
export const libraryFileDescription = z.strictObject({
  description: z.string().max(longestDescription).default(''),
  hasParameters: z.boolean().default(false),
  parametersDescription: z.string().max(longestDescription).default(''),
  signatures: z.array(detachedSignature).max(mostSignatures).default([]),
  overwrite: z.boolean().default(false),
});
export const libraryUploadRequest = libraryFileDescription.extend({
  name: z.string().min(1).max(200),
  size: z.number().int().nonnegative(),
  sha256: sha256Hex,
});

export const libraryFile = z.object({
  name: z.string(),
  size: z.number().int(),
  sha256: sha256Hex,
  description: z.string(),
  hasParameters: z.boolean(),
  parametersDescription: z.string(),
  signature: z.object({
    state: z.enum(['valid', 'untrusted', 'invalid', 'unsigned']),
    signer: z.object({ keyId: z.string(), name: z.string() }).nullable(),
  }),
  /** Who sent this content, and when. */
  updatedBy: z.string(),
  updatedAt: time,
});
export type LibraryFile = z.infer<typeof libraryFile>;
export const libraryFileList = z.object({ files: z.array(libraryFile) });
export const deletedLibraryFile = z.object({ name: z.string(), deleted: z.literal(true) });

export const libraryUpload = z.object({
  uploadId: z.string(),
  name: z.string(),
  size: z.number().int(),
  sha256: sha256Hex,
  /** `open`: its ticket takes content. `checking`: the content is being hashed. Then it stays `accepted` or `refused`. */
  status: z.enum(['open', 'checking', 'accepted', 'refused']),
  error: failure.nullable(),
});
export type LibraryUpload = z.infer<typeof libraryUpload>;

/** An upload with its ticket. Put blocks to `url`, commit them with If-None-Match: *, then ask for completion. */
export const libraryUploadTicket = libraryUpload.extend({
  url: z.url(),
  expiresAt: time,
  /** Blocks that have arrived and need not be sent again. */
  blocks: z.array(z.object({ id: z.string(), size: z.number().int() })),
});
export type LibraryUploadTicket = z.infer<typeof libraryUploadTicket>;

export const libraryDownload = z.object({
  name: z.string(),
  size: z.number().int(),
  sha256: sha256Hex,
  url: z.url(),
  expiresAt: time,
});
export type LibraryDownload = z.infer<typeof libraryDownload>;
