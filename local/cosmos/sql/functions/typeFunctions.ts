import { isJsonObject } from '../../json.ts';
import type { Value } from '../compare.ts';
import { of, type SqlFunction, type SqlFunctions } from './sqlFunction.ts';

const test = (isOfType: (value: Value) => boolean): SqlFunction => of(1, 1, isOfType);

const isFinite = (value: Value) => typeof value === 'number' && Number.isFinite(value);

/** Tests of type and presence. They alone give an answer for what is absent. */
export const typeFunctions: SqlFunctions = {
  IS_DEFINED: test((value) => value !== undefined),
  IS_NULL: test((value) => value === null),
  IS_BOOL: test((value) => typeof value === 'boolean'),
  IS_NUMBER: test((value) => typeof value === 'number'),
  IS_FINITE_NUMBER: test(isFinite),
  IS_INTEGER: test((value) => Number.isInteger(value)),
  IS_STRING: test((value) => typeof value === 'string'),
  IS_ARRAY: test((value) => Array.isArray(value)),
  IS_OBJECT: test((value) => isJsonObject(value)),
  IS_PRIMITIVE: test((value) => value === null || ['boolean', 'number', 'string'].includes(typeof value)),
  IIF: of(3, 3, (condition, yes, no) => (condition === true ? yes : no)),
};
