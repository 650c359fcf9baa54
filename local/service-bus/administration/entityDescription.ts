import { invalidArgument, notImplemented } from '../brokerError.ts';
import type { EntityKind, Queue } from '../engine/queue.ts';
import {
  defaultSettings,
  type EntityStatus,
  entityStatuses,
  type QueueSettings,
} from '../engine/settings.ts';
import { type AtomEntry, isoTime } from './atom.ts';
import { describeAuthorizationRules, readAuthorizationRules } from './authorizationRules.ts';
import { formatDuration, parseDuration } from './durations.ts';
import { element, textOf } from './xml.ts';

const countsNamespace = 'http://schemas.microsoft.com/netservices/2011/06/servicebus';
const rootOf = {
  queue: 'QueueDescription',
  topic: 'TopicDescription',
  subscription: 'SubscriptionDescription',
} as const;

/** The entry with which an entity is answered. The SDK fails on every field of it that is missing. */
export function describeEntity(host: string, entity: Queue): AtomEntry {
  const { kind, path, createdAt, updatedAt } = entity.identity;
  return {
    path,
    createdAt,
    updatedAt,
    root: rootOf[kind],
    content: Object.entries(fieldsOf(host, entity))
      .map(([name, value]) =>
        name in markup ? (markup[name as keyof typeof markup](entity) ?? '') : element(name, value),
      )
      .join(''),
  };
}

/** Fields that hold more than a text. */
const markup = {
  AuthorizationRules: (entity: Queue) => describeAuthorizationRules(entity.settings.rules),
  CountDetails: (entity: Queue) => describeCounts(entity),
};

/** The order is part of the protocol. Undefined fields are left out. */
function fieldsOf(host: string, entity: Queue): Record<string, unknown> {
  const { settings } = entity;
  const { bytes, total } = entity.counts();
  const { kind, createdAt, updatedAt } = entity.identity;
  const address = (path: string | undefined) => (path === undefined ? undefined : `sb://${host}/${path}`);
  const ttl = formatDuration(settings.defaultTtlMs);
  const moments = {
    CreatedAt: isoTime(createdAt),
    UpdatedAt: isoTime(updatedAt),
    AccessedAt: isoTime(entity.accessedAt),
  };
  const duplicates = {
    RequiresDuplicateDetection: settings.requiresDuplicateDetection,
    DuplicateDetectionHistoryTimeWindow: formatDuration(settings.duplicateWindowMs),
  };
  const receiving = {
    LockDuration: formatDuration(settings.lockDurationMs),
    RequiresSession: settings.requiresSession,
    DefaultMessageTimeToLive: ttl,
    DeadLetteringOnMessageExpiration: settings.deadLetteringOnExpiration,
  };
  const common = {
    Status: settings.status,
    UserMetadata: settings.userMetadata,
    AutoDeleteOnIdle: formatDuration(settings.autoDeleteOnIdleMs),
    EntityAvailabilityStatus: 'Available',
  };
  const forwarding = {
    ForwardTo: address(settings.forwardTo),
    ForwardDeadLetteredMessagesTo: address(settings.forwardDeadLetteredTo),
  };
  const notPartitioned = { EnablePartitioning: false, EnableExpress: false };
  switch (kind) {
    case 'queue':
      return {
        ...receiving,
        ...duplicates,
        MaxSizeInMegabytes: settings.maxSizeInMegabytes,
        MaxDeliveryCount: settings.maxDeliveryCount,
        EnableBatchedOperations: true,
        SizeInBytes: bytes,
        MessageCount: total,
        AuthorizationRules: true,
        ...common,
        ...forwarding,
        ...moments,
        CountDetails: true,
        ...notPartitioned,
      };
    case 'topic':
      return {
        DefaultMessageTimeToLive: ttl,
        MaxSizeInMegabytes: settings.maxSizeInMegabytes,
        ...duplicates,
        EnableBatchedOperations: true,
        SizeInBytes: bytes,
        AuthorizationRules: true,
        ...common,
        ...moments,
        SupportOrdering: true,
        CountDetails: true,
        SubscriptionCount: entity.subscriptions.size,
        ...notPartitioned,
      };
    case 'subscription':
      return {
        ...receiving,
        DeadLetteringOnFilterEvaluationExceptions: settings.deadLetteringOnFilterErrors,
        MaxDeliveryCount: settings.maxDeliveryCount,
        EnableBatchedOperations: true,
        MessageCount: total,
        ...common,
        ...forwarding,
        ...moments,
        CountDetails: true,
      };
    default:
      return kind satisfies never;
  }
}

function describeCounts(entity: Queue): string {
  const { active, deadLettered, scheduled } = entity.counts();
  const counts = Object.entries({
    ActiveMessageCount: active,
    DeadLetterMessageCount: deadLettered,
    ScheduledMessageCount: scheduled,
    TransferMessageCount: 0,
    TransferDeadLetterMessageCount: 0,
  }).map(([name, count]) => `<d2p1:${name}>${count}</d2p1:${name}>`);
  return `<CountDetails xmlns:d2p1="${countsNamespace}">${counts.join('')}</CountDetails>`;
}

/** Which kind of entity a PUT body describes. Throws BrokerError when it describes none. */
export function kindOf(body: string): EntityKind {
  const kind = (Object.keys(rootOf) as EntityKind[]).find((one) =>
    new RegExp(`<${rootOf[one]}\\b`).test(body),
  );
  if (!kind) throw invalidArgument('The body holds no description of a queue, topic or subscription.');
  return kind;
}

/** Settings in a PUT body; what it leaves out comes from `base`. Throws BrokerError. */
export function readEntityDescription(body: string, base: QueueSettings = defaultSettings): QueueSettings {
  // Both hold elements with names of their own.
  const flat = body
    .replace(/<AuthorizationRules[\s\S]*?<\/AuthorizationRules>/, '')
    .replace(/<DefaultRuleDescription[\s\S]*?<\/DefaultRuleDescription>/, '');
  refuseUnsupported(flat);
  const duration = (name: string, otherwise: number | null) => {
    const text = textOf(flat, name);
    return text === undefined ? otherwise : parseDuration(text);
  };
  const forwardTo = forwardingPath(flat, 'ForwardTo');
  const forwardDeadLetteredTo = forwardingPath(flat, 'ForwardDeadLetteredMessagesTo');
  const userMetadata = textOf(flat, 'UserMetadata') ?? base.userMetadata;
  return {
    lockDurationMs: duration('LockDuration', null) ?? base.lockDurationMs,
    maxDeliveryCount: numberOf(flat, 'MaxDeliveryCount') ?? base.maxDeliveryCount,
    requiresSession: booleanOf(flat, 'RequiresSession') ?? base.requiresSession,
    defaultTtlMs: duration('DefaultMessageTimeToLive', base.defaultTtlMs),
    requiresDuplicateDetection:
      booleanOf(flat, 'RequiresDuplicateDetection') ?? base.requiresDuplicateDetection,
    duplicateWindowMs: duration('DuplicateDetectionHistoryTimeWindow', null) ?? base.duplicateWindowMs,
    deadLetteringOnExpiration:
      booleanOf(flat, 'DeadLetteringOnMessageExpiration') ?? base.deadLetteringOnExpiration,
    deadLetteringOnFilterErrors:
      booleanOf(flat, 'DeadLetteringOnFilterEvaluationExceptions') ?? base.deadLetteringOnFilterErrors,
    maxSizeInMegabytes: numberOf(flat, 'MaxSizeInMegabytes') ?? base.maxSizeInMegabytes,
    status: statusOf(flat) ?? base.status,
    autoDeleteOnIdleMs: duration('AutoDeleteOnIdle', base.autoDeleteOnIdleMs),
    ...(forwardTo === undefined ? {} : { forwardTo }),
    ...(forwardDeadLetteredTo === undefined ? {} : { forwardDeadLetteredTo }),
    ...(userMetadata === undefined ? {} : { userMetadata }),
    rules: readAuthorizationRules(body) ?? base.rules,
  };
}

/** Settings that would silently do nothing here. */
function refuseUnsupported(body: string): void {
  if (textOf(body, 'MaxMessageSizeInKilobytes'))
    throw notImplemented('The setting MaxMessageSizeInKilobytes');
  for (const name of ['EnablePartitioning', 'EnableExpress']) {
    if (booleanOf(body, name)) throw notImplemented(`The setting ${name}`);
  }
}

/** Given as an address; one that is left out ends the forwarding. */
function forwardingPath(body: string, name: string): string | undefined {
  const path = (textOf(body, name) ?? '').replace(/^[a-z]+:\/\/[^/]*\//i, '').replace(/^\/+|\/+$/g, '');
  return path === '' ? undefined : path;
}

function statusOf(body: string): EntityStatus | undefined {
  const text = textOf(body, 'Status');
  if (text === undefined) return undefined;
  const status = entityStatuses.find((one) => one === text);
  if (!status) throw invalidArgument(`Status must be one of ${entityStatuses.join(', ')}, not '${text}'.`);
  return status;
}

function numberOf(xml: string, name: string): number | undefined {
  const text = textOf(xml, name);
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw invalidArgument(`${name} must be a whole number, not '${text}'.`);
  return Number(text);
}

function booleanOf(xml: string, name: string): boolean | undefined {
  const text = textOf(xml, name)?.toLowerCase();
  if (text === undefined) return undefined;
  if (text !== 'true' && text !== 'false')
    throw invalidArgument(`${name} must be true or false, not '${text}'.`);
  return text === 'true';
}
