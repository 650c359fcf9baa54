import { invalidArgument } from '../brokerError.ts';
import { type DeclaredQueue, isRight, type Right, type SharedAccessRule } from '../config.ts';

/** What an entity lets through. */
export const entityStatuses = ['Active', 'Disabled', 'SendDisabled', 'ReceiveDisabled'] as const;
export type EntityStatus = (typeof entityStatuses)[number];

/** Settings of a queue, topic or subscription; durations in ms, null = for ever. */
export interface QueueSettings {
  readonly lockDurationMs: number;
  readonly maxDeliveryCount: number;
  readonly requiresSession: boolean;
  readonly defaultTtlMs: number | null;
  readonly requiresDuplicateDetection: boolean;
  readonly duplicateWindowMs: number;
  readonly deadLetteringOnExpiration: boolean;
  /** Kept and given back, not enforced. */
  readonly maxSizeInMegabytes: number;
  readonly status: EntityStatus;
  readonly autoDeleteOnIdleMs: number | null;
  /** Path of the entity that gets all messages, or all dead-lettered ones, instead of receivers. */
  readonly forwardTo?: string;
  readonly forwardDeadLetteredTo?: string;
  /** Of a subscription: messages on which a rule fails go to its dead-letter queue. */
  readonly deadLetteringOnFilterErrors: boolean;
  readonly userMetadata?: string;
  readonly rules: readonly SharedAccessRule[];
}

export const defaultSettings: QueueSettings = {
  lockDurationMs: 60_000,
  maxDeliveryCount: 10,
  requiresSession: false,
  defaultTtlMs: null,
  requiresDuplicateDetection: false,
  duplicateWindowMs: 600_000,
  deadLetteringOnExpiration: false,
  maxSizeInMegabytes: 1024,
  status: 'Active',
  autoDeleteOnIdleMs: null,
  deadLetteringOnFilterErrors: true,
  rules: [],
};

const longestLockMs = 300_000;
const longestDuplicateWindowMs = 7 * 86_400_000;
const maxRules = 12;
const shortestIdleMs = 300_000;

/** The service's own limits. Throws BrokerError. */
export function checkSettings(settings: QueueSettings): void {
  if (!(settings.lockDurationMs > 0 && settings.lockDurationMs <= longestLockMs)) {
    throw invalidArgument('LockDuration must be more than zero and at most 5 minutes.');
  }
  if (!Number.isInteger(settings.maxDeliveryCount) || settings.maxDeliveryCount < 1) {
    throw invalidArgument('MaxDeliveryCount must be a whole number from 1.');
  }
  if (settings.defaultTtlMs !== null && !(settings.defaultTtlMs > 0)) {
    throw invalidArgument('DefaultMessageTimeToLive must be more than zero.');
  }
  if (!(settings.duplicateWindowMs > 0 && settings.duplicateWindowMs <= longestDuplicateWindowMs)) {
    throw invalidArgument('DuplicateDetectionHistoryTimeWindow must be more than zero and at most 7 days.');
  }
  if (settings.autoDeleteOnIdleMs !== null && settings.autoDeleteOnIdleMs < shortestIdleMs) {
    throw invalidArgument('AutoDeleteOnIdle must be at least 5 minutes.');
  }
  if (settings.requiresSession && settings.forwardTo !== undefined) {
    throw invalidArgument('An entity that requires sessions cannot forward its messages (ForwardTo).');
  }
  if (settings.rules.length > maxRules) {
    throw invalidArgument(`An entity can have at most ${maxRules} authorization rules.`);
  }
  for (const rule of settings.rules) {
    if (!rule.name || !rule.key || !rule.rights.every((right: Right) => isRight(right))) {
      throw invalidArgument('An authorization rule needs KeyName, PrimaryKey and known AccessRights.');
    }
  }
}

export function settingsOf(declared: DeclaredQueue): QueueSettings {
  const ms = (seconds: number | undefined) =>
    seconds === undefined ? undefined : Math.round(seconds * 1000);
  return {
    ...defaultSettings,
    lockDurationMs: ms(declared.lockDurationSeconds) ?? defaultSettings.lockDurationMs,
    maxDeliveryCount: declared.maxDeliveryCount ?? defaultSettings.maxDeliveryCount,
    requiresSession: declared.requiresSession ?? false,
    defaultTtlMs: ms(declared.defaultTtlSeconds) ?? null,
    requiresDuplicateDetection: declared.duplicateDetectionWindowSeconds !== undefined,
    duplicateWindowMs: ms(declared.duplicateDetectionWindowSeconds) ?? defaultSettings.duplicateWindowMs,
    deadLetteringOnExpiration: declared.deadLetteringOnMessageExpiration ?? false,
  };
}
