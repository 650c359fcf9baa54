import { invalidArgument } from '../brokerError.ts';
import { changesOf, holds } from './evaluate.ts';
import {
  type FilteredMessage,
  type PropertyChanges,
  type PropertyValue,
  type SystemProperty,
  systemProperties,
} from './message.ts';
import { type Parameters, parseAction, parseCondition } from './sqlParser.ts';

export interface SqlText {
  readonly expression: string;
  readonly parameters?: Parameters;
}

/** All that is given must be equal. */
export interface CorrelationFilter {
  readonly system: Readonly<Partial<Record<SystemProperty, string>>>;
  readonly application: Readonly<Record<string, PropertyValue>>;
}

export interface RuleDescription {
  readonly name: string;
  readonly filter: { readonly sql: SqlText } | { readonly correlation: CorrelationFilter };
  readonly action?: SqlText;
}

/** A rule that is ready to be asked. Both functions may throw EvaluationError. */
export interface Rule {
  readonly description: RuleDescription;
  matches(message: FilteredMessage): boolean;
  /** Absent when messages are taken as they are. */
  readonly changes?: (message: FilteredMessage) => PropertyChanges;
}

export const defaultRule: RuleDescription = { name: '$Default', filter: { sql: { expression: '1=1' } } };

const ruleName = /^[\w$.-]{1,50}$/;

/** Throws BrokerError when the rule cannot be understood. */
export function compileRule(description: RuleDescription): Rule {
  const { name, filter, action } = description;
  if (!ruleName.test(name)) {
    throw invalidArgument(`'${name}' cannot be the name of a rule: up to 50 letters, digits, . - _ and $.`);
  }
  const steps = action && parseAction(action.expression, action.parameters);
  return {
    description,
    matches: 'sql' in filter ? sqlFilter(filter.sql) : correlationFilter(filter.correlation),
    ...(steps ? { changes: (message: FilteredMessage) => changesOf(steps, message) } : {}),
  };
}

function sqlFilter({ expression, parameters }: SqlText): Rule['matches'] {
  const condition = parseCondition(expression, parameters);
  return (message) => holds(condition, message);
}

function correlationFilter({ system, application }: CorrelationFilter): Rule['matches'] {
  const wantedSystem = systemProperties.flatMap((name) => {
    const value = system[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const wantedApplication = Object.entries(application);
  if (wantedSystem.length + wantedApplication.length === 0) {
    throw invalidArgument('A correlation filter needs at least one property.');
  }
  return (message) =>
    wantedSystem.every(([name, value]) => message.system.get(name) === value) &&
    wantedApplication.every(([name, value]) => isSame(message.application.get(name), value));
}

const isSame = (a: unknown, b: PropertyValue): boolean =>
  a instanceof Date && b instanceof Date ? a.getTime() === b.getTime() : a === b;
