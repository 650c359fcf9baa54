import { invalidArgument } from '../brokerError.ts';
import type { StoredRule } from '../engine/rules.ts';
import { type PropertyValue, type SystemProperty, systemPropertyOf } from '../filters/message.ts';
import type { CorrelationFilter, RuleDescription, SqlText } from '../filters/rule.ts';
import { type AtomEntry, isoTime } from './atom.ts';
import { element, escapeXml, innerOf, textOf } from './xml.ts';

const schemaNamespace = 'http://www.w3.org/2001/XMLSchema';
const compatibilityLevel = 20;
const correlated = [
  'CorrelationId',
  'MessageId',
  'To',
  'ReplyTo',
  'Label',
  'SessionId',
  'ReplyToSessionId',
  'ContentType',
] as const satisfies readonly SystemProperty[];

export function describeRule(subscriptionPath: string, { description, createdAt }: StoredRule): AtomEntry {
  const { name, filter, action } = description;
  const describedFilter =
    'sql' in filter
      ? `<Filter i:type="SqlFilter">${describeSql(filter.sql)}</Filter>`
      : `<Filter i:type="CorrelationFilter">${describeCorrelation(filter.correlation)}</Filter>`;
  const describedAction = action
    ? `<Action i:type="SqlRuleAction">${describeSql(action)}</Action>`
    : '<Action i:type="EmptyRuleAction"/>';
  return {
    path: `${subscriptionPath}/Rules/${name}`,
    createdAt,
    updatedAt: createdAt,
    root: 'RuleDescription',
    content: `${describedFilter}${describedAction}${element('CreatedAt', isoTime(createdAt))}${element('Name', name)}`,
  };
}

/** @param name from the address, which wins. Throws BrokerError. */
export function readRuleDescription(body: string, name?: string): RuleDescription {
  const filterXml = innerOf(body, 'Filter')[0] ?? '';
  const actionXml = innerOf(body, 'Action')[0] ?? '';
  const type = /<Filter\b[^>]*\btype="(?:\w+:)?(\w+)"/.exec(body)?.[1];
  const action = textOf(actionXml, 'SqlExpression');
  return {
    name: name ?? textOf(body, 'Name') ?? '$Default',
    filter: readFilter(type, filterXml),
    ...(action ? { action: { expression: action, parameters: readPairs(actionXml) } } : {}),
  };
}

/** The rule that a new subscription begins with, when its body names one. */
export function readDefaultRule(body: string): RuleDescription | undefined {
  const xml = innerOf(body, 'DefaultRuleDescription')[0];
  return xml === undefined ? undefined : readRuleDescription(xml);
}

function readFilter(type: string | undefined, xml: string): RuleDescription['filter'] {
  switch (type) {
    case 'SqlFilter':
      return { sql: { expression: textOf(xml, 'SqlExpression') ?? '', parameters: readPairs(xml) } };
    case 'TrueFilter':
      return { sql: { expression: '1=1' } };
    case 'FalseFilter':
      return { sql: { expression: '1=0' } };
    case 'CorrelationFilter': {
      const flat = xml.replace(/<Properties[\s\S]*<\/Properties>/, '');
      const system: Partial<Record<SystemProperty, string>> = {};
      for (const name of correlated) {
        const value = textOf(flat, name);
        const property = systemPropertyOf(name);
        if (value !== undefined && property) system[property] = value;
      }
      return { correlation: { system, application: readPairs(xml) } };
    }
    default:
      throw invalidArgument(`A rule needs a Filter of a known type, not '${type ?? ''}'.`);
  }
}

const describeSql = ({ expression, parameters = {} }: SqlText): string =>
  element('SqlExpression', expression) +
  element('CompatibilityLevel', compatibilityLevel) +
  describePairs('Parameters', parameters);

const describeCorrelation = ({ system, application }: CorrelationFilter): string =>
  correlated.map((name) => element(name, system[name])).join('') + describePairs('Properties', application);

function describePairs(root: string, pairs: Readonly<Record<string, PropertyValue>>): string {
  const entries = Object.entries(pairs);
  if (entries.length === 0) return '';
  const described = entries.map(
    ([key, value]) =>
      `<KeyValueOfstringanyType>${element('Key', key)}<Value xmlns:d6p1="${schemaNamespace}" ` +
      // The SDK cuts off five characters whatever the prefix is.
      `i:type="d6p1:${typeOf(value)}">${escapeXml(value instanceof Date ? value.toISOString() : value)}</Value>` +
      '</KeyValueOfstringanyType>',
  );
  return `<${root}>${described.join('')}</${root}>`;
}

function typeOf(value: PropertyValue): string {
  if (value instanceof Date) return 'dateTime';
  return typeof value === 'number' ? 'double' : typeof value;
}

function readPairs(xml: string): Record<string, PropertyValue> {
  const pairs = innerOf(xml, 'KeyValueOfstringanyType').map((pair) => {
    const type = /<Value\b[^>]*\btype="(?:\w+:)?(\w+)"/.exec(pair)?.[1];
    return [textOf(pair, 'Key') ?? '', readValue(type, textOf(pair, 'Value') ?? '')] as const;
  });
  return Object.fromEntries(pairs);
}

function readValue(type: string | undefined, text: string): PropertyValue {
  switch (type) {
    case 'int':
    case 'long':
    case 'double':
      return Number(text);
    case 'boolean':
      return text === 'true';
    case 'dateTime':
      return new Date(text);
    case 'string':
      return text;
    default:
      throw invalidArgument(`A property of type '${type ?? ''}' is not known in a rule.`);
  }
}
