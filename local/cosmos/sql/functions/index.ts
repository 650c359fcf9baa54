import { listFunctions } from './listFunctions.ts';
import { numberFunctions } from './numberFunctions.ts';
import type { SqlFunction } from './sqlFunction.ts';
import { textFunctions } from './textFunctions.ts';
import { timeFunctions } from './timeFunctions.ts';
import { typeFunctions } from './typeFunctions.ts';

/** The functions that queries may call, by their names in capitals. */
export const functions: Readonly<Partial<Record<string, SqlFunction>>> = {
  ...typeFunctions,
  ...textFunctions,
  ...numberFunctions,
  ...listFunctions,
  ...timeFunctions,
};
