import { commandResource, sessionResource } from '../../contracts/http.ts';
import { sealEvents, streamSeed } from '../../evidence/hashChain.ts';
import type { CommandResource, Envelope, SessionResource } from '../index.ts';

export const sessionId = '7d6a2f10-0000-4000-8000-000000000001';
export const deviceId = 'd'.repeat(40);
const at = '2026-01-02T03:04:05.000Z';

export const aSession = (changes: Partial<SessionResource> = {}): SessionResource =>
  sessionResource.parse({
    sessionId,
    deviceId,
    userId: 'u-1',
    userName: 'Ana',
    reason: 'beaconing',
    epoch: 1,
    platform: 'linux',
    hostName: 'web-01',
    agentVersion: '0.1.0',
    capabilities: [],
    status: 'connected',
    end: null,
    directory: '/',
    reachable: true,
    heardAt: at,
    requestedAt: at,
    connectedAt: at,
    endedAt: null,
    foreground: null,
    openCommands: [],
    limits: {
      openSessionsPerTenant: 25,
      openSessionsPerUser: 10,
      idle: 1800,
      connect: 180,
      command: 600,
      longCommand: 1800,
      startWithin: 120,
      backgroundCommands: 10,
      collectedFile: 1,
      fileinfoFile: 1,
      libraryFile: 1,
    },
    version: 2,
    ...changes,
  });

export const aCommand = (changes: Partial<CommandResource> = {}): CommandResource =>
  commandResource.parse({
    commandId: '7d6a2f10-0000-4000-8000-00000000000c',
    sessionId,
    name: 'processes',
    line: 'processes',
    background: false,
    state: 'Issued',
    cancelRequested: false,
    issuedBy: 'u-1',
    issuedAt: at,
    startedAt: null,
    endedAt: null,
    duration: null,
    exitCode: null,
    error: null,
    outputSize: 0,
    files: [],
    ...changes,
  });

/** A chain of events as the store would hold it. */
export const someEvents = (events: readonly { type: string; data: object }[]): Envelope[] =>
  sealEvents('tenant-1', `session-${sessionId}`, emptyStream(`session-${sessionId}`), events, {
    actor: { kind: 'user', id: 'u-1', name: 'Ana' },
    correlationId: 'c-1',
    causationId: 'c-1',
    traceparent: null,
    recordedAt: at,
  }).map((event) => event as unknown as Envelope);

const emptyStream = (streamId: string) => ({ version: 0, hash: streamSeed(streamId) });
