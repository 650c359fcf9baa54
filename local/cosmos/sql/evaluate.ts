import { badRequest } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { aggregateFunctions } from './aggregates.ts';
import { equalValues, type Value } from './compare.ts';
import { functions } from './functions/index.ts';
import { isLike } from './like.ts';
import { arithmeticOperators, comparisonOperators, concatenate, unaryOperators } from './operators.ts';
import type { Expression, Field, Query } from './syntax.ts';

export type Parameters = ReadonlyMap<string, Json>;

/** What an expression can see. */
export interface Row {
  readonly values: Readonly<Record<string, Value>>;
  readonly parameters: Parameters;
  /** The rows that aggregates go over. */
  readonly group?: readonly Row[];
}

/** A compiled expression. Truth has three values: true, false and undefined (absent or of the wrong type). */
export type Evaluate = (row: Row) => Value;

/** Compiles a subquery to what gives its results for a row of the outer query. */
export type CompileSubquery = (query: Query) => (row: Row) => Json[];

export interface Compiler {
  compile(expression: Expression): Evaluate;
  /** Makes an object of the fields that are there. */
  compileFields(fields: readonly Field[]): Evaluate;
}

/** Expressions hold queries and queries hold expressions; this half is given the other. */
export function createCompiler(compileSubquery: CompileSubquery): Compiler {
  const compile = (expression: Expression): Evaluate => compileWith(compiler, compileSubquery, expression);
  const compiler: Compiler = {
    compile,
    compileFields(fields) {
      const compiled = fields.map((field) => ({ name: field.name, evaluate: compile(field.expression) }));
      return (row) => {
        const result: JsonObject = {};
        for (const { name, evaluate } of compiled) {
          const value = evaluate(row);
          if (value !== undefined) result[name] = value;
        }
        return result;
      };
    },
  };
  return compiler;
}

function compileWith(
  { compile, compileFields }: Compiler,
  compileSubquery: CompileSubquery,
  expression: Expression,
): Evaluate {
  switch (expression.kind) {
    case 'literal':
      return () => expression.value;
    case 'parameter':
      return ({ parameters }) => parameterValue(expression.name, parameters);
    case 'property':
      return ({ values }) => propertyOf(values[expression.root], expression.path);
    case 'member': {
      const [of, key] = [compile(expression.of), compile(expression.key)];
      return (row) => {
        const name = key(row);
        return typeof name === 'string' || typeof name === 'number' ? propertyOf(of(row), [name]) : undefined;
      };
    }
    case 'comparison':
      return compileBinary(
        compile(expression.left),
        compile(expression.right),
        comparisonOperators[expression.operator],
      );
    case 'arithmetic':
      return compileBinary(
        compile(expression.left),
        compile(expression.right),
        arithmeticOperators[expression.operator],
      );
    case 'concatenation':
      return compileBinary(compile(expression.left), compile(expression.right), concatenate);
    case 'coalescence': {
      const [left, right] = [compile(expression.left), compile(expression.right)];
      return (row) => {
        const value = left(row);
        // Only what is absent gives way; null is a value.
        return value === undefined ? right(row) : value;
      };
    }
    case 'junction':
      return compileJunction(
        expression.operator === 'OR',
        compile(expression.left),
        compile(expression.right),
      );
    case 'conditional': {
      const [test, yes, no] = [compile(expression.test), compile(expression.yes), compile(expression.no)];
      return (row) => (test(row) === true ? yes(row) : no(row));
    }
    case 'unary': {
      const [operand, apply] = [compile(expression.operand), unaryOperators[expression.operator]];
      return (row) => apply(operand(row));
    }
    case 'in': {
      const [operand, options] = [compile(expression.operand), expression.options.map(compile)];
      return (row) => {
        const value = operand(row);
        return value === undefined ? undefined : options.some((option) => equalValues(option(row), value));
      };
    }
    case 'like':
      return compileLike(
        compile(expression.operand),
        compile(expression.pattern),
        expression.escape === undefined ? undefined : compile(expression.escape),
      );
    case 'call': {
      const args = expression.args.map(compile);
      const apply = functions[expression.name]?.apply;
      if (apply === undefined) throw new Error(`The parser let an unknown function pass: ${expression.name}`);
      return (row) => apply(...args.map((argument) => argument(row)));
    }
    case 'aggregate': {
      const [argument, apply] = [compile(expression.argument), aggregateFunctions[expression.name]];
      return ({ group = [] }) => apply(group.map(argument));
    }
    case 'array': {
      const elements = expression.elements.map(compile);
      return (row) => elements.map((element) => element(row)).filter((value) => value !== undefined);
    }
    case 'object':
      return compileFields(expression.fields);
    case 'subquery': {
      const select = compileSubquery(expression.query);
      if (expression.as === 'exists') return (row) => select(row).length > 0;
      return expression.as === 'array' ? select : (row) => select(row)[0];
    }
  }
}

export function propertyOf(start: Value, path: readonly (string | number)[]): Value {
  let value = start;
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

function compileBinary(left: Evaluate, right: Evaluate, combine: (a: Value, b: Value) => Value): Evaluate {
  return (row) => combine(left(row), right(row));
}

/** `decisive` = the value that settles the matter alone: false for AND, true for OR. */
function compileJunction(decisive: boolean, left: Evaluate, right: Evaluate): Evaluate {
  return (row) => {
    const a = left(row);
    if (a === decisive) return decisive;
    const b = right(row);
    if (b === decisive) return decisive;
    return a === !decisive && b === !decisive ? !decisive : undefined;
  };
}

function compileLike(operand: Evaluate, pattern: Evaluate, escape: Evaluate | undefined): Evaluate {
  return (row) => {
    const [text, wanted, character] = [operand(row), pattern(row), escape?.(row)];
    if (typeof text !== 'string' || typeof wanted !== 'string') return undefined;
    return isLike(text, wanted, typeof character === 'string' ? character : undefined);
  };
}
