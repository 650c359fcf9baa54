import { randomUUID } from 'node:crypto';
import type { FilteredMessage, PropertyChanges, PropertyName, PropertyValue } from './message.ts';
import type { ActionStep, Arithmetic, Comparison, Expression } from './sqlParser.ts';

/** An expression that makes no sense for a certain message, such as a sum with a text. */
export class EvaluationError extends Error {}

/** Undefined is "unknown": what an expression is over properties that the message lacks. */
type Value = PropertyValue | undefined;

/** @returns true only when the condition is true; false and unknown both mean "no". Throws EvaluationError. */
export const holds = (condition: Expression, message: FilteredMessage): boolean =>
  evaluate(condition, message) === true;

/** What an action does to a message. Later steps see the changes of earlier ones. Throws EvaluationError. */
export function changesOf(steps: readonly ActionStep[], message: FilteredMessage): PropertyChanges {
  const changes: PropertyChanges = { system: new Map(), application: new Map() };
  const system = new Map(message.system);
  const application = new Map(message.application);
  for (const { name, value } of steps) {
    const result = value && evaluate(value, { system, application });
    if (name.scope === 'system') {
      // AMQP has texts there.
      const text = result === undefined ? undefined : String(result);
      changes.system.set(name.name, text);
      system.set(name.name, text);
    } else {
      changes.application.set(name.name, result);
      application.set(name.name, result);
    }
  }
  return changes;
}

function evaluate(expression: Expression, message: FilteredMessage): Value {
  switch (expression.kind) {
    case 'literal':
      return expression.value;
    case 'property':
      return read(expression.name, message);
    case 'exists':
      return read(expression.name, message) !== undefined;
    case 'newId':
      return randomUUID();
    case 'not': {
      const value = truth(evaluate(expression.of, message));
      return value === undefined ? undefined : !value;
    }
    case 'negate': {
      const value = evaluate(expression.of, message);
      return value === undefined ? undefined : -number(value);
    }
    case 'and':
    case 'or': {
      // One side can decide alone, even when the other is unknown.
      const decisive = expression.kind === 'or';
      const left = truth(evaluate(expression.left, message));
      if (left === decisive) return decisive;
      const right = truth(evaluate(expression.right, message));
      if (right === decisive) return decisive;
      return left === undefined || right === undefined ? undefined : !decisive;
    }
    case 'compare':
      return compare(
        expression.operator,
        evaluate(expression.left, message),
        evaluate(expression.right, message),
      );
    case 'calculate':
      return calculate(
        expression.operator,
        evaluate(expression.left, message),
        evaluate(expression.right, message),
      );
    case 'in':
      return isIn(
        evaluate(expression.of, message),
        expression.items.map((item) => evaluate(item, message)),
      );
    case 'like': {
      const [text, pattern] = [expression.of, expression.pattern].map((part) => evaluate(part, message));
      const escape = expression.escape && evaluate(expression.escape, message);
      if (typeof text !== 'string' || typeof pattern !== 'string') return undefined;
      return patternOf(pattern, typeof escape === 'string' ? escape : undefined).test(text);
    }
    case 'isNull':
      return evaluate(expression.of, message) === undefined;
    default:
      return expression satisfies never;
  }
}

function read(name: PropertyName, { system, application }: FilteredMessage): Value {
  const value = name.scope === 'system' ? system.get(name.name) : application.get(name.name);
  const isKnown =
    typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    value instanceof Date;
  return isKnown ? value : undefined;
}

function truth(value: Value): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  throw new EvaluationError(`'${String(value)}' is neither true nor false.`);
}

function number(value: PropertyValue): number {
  if (typeof value === 'number') return value;
  throw new EvaluationError(`'${String(value)}' is no number.`);
}

function compare(operator: Comparison, left: Value, right: Value): boolean | undefined {
  const [a, b] = [left, right].map((value) => (value instanceof Date ? value.getTime() : value));
  if (a === undefined || b === undefined || typeof a !== typeof b) return undefined;
  switch (operator) {
    case '=':
      return a === b;
    case '<>':
      return a !== b;
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
    default:
      return operator satisfies never;
  }
}

function calculate(operator: Arithmetic, left: Value, right: Value): Value {
  if (left === undefined || right === undefined) return undefined;
  if (operator === '+' && typeof left === 'string' && typeof right === 'string') return left + right;
  const [a, b] = [number(left), number(right)];
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
    case '%':
      if (b === 0) throw new EvaluationError('Division by zero.');
      return operator === '/' ? a / b : a % b;
    default:
      return operator satisfies never;
  }
}

function isIn(value: Value, items: readonly Value[]): boolean | undefined {
  const results = items.map((item) => compare('=', value, item));
  if (results.includes(true)) return true;
  return value === undefined ? undefined : false;
}

const literally = (character: string): string => character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');

function patternOf(pattern: string, escape: string | undefined): RegExp {
  let source = '';
  const characters = [...pattern];
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index] ?? '';
    if (character === escape) {
      index += 1;
      source += literally(characters[index] ?? '');
    } else if (character === '%') source += '.*';
    else if (character === '_') source += '.';
    else source += literally(character);
  }
  return new RegExp(`^${source}$`, 'su');
}
