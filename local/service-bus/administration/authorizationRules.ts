import { invalidArgument } from '../brokerError.ts';
import { isRight, type SharedAccessRule } from '../config.ts';
import { element, innerOf, textOf } from './xml.ts';

export function describeAuthorizationRules(rules: readonly SharedAccessRule[]): string {
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

/** Undefined when the body says nothing about them. Throws BrokerError. */
export function readAuthorizationRules(body: string): readonly SharedAccessRule[] | undefined {
  const xml = innerOf(body, 'AuthorizationRules')[0];
  return xml === undefined ? undefined : innerOf(xml, 'AuthorizationRule').map(readRule);
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
