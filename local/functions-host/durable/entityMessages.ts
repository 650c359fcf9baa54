import { createHash } from 'node:crypto';
import type { EventBody } from './history.ts';
import { EventType } from './history.ts';

/** What orchestrations, clients and entities send to an entity, as JSON text in an EventRaised named `op`. */
export interface EntityRequest {
  id: string;
  /** The calling orchestration; absent when a client or an entity signals. */
  parent?: string;
  parentExecution?: string;
  op?: string;
  signal?: boolean;
  /** JSON text. */
  input?: string;
  /** A lock request travels through all entities of the set, in order; `pos` is where it is. */
  lockset?: { name: string; key: string }[];
  pos?: number;
}

export const OPERATION = 'op';
export const RELEASE = 'release';

/** Scheduler id of an entity; names compare without regard to case. */
export const entityInstanceId = (name: string, key: string): string => `@${name.toLowerCase()}@${key}`;

/** @throws when the text is not `@name@key`. */
export function parseEntityId(id: string): { name: string; key: string } {
  const match = /^@([^@]+)@([\s\S]*)$/.exec(id);
  if (match === null) throw new Error(`'${id}' is not the id of an entity.`);
  return { name: match[1] ?? '', key: match[2] ?? '' };
}

export const isEntityId = (id: string): boolean => id.startsWith('@');

/** A GUID that is the same at every replay. */
export function deterministicGuid(seed: string): string {
  const hex = createHash('sha256').update(seed).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export const entityEvent = (name: string, input: EntityRequest): EventBody => ({
  EventType: EventType.EventRaised,
  Name: name,
  Input: JSON.stringify(input),
});
