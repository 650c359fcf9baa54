import { badRequest } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { areComparable, compareValues, equalValues, type Value } from './compare.ts';
import { functions } from './functions.ts';
import type { ComparisonOperator, Expression, Field } from './syntax.ts';

export type Parameters = ReadonlyMap<string, Json>;

/** A compiled expression. Truth has three values: true, false and undefined (absent or of the wrong type). */
export type Evaluate = (document: JsonObject, parameters: Parameters) => Value;

export function compile(expression: Expression): Evaluate {
  switch (expression.kind) {
    case 'literal':
      return () => expression.value;
    case 'parameter':
      return (_document, parameters) => parameterValue(expression.name, parameters);
    case 'property':
      return (document) => propertyOf(document, expression.path);
    case 'comparison':
      return compileComparison(expression.operator, compile(expression.left), compile(expression.right));
    case 'and':
      return compileJunction(false, compile(expression.left), compile(expression.right));
    case 'or':
      return compileJunction(true, compile(expression.left), compile(expression.right));
    case 'not': {
      const operand = compile(expression.operand);
      return (document, parameters) => {
        const value = operand(document, parameters);
        return typeof value === 'boolean' ? !value : undefined;
      };
    }
    case 'in': {
      const operand = compile(expression.operand);
      const options = expression.options.map(compile);
      return (document, parameters) => {
        const value = operand(document, parameters);
        return value === undefined
          ? undefined
          : options.some((option) => equalValues(option(document, parameters), value));
      };
    }
    case 'call': {
      const args = expression.args.map(compile);
      const apply = functions[expression.name]?.apply;
      if (apply === undefined) throw new Error(`The parser let an unknown function pass: ${expression.name}`);
      return (document, parameters) => apply(...args.map((argument) => argument(document, parameters)));
    }
    case 'array': {
      const elements = expression.elements.map(compile);
      return (document, parameters) =>
        elements.map((element) => element(document, parameters)).filter((value) => value !== undefined);
    }
    case 'object':
      return compileFields(expression.fields);
  }
}

/** Makes an object of the fields that are there. */
export function compileFields(fields: readonly Field[]): Evaluate {
  const compiled = fields.map((field) => ({ name: field.name, evaluate: compile(field.expression) }));
  return (document, parameters) => {
    const result: JsonObject = {};
    for (const { name, evaluate } of compiled) {
      const value = evaluate(document, parameters);
      if (value !== undefined) result[name] = value;
    }
    return result;
  };
}

export function propertyOf(document: JsonObject, path: readonly (string | number)[]): Value {
  let value: Value = document;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Array.isArray(value) ? (typeof key === 'number' ? value[key] : undefined) : value[key];
  }
  return value;
}

export function parameterValue(name: string, parameters: Parameters): Json {
  const value = parameters.get(name);
  if (value === undefined) throw badRequest(`The query uses the parameter ${name}, which was not given.`);
  return value;
}

const orderTests: Readonly<Record<Exclude<ComparisonOperator, '=' | '!='>, (order: number) => boolean>> = {
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};

function compileComparison(operator: ComparisonOperator, left: Evaluate, right: Evaluate): Evaluate {
  if (operator === '=' || operator === '!=') {
    const wanted = operator === '=';
    return (document, parameters) => {
      const a = left(document, parameters);
      const b = right(document, parameters);
      return a === undefined || b === undefined ? undefined : equalValues(a, b) === wanted;
    };
  }
  const test = orderTests[operator];
  return (document, parameters) => {
    const a = left(document, parameters);
    const b = right(document, parameters);
    return areComparable(a, b) ? test(compareValues(a, b)) : undefined;
  };
}

/** `decisive` = the value that settles the matter alone: false for AND, true for OR. */
function compileJunction(decisive: boolean, left: Evaluate, right: Evaluate): Evaluate {
  return (document, parameters) => {
    const a = left(document, parameters);
    if (a === decisive) return decisive;
    const b = right(document, parameters);
    if (b === decisive) return decisive;
    return a === !decisive && b === !decisive ? !decisive : undefined;
  };
}
