import { badRequest, notImitated } from './errors.ts';
import type { Json, JsonObject } from './json.ts';
import { isJsonObject } from './json.ts';

const maxKeySize = 2048;

/** Splits a path such as `/pk` or `/tenant/id` into property names. */
export function parsePartitionPath(path: string): string[] {
  const names = path
    .split('/')
    .slice(1)
    .map((name) => name.replace(/^"(.*)"$/, '$1'));
  if (!path.startsWith('/') || names.some((name) => name === '')) {
    throw badRequest(`The partition key path '${path}' is invalid. Write it like /pk.`);
  }
  return names;
}

/** The partition key header in one spelling, so that equal keys are equal texts. */
export function parsePartitionKeyHeader(header: string): string {
  let values: unknown;
  try {
    values = JSON.parse(header);
  } catch {
    throw badRequest(`The partition key header ${header} is not a JSON array.`);
  }
  if (!Array.isArray(values) || values.length === 0) {
    throw badRequest('The partition key header has fewer components than the container defines.', 1001);
  }
  if (values.length > 1) throw notImitated('A hierarchical partition key');
  return canonicalKey(values[0] as Json);
}

/** The partition key an item has by its own properties. An absent property is a value of its own. */
export function partitionKeyOf(document: JsonObject, path: readonly string[]): string {
  let value: Json | undefined = document;
  for (const name of path)
    value = isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return canonicalKey(value);
}

/** Gives the key's text for a value. Throws when it can be no partition key. */
export function canonicalKey(value: Json | undefined): string {
  if (value === undefined || (isJsonObject(value) && Object.keys(value).length === 0)) return '[{}]';
  if (typeof value === 'object' && value !== null) {
    throw badRequest('A partition key must be a string, a number, a boolean or null.', 1001);
  }
  const text = JSON.stringify([value]);
  if (Buffer.byteLength(text) > maxKeySize + 4) {
    throw badRequest(`A partition key may have at most ${maxKeySize} bytes.`);
  }
  return text;
}
