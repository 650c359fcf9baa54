import { invalidArgument, notAllowed } from '../brokerError.ts';
import { toNumber } from '../codec/values.ts';
import type { Queue } from '../engine/queue.ts';
import type { Rules } from '../engine/rules.ts';
import type { PropertyValue, SystemProperty } from '../filters/message.ts';
import type { RuleDescription } from '../filters/rule.ts';
import { noContent, ok, type Operation, type RequestBody } from './messageOperations.ts';
import { type Typed, types } from './rhea.ts';

/** Descriptors of the protocol; those of filters are a digit shorter than the others, and clients compare them. */
const descriptor = {
  rule: 0x1370_0000_004,
  emptyAction: 0x1370_0000_005,
  sqlAction: 0x1370_0000_006,
  sqlFilter: 0x137_0000_006,
  trueFilter: 0x137_0000_007,
  correlationFilter: 0x137_0000_009,
} as const;

/** Fields of a correlation filter in the order of their list, with their names in a request. */
const correlated = [
  ['CorrelationId', 'correlation-id'],
  ['MessageId', 'message-id'],
  ['To', 'to'],
  ['ReplyTo', 'reply-to'],
  ['Label', 'label'],
  ['SessionId', 'session-id'],
  ['ReplyToSessionId', 'reply-to-session-id'],
  ['ContentType', 'content-type'],
] as const satisfies readonly (readonly [SystemProperty, string])[];

/** What `$management` does with the rules of a subscription. As the SDK documents it, Listen is enough for it. */
export const ruleOperations: Readonly<Record<string, Operation>> = {
  'com.microsoft:add-rule': {
    right: 'Listen',
    perform: (queue, body) => {
      rulesOf(queue).add(
        readRule(String(body['rule-name']), (body['rule-description'] ?? {}) as RequestBody),
      );
      return ok({});
    },
  },
  'com.microsoft:remove-rule': {
    right: 'Listen',
    perform: (queue, body) => {
      rulesOf(queue).remove(String(body['rule-name']));
      return ok({});
    },
  },
  'com.microsoft:enumerate-rules': {
    right: 'Listen',
    perform: (queue, body) => {
      const skip = toNumber(body.skip ?? 0);
      const rules = rulesOf(queue)
        .list()
        .slice(skip, skip + toNumber(body.top ?? 100));
      if (rules.length === 0) return noContent;
      return ok({ rules: rules.map((rule) => ({ 'rule-description': describeRule(rule.description) })) });
    },
  },
};

function rulesOf(queue: Queue): Rules {
  if (!queue.rules) throw notAllowed(`'${queue.address}' is no subscription and has no rules.`);
  return queue.rules;
}

function readRule(name: string, description: RequestBody): RuleDescription {
  const sql = description['sql-filter'] as RequestBody | undefined;
  const correlation = description['correlation-filter'] as RequestBody | undefined;
  const action = (description['sql-rule-action'] as RequestBody | undefined)?.expression;
  const withAction = typeof action === 'string' ? { action: { expression: action } } : {};
  if (sql) return { name, filter: { sql: { expression: String(sql.expression) } }, ...withAction };
  if (!correlation) throw invalidArgument('A rule needs an sql-filter or a correlation-filter.');
  const system: Partial<Record<SystemProperty, string>> = {};
  for (const [property, field] of correlated) {
    const value = correlation[field];
    if (value !== undefined && value !== null) system[property] = String(value);
  }
  const application = (correlation.properties ?? {}) as Readonly<Record<string, PropertyValue>>;
  return { name, filter: { correlation: { system, application: { ...application } } }, ...withAction };
}

function describeRule({ name, filter, action }: RuleDescription): Typed {
  return list(descriptor.rule, [
    describeFilter(filter),
    action
      ? list(descriptor.sqlAction, [types.wrap_string(action.expression)])
      : list(descriptor.emptyAction, []),
    types.wrap_string(name),
  ]);
}

function describeFilter(filter: RuleDescription['filter']): Typed {
  if ('sql' in filter) {
    const { expression } = filter.sql;
    return expression === '1=1'
      ? list(descriptor.trueFilter, [])
      : list(descriptor.sqlFilter, [types.wrap_string(expression)]);
  }
  const { system, application } = filter.correlation;
  return list(descriptor.correlationFilter, [
    ...correlated.map(([property]) => {
      const value = system[property];
      return value === undefined ? types.Null() : types.wrap_string(value);
    }),
    Object.keys(application).length === 0 ? types.Null() : types.wrap_map(application),
  ]);
}

const list = (code: number, items: readonly Typed[]): Typed =>
  types.described_nc(types.wrap_ulong(code), types.List32(items));
