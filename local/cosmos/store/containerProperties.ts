import { badRequest, notImitated } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { isJsonObject } from '../json.ts';
import { parsePath } from '../partitionKey.ts';

const acceptedProperties = new Set([
  'id',
  'partitionKey',
  'defaultTtl',
  'uniqueKeyPolicy',
  'changeFeedPolicy',
  // Stored and shown, without effect: there is no index to tune, no second region and no geography.
  'indexingPolicy',
  'conflictResolutionPolicy',
  'geospatialConfig',
]);

const defaults: JsonObject = {
  indexingPolicy: {
    indexingMode: 'consistent',
    automatic: true,
    includedPaths: [{ path: '/*' }],
    excludedPaths: [{ path: '/"_etag"/?' }],
  },
  conflictResolutionPolicy: {
    mode: 'LastWriterWins',
    conflictResolutionPath: '/_ts',
    conflictResolutionProcedure: '',
  },
  geospatialConfig: { type: 'Geography' },
};

const maxKeyComponents = 3;

/** Paths of properties, each cut into names. */
export type Paths = readonly (readonly string[])[];

/** What the properties of a container mean for its items. */
export interface ContainerRules {
  readonly partitionPaths: Paths;
  /** Each set of values may occur once within a partition key. */
  readonly uniqueKeys: readonly Paths[];
  /** Seconds; -1 = items live on unless they say otherwise; undefined = `ttl` of items is ignored. */
  readonly defaultTtl: number | undefined;
  /** How long all versions are kept, in seconds; undefined = only the latest ones are. */
  readonly versionRetention: number | undefined;
}

/** Gives the properties as they are stored. Throws 400 for those that are wrong or not imitated. */
export function checkProperties(body: JsonObject): JsonObject {
  const properties = Object.fromEntries(Object.entries(body).filter(([name]) => !name.startsWith('_')));
  const other = Object.keys(properties).find((name) => !acceptedProperties.has(name));
  if (other !== undefined) throw notImitated(`The container property '${other}'`);
  const paths = partitionPathsOf(properties);
  const kind = isJsonObject(properties.partitionKey) ? (properties.partitionKey.kind ?? 'Hash') : 'Hash';
  const most = kind === 'MultiHash' ? maxKeyComponents : 1;
  if (paths.length === 0 || paths.length > most || (kind !== 'Hash' && kind !== 'MultiHash')) {
    throw badRequest(
      `The container needs a partitionKey with one path, like /pk, or up to ${maxKeyComponents} and the kind MultiHash.`,
    );
  }
  const ttl = properties.defaultTtl;
  if (ttl !== undefined && (!Number.isInteger(ttl) || ((ttl as number) < 1 && ttl !== -1))) {
    throw badRequest('defaultTtl must be -1 or a whole number of seconds above 0.');
  }
  const checked = {
    ...defaults,
    ...properties,
    // Version 2 tells the SDK which hash to use; version 1 keys are not imitated.
    partitionKey: { paths, kind, version: 2 },
  };
  rulesOf(checked);
  return checked;
}

/** Refuses what a container can have only from its creation on. */
export function checkReplacement(before: JsonObject, wanted: JsonObject): void {
  for (const name of ['partitionKey', 'uniqueKeyPolicy']) {
    const fixed = (properties: JsonObject) => JSON.stringify(properties[name] ?? null);
    if (fixed(before) !== fixed(wanted)) {
      throw badRequest(`The ${name} of container '${String(before.id)}' cannot be changed.`);
    }
  }
}

export function rulesOf(properties: JsonObject): ContainerRules {
  const { defaultTtl, changeFeedPolicy, uniqueKeyPolicy } = properties;
  const minutes = isJsonObject(changeFeedPolicy) ? changeFeedPolicy.retentionDuration : undefined;
  if (changeFeedPolicy !== undefined && !(typeof minutes === 'number' && minutes >= 0)) {
    throw badRequest('changeFeedPolicy is { retentionDuration }, in minutes.');
  }
  const uniqueKeys = isJsonObject(uniqueKeyPolicy) ? (uniqueKeyPolicy.uniqueKeys ?? []) : [];
  if (!Array.isArray(uniqueKeys)) throw badRequest('uniqueKeyPolicy is { uniqueKeys: [{ paths }] }.');
  return {
    partitionPaths: partitionPathsOf(properties).map(parsePath),
    uniqueKeys: uniqueKeys.map(uniquePaths),
    defaultTtl: typeof defaultTtl === 'number' ? defaultTtl : undefined,
    versionRetention: typeof minutes === 'number' && minutes > 0 ? minutes * 60 : undefined,
  };
}

function uniquePaths(key: Json): Paths {
  const paths = isJsonObject(key) && Array.isArray(key.paths) ? key.paths : [];
  if (paths.length === 0) throw badRequest('A unique key needs paths.');
  return paths.map((path) => parsePath(String(path)));
}

function partitionPathsOf(properties: JsonObject): string[] {
  const key = properties.partitionKey;
  const paths = isJsonObject(key) && Array.isArray(key.paths) ? key.paths : [];
  return paths.filter((path) => typeof path === 'string');
}
