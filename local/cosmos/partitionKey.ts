import { badRequest } from './errors.ts';
import type { Json, JsonObject } from './json.ts';
import { isJsonObject } from './json.ts';

const maxKeySize = 2048;

/** Splits a path such as `/pk` or `/tenant/id` into property names. */
export function parsePath(path: string): string[] {
  const names = path
    .split('/')
    .slice(1)
    .map((name) => name.replace(/^"(.*)"$/, '$1'));
  if (!path.startsWith('/') || names.some((name) => name === '')) {
    throw badRequest(`The path '${path}' is invalid. Write it like /pk.`);
  }
  return names;
}

/** A partition key in one spelling, so that equal keys are equal texts. A prefix names only the first components. */
export interface GivenKey {
  readonly pk: string;
  readonly isPrefix: boolean;
}

/** Reads the partition key header for a container whose keys have so many components. */
export function parsePartitionKeyHeader(header: string, components: number): GivenKey {
  let values: unknown;
  try {
    values = JSON.parse(header);
  } catch {
    throw badRequest(`The partition key header ${header} is not a JSON array.`);
  }
  if (!Array.isArray(values) || values.length === 0) throw fewerComponents();
  if (values.length > components) {
    throw badRequest('The partition key header has more components than the container defines.', 1001);
  }
  return { pk: canonicalKey(values as Json[]), isPrefix: values.length < components };
}

export const fewerComponents = () =>
  badRequest('The partition key header has fewer components than the container defines.', 1001);

/** The partition key an item has by its own properties. An absent property is a value of its own. */
export function partitionKeyOf(document: JsonObject, paths: readonly (readonly string[])[]): string {
  return canonicalKey(paths.map((path) => valueAt(document, path)));
}

export function valueAt(document: JsonObject, path: readonly string[]): Json | undefined {
  let value: Json | undefined = document;
  for (const name of path)
    value = isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return value;
}

/** Gives the key's text for its components. Throws when one can be no partition key. */
export function canonicalKey(values: readonly (Json | undefined)[]): string {
  const text = JSON.stringify(values.map(canonicalComponent));
  if (Buffer.byteLength(text) > maxKeySize + 4) {
    throw badRequest(`A partition key may have at most ${maxKeySize} bytes.`);
  }
  return text;
}

function canonicalComponent(value: Json | undefined): Json {
  if (value === undefined || (isJsonObject(value) && Object.keys(value).length === 0)) return {};
  if (typeof value !== 'object' || value === null) return value;
  throw badRequest('A partition key must be a string, a number, a boolean or null.', 1001);
}
