import type { ParameterDefinition } from './definition.ts';

type Values = Readonly<Record<string, string | number>>;

/** Whether the parameter has a meaning beside the values given for the parameters before it. */
export const parameterApplies = ({ dependsOn }: ParameterDefinition, values: Values): boolean =>
  dependsOn === undefined || dependsOn.appliesTo.includes(String(values[dependsOn.parameter]));

export const isInteger = ({ type, dependsOn }: ParameterDefinition, values: Values): boolean =>
  type === 'integer' ||
  (dependsOn?.integerFor !== undefined && dependsOn.integerFor.includes(String(values[dependsOn.parameter])));
