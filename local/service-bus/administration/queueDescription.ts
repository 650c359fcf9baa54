import { invalidArgument, notImplemented } from '../brokerError.ts';
import { isRight, type SharedAccessRule } from '../config.ts';
import type { Queue } from '../engine/queue.ts';
import { defaultSettings, type QueueSettings } from '../engine/settings.ts';
import { formatDuration, parseDuration } from './durations.ts';
import { element, escapeXml, innerOf, textOf } from './xml.ts';

const serviceNamespace = 'http://schemas.microsoft.com/netservices/2010/10/servicebus/connect';
const countsNamespace = 'http://schemas.microsoft.com/netservices/2011/06/servicebus';
const instanceNamespace = 'http://www.w3.org/2001/XMLSchema-instance';

/** The entry with which a queue is answered. The SDK fails on every field of it that is missing. */
export function describeQueue(host: string, queue: Queue): string {
  const { path, createdAt, updatedAt } = queue.identity;
  const { settings } = queue;
  const { active, deadLettered, scheduled, total, bytes } = queue.counts();
  const time = (moment: number) => new Date(moment).toISOString();
  const counts = Object.entries({
    ActiveMessageCount: active,
    DeadLetterMessageCount: deadLettered,
    ScheduledMessageCount: scheduled,
    TransferMessageCount: 0,
    TransferDeadLetterMessageCount: 0,
  }).map(([name, count]) => `<d2p1:${name}>${count}</d2p1:${name}>`);
  const description = [
    element('LockDuration', formatDuration(settings.lockDurationMs)),
    element('MaxSizeInMegabytes', settings.maxSizeInMegabytes),
    element('RequiresDuplicateDetection', settings.requiresDuplicateDetection),
    element('RequiresSession', settings.requiresSession),
    element('DefaultMessageTimeToLive', formatDuration(settings.defaultTtlMs)),
    element('DeadLetteringOnMessageExpiration', settings.deadLetteringOnExpiration),
    element('DuplicateDetectionHistoryTimeWindow', formatDuration(settings.duplicateWindowMs)),
    element('MaxDeliveryCount', settings.maxDeliveryCount),
    element('EnableBatchedOperations', true),
    element('SizeInBytes', bytes),
    element('MessageCount', total),
    describeRules(settings.rules),
    element('Status', 'Active'),
    element('UserMetadata', settings.userMetadata),
    element('CreatedAt', time(createdAt)),
    element('UpdatedAt', time(updatedAt)),
    element('AccessedAt', time(queue.accessedAt)),
    `<CountDetails xmlns:d2p1="${countsNamespace}">${counts.join('')}</CountDetails>`,
    element('AutoDeleteOnIdle', formatDuration(null)),
    element('EnablePartitioning', false),
    element('EntityAvailabilityStatus', 'Available'),
    element('EnableExpress', false),
  ];
  return (
    `<entry xmlns="http://www.w3.org/2005/Atom"><id>https://${escapeXml(host)}/${escapeXml(path)}</id>` +
    `<title type="text">${escapeXml(path)}</title><published>${time(createdAt)}</published>` +
    `<updated>${time(updatedAt)}</updated><content type="application/xml">` +
    `<QueueDescription xmlns="${serviceNamespace}" xmlns:i="${instanceNamespace}">${description.join('')}` +
    '</QueueDescription></content></entry>'
  );
}

/** Settings in a PUT body; what it leaves out comes from `base`. Throws BrokerError. */
export function readQueueDescription(body: string, base: QueueSettings = defaultSettings): QueueSettings {
  if (/<(\w+:)?(Topic|Subscription|Rule)Description\b/.test(body))
    throw notImplemented('A topic or subscription');
  if (!/<QueueDescription\b/.test(body)) throw invalidArgument('The body holds no QueueDescription.');
  refuseUnsupported(body);
  const ruleXml = innerOf(body, 'AuthorizationRules')[0];
  const flat = body.replace(/<AuthorizationRules[\s\S]*?<\/AuthorizationRules>/, '');
  const ms = (name: string) => {
    const text = textOf(flat, name);
    return text === undefined ? undefined : parseDuration(text);
  };
  const finiteMs = (name: string, otherwise: number) => ms(name) ?? otherwise;
  const ttl = ms('DefaultMessageTimeToLive');
  const userMetadata = textOf(flat, 'UserMetadata') ?? base.userMetadata;
  return {
    lockDurationMs: finiteMs('LockDuration', base.lockDurationMs),
    maxDeliveryCount: numberOf(flat, 'MaxDeliveryCount') ?? base.maxDeliveryCount,
    requiresSession: booleanOf(flat, 'RequiresSession') ?? base.requiresSession,
    defaultTtlMs: ttl === undefined ? base.defaultTtlMs : ttl,
    requiresDuplicateDetection:
      booleanOf(flat, 'RequiresDuplicateDetection') ?? base.requiresDuplicateDetection,
    duplicateWindowMs: finiteMs('DuplicateDetectionHistoryTimeWindow', base.duplicateWindowMs),
    deadLetteringOnExpiration:
      booleanOf(flat, 'DeadLetteringOnMessageExpiration') ?? base.deadLetteringOnExpiration,
    maxSizeInMegabytes: numberOf(flat, 'MaxSizeInMegabytes') ?? base.maxSizeInMegabytes,
    ...(userMetadata === undefined ? {} : { userMetadata }),
    rules: ruleXml === undefined ? base.rules : innerOf(ruleXml, 'AuthorizationRule').map(readRule),
  };
}

/** Settings that would silently do nothing here. */
function refuseUnsupported(body: string): void {
  for (const name of ['ForwardTo', 'ForwardDeadLetteredMessagesTo', 'MaxMessageSizeInKilobytes']) {
    if (textOf(body, name)) throw notImplemented(`The setting ${name}`);
  }
  for (const name of ['EnablePartitioning', 'EnableExpress']) {
    if (booleanOf(body, name)) throw notImplemented(`The setting ${name}`);
  }
  const idle = textOf(body, 'AutoDeleteOnIdle');
  if (idle && parseDuration(idle) !== null) throw notImplemented('The setting AutoDeleteOnIdle');
  const status = textOf(body, 'Status');
  if (status && status !== 'Active') throw notImplemented(`The status ${status}`);
}

function describeRules(rules: readonly SharedAccessRule[]): string {
  if (rules.length === 0) return '';
  const described = rules.map(
    (rule) =>
      '<AuthorizationRule i:type="SharedAccessAuthorizationRule"><ClaimType>SharedAccessKey</ClaimType>' +
      `<ClaimValue>None</ClaimValue><Rights>${rule.rights.map((right) => element('AccessRights', right)).join('')}` +
      `</Rights>${element('KeyName', rule.name)}${element('PrimaryKey', rule.key)}` +
      `${element('SecondaryKey', rule.secondaryKey)}</AuthorizationRule>`,
  );
  return `<AuthorizationRules>${described.join('')}</AuthorizationRules>`;
}

function readRule(xml: string): SharedAccessRule {
  const secondaryKey = textOf(xml, 'SecondaryKey');
  const rights = innerOf(xml, 'AccessRights');
  if (!rights.every(isRight)) throw invalidArgument(`AccessRights must be Send, Listen or Manage.`);
  return {
    name: textOf(xml, 'KeyName') ?? '',
    key: textOf(xml, 'PrimaryKey') ?? '',
    ...(secondaryKey === undefined ? {} : { secondaryKey }),
    rights,
  };
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
