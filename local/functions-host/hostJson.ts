import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import type { Settings } from './settings.ts';
import { expandSettings } from './settings.ts';

/** host.json after validation, defaults filled in and durations in milliseconds. */
export interface HostJson {
  /** Milliseconds; Infinity when unbounded. */
  functionTimeoutMs: number;
  minimumLogLevel: string;
  hasExtensionBundle: boolean;
  http: { routePrefix: string; maxOutstandingRequests: number; maxConcurrentRequests: number };
  serviceBus: ServiceBusOptions;
  durable: {
    hubName: string;
    maxActivities: number;
    maxOrchestrators: number;
    maxEntities: number;
    /** Operations handed to an entity in one call. */
    maxEntityBatch: number;
    /** Actions one generation may take. */
    maxActions: number;
    storeInputs: boolean;
    /** Version of instances begun without one. */
    defaultVersion: string;
  };
  warnings: string[];
}

export interface ServiceBusOptions {
  autoCompleteMessages: boolean;
  prefetchCount: number;
  maxConcurrentCalls: number;
  maxConcurrentSessions: number;
  maxConcurrentCallsPerSession: number;
  maxAutoLockRenewalMs: number;
  sessionIdleTimeoutMs: number;
  /** Of functions that take batches. */
  maxMessageBatchSize: number;
  minMessageBatchSize: number;
  maxBatchWaitMs: number;
}

type Json = Record<string, unknown>;

/** Keys Azure reads; every other key is ignored there, so a warning here is the only sign of a misspelling. */
const knownKeys: Record<string, readonly string[]> = {
  '': [
    '$schema',
    'version',
    'functionTimeout',
    'extensionBundle',
    'extensions',
    'logging',
    'retry',
    'healthMonitor',
    'singleton',
    'concurrency',
    'watchDirectories',
    'watchFiles',
    'aggregator',
    'applicationInsights',
    'functions',
    'customHandler',
    'managedDependency',
    'telemetryMode',
  ],
  extensionBundle: ['id', 'version'],
  extensions: [
    'http',
    'serviceBus',
    'cosmosDB',
    'durableTask',
    'queues',
    'blobs',
    'eventHubs',
    'eventGrid',
    'kafka',
    'rabbitMQ',
    'sendGrid',
    'signalR',
    'warmup',
    'mcp',
  ],
  'extensions.http': [
    'routePrefix',
    'maxOutstandingRequests',
    'maxConcurrentRequests',
    'dynamicThrottlesEnabled',
    'customHeaders',
    'hsts',
  ],
  'extensions.serviceBus': [
    'autoCompleteMessages',
    'clientRetryOptions',
    'enableCrossEntityTransactions',
    'maxAutoLockRenewalDuration',
    'maxBatchWaitTime',
    'maxConcurrentCalls',
    'maxConcurrentCallsPerSession',
    'maxConcurrentSessions',
    'maxMessageBatchSize',
    'minMessageBatchSize',
    'prefetchCount',
    'sessionIdleTimeout',
    'transportType',
    'webProxy',
  ],
  'extensions.cosmosDB': ['connectionMode', 'userAgentSuffix'],
  'extensions.durableTask': [
    'hubName',
    'storageProvider',
    'tracing',
    'notifications',
    'maxConcurrentActivityFunctions',
    'maxConcurrentOrchestratorFunctions',
    'maxConcurrentEntityFunctions',
    'extendedSessionsEnabled',
    'extendedSessionIdleTimeoutInSeconds',
    'maxOrchestrationActions',
    'useGracefulShutdown',
    'useAppLease',
    'useTablePartitionManagement',
    'storeInputsInOrchestrationHistory',
    'maxEntityOperationBatchSize',
    'entityMessageReorderWindowInMinutes',
    'httpSettings',
    'overridableExistingInstanceStates',
    'localRpcEndpointEnabled',
    'grpcEnabled',
    'defaultVersion',
    'versionMatchStrategy',
    'versionFailureStrategy',
    'rollbackEntityOperationsOnExceptions',
    'traceTriggerInputs',
  ],
};

/**
 * Reads and validates host.json of the app.
 * @throws with the reason when Azure would not start either: bad JSON, wrong version, bad values, missing settings.
 */
export function readHostJson(appRoot: string, settings: Settings): HostJson {
  const file = path.join(appRoot, 'host.json');
  let root: Json;
  try {
    root = object(JSON.parse(readFileSync(file, 'utf8')), 'host.json');
  } catch (error) {
    throw new Error(`host.json of ${appRoot} cannot be used: ${(error as Error).message}`);
  }
  if (root.version !== '2.0')
    throw new Error(`host.json: "version" must be "2.0" exactly, it is ${JSON.stringify(root.version)}.`);
  const extensions = object(root.extensions, 'extensions');
  const http = object(extensions.http, 'extensions.http');
  const serviceBus = object(extensions.serviceBus, 'extensions.serviceBus');
  const durable = object(extensions.durableTask, 'extensions.durableTask');
  const warnings = unknownKeys({
    '': root,
    extensionBundle: object(root.extensionBundle, 'extensionBundle'),
    extensions,
    'extensions.http': http,
    'extensions.serviceBus': serviceBus,
    'extensions.cosmosDB': object(extensions.cosmosDB, 'extensions.cosmosDB'),
    'extensions.durableTask': durable,
  });
  if (durable.extendedSessionsEnabled === true) {
    warnings.push('extensions.durableTask.extendedSessionsEnabled is forced off for Node apps, as on Azure.');
  }
  if (
    durable.maxConcurrentActivityFunctions === undefined ||
    durable.maxConcurrentOrchestratorFunctions === undefined
  ) {
    warnings.push(
      'extensions.durableTask: set maxConcurrentActivityFunctions and maxConcurrentOrchestratorFunctions; their defaults depend on the plan.',
    );
  }
  refuseVersionMatching(durable);
  return {
    functionTimeoutMs: functionTimeout(root.functionTimeout),
    minimumLogLevel: logLevel(object(root.logging, 'logging')),
    hasExtensionBundle: checkBundle(root.extensionBundle),
    http: {
      routePrefix: text(http.routePrefix, 'api', 'extensions.http.routePrefix').replace(/^\/+|\/+$/g, ''),
      maxOutstandingRequests: limit(http.maxOutstandingRequests, 'extensions.http.maxOutstandingRequests'),
      maxConcurrentRequests: limit(http.maxConcurrentRequests, 'extensions.http.maxConcurrentRequests'),
    },
    serviceBus: serviceBusOptions(serviceBus),
    durable: {
      hubName: hubName(text(durable.hubName, 'TestHubName', 'extensions.durableTask.hubName'), settings),
      maxActivities: count(
        durable.maxConcurrentActivityFunctions,
        10 * availableParallelism(),
        'extensions.durableTask.maxConcurrentActivityFunctions',
      ),
      maxOrchestrators: count(
        durable.maxConcurrentOrchestratorFunctions,
        10 * availableParallelism(),
        'extensions.durableTask.maxConcurrentOrchestratorFunctions',
      ),
      maxEntities: count(
        durable.maxConcurrentEntityFunctions,
        10 * availableParallelism(),
        'extensions.durableTask.maxConcurrentEntityFunctions',
      ),
      maxEntityBatch: count(
        durable.maxEntityOperationBatchSize,
        50,
        'extensions.durableTask.maxEntityOperationBatchSize',
      ),
      maxActions: count(
        durable.maxOrchestrationActions,
        100_000,
        'extensions.durableTask.maxOrchestrationActions',
      ),
      storeInputs: durable.storeInputsInOrchestrationHistory === true,
      defaultVersion: text(durable.defaultVersion, '', 'extensions.durableTask.defaultVersion'),
    },
    warnings,
  };
}

/** Every version of an orchestration runs here, which is what `None` says; the other ways to match are not imitated. */
function refuseVersionMatching(durable: Json): void {
  const wanted = durable.versionMatchStrategy;
  if (wanted === undefined || wanted === 'None') return;
  throw new Error(
    `host.json: extensions.durableTask.versionMatchStrategy ${JSON.stringify(wanted)} is not imitated; ` +
      'this host runs every version of an orchestration. Leave it out or set "None".',
  );
}

function serviceBusOptions(options: Json): ServiceBusOptions {
  const at = (key: string) => `extensions.serviceBus.${key}`;
  const maxMessageBatchSize = count(options.maxMessageBatchSize, 1000, at('maxMessageBatchSize'));
  const minMessageBatchSize = count(options.minMessageBatchSize, 1, at('minMessageBatchSize'));
  if (minMessageBatchSize > maxMessageBatchSize) {
    throw new Error(
      `host.json: ${at('minMessageBatchSize')} (${minMessageBatchSize}) must not exceed ${at('maxMessageBatchSize')} (${maxMessageBatchSize}).`,
    );
  }
  return {
    autoCompleteMessages: options.autoCompleteMessages !== false,
    prefetchCount: count(options.prefetchCount, 0, at('prefetchCount'), 0),
    maxConcurrentCalls: count(
      options.maxConcurrentCalls,
      16 * availableParallelism(),
      at('maxConcurrentCalls'),
    ),
    maxConcurrentSessions: count(options.maxConcurrentSessions, 8, at('maxConcurrentSessions')),
    maxConcurrentCallsPerSession: count(
      options.maxConcurrentCallsPerSession,
      1,
      at('maxConcurrentCallsPerSession'),
    ),
    maxAutoLockRenewalMs: timeSpan(
      options.maxAutoLockRenewalDuration,
      5 * 60_000,
      at('maxAutoLockRenewalDuration'),
    ),
    sessionIdleTimeoutMs: timeSpan(options.sessionIdleTimeout, 60_000, at('sessionIdleTimeout')),
    maxMessageBatchSize,
    minMessageBatchSize,
    maxBatchWaitMs: timeSpan(options.maxBatchWaitTime, 30_000, at('maxBatchWaitTime')),
  };
}

function unknownKeys(sections: Record<string, Json>): string[] {
  return Object.entries(sections).flatMap(([section, values]) =>
    Object.keys(values)
      .filter((key) => !knownKeys[section]?.includes(key))
      .map(
        (key) =>
          `host.json: unknown key '${section === '' ? '' : `${section}.`}${key}' is ignored, as on Azure.`,
      ),
  );
}

function checkBundle(value: unknown): boolean {
  if (value === undefined) return false;
  const { id, version } = object(value, 'extensionBundle');
  if (
    id !== 'Microsoft.Azure.Functions.ExtensionBundle' &&
    id !== 'Microsoft.Azure.Functions.ExtensionBundle.Preview'
  ) {
    throw new Error(
      `host.json: extensionBundle.id must be "Microsoft.Azure.Functions.ExtensionBundle", it is ${JSON.stringify(id)}.`,
    );
  }
  if (
    typeof version !== 'string' ||
    !/^[[(]\s*\d[\d.*]*\s*(,\s*[\d.*]*\s*)?[\])]$|^\d[\d.]*$/.test(version)
  ) {
    throw new Error(
      `host.json: extensionBundle.version must be a range such as "[4.*, 5.0.0)", it is ${JSON.stringify(version)}.`,
    );
  }
  return true;
}

function hubName(template: string, settings: Settings): string {
  const name = expandSettings(template, settings, 'host.json extensions.durableTask.hubName');
  if (!/^[A-Za-z][A-Za-z0-9]{2,44}$/.test(name)) {
    throw new Error(
      `host.json: the task hub name '${name}' must be 3 to 45 letters and digits and start with a letter.`,
    );
  }
  return name;
}

function functionTimeout(value: unknown): number {
  if (value === '-1' || value === -1) return Number.POSITIVE_INFINITY;
  const timeout = timeSpan(value, 30 * 60_000, 'functionTimeout');
  if (timeout < 1000)
    throw new Error('host.json: functionTimeout must be at least one second, or -1 for no limit.');
  return timeout;
}

function logLevel(logging: Json): string {
  return text(
    object(logging.logLevel, 'logging.logLevel').default,
    'Information',
    'logging.logLevel.default',
  );
}

/** Milliseconds of a .NET time span, `[d.]hh:mm:ss[.fff]`. */
export function timeSpan(value: unknown, whenMissing: number, where: string): number {
  if (value === undefined) return whenMissing;
  const match = /^(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(\.\d+)?)?$/.exec(String(value));
  if (match === null)
    throw new Error(
      `host.json: ${where} must be a time span such as "00:05:00", it is ${JSON.stringify(value)}.`,
    );
  const [, days = '0', hours = '0', minutes = '0', seconds = '0', fraction = '0'] = match;
  return (
    (((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 +
    Number(fraction) * 1000
  );
}

function object(value: unknown, where: string): Json {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new Error(`host.json: ${where} must be an object.`);
  return value as Json;
}

function text(value: unknown, whenMissing: string, where: string): string {
  if (value === undefined) return whenMissing;
  if (typeof value !== 'string') throw new Error(`host.json: ${where} must be a text.`);
  return value;
}

function count(value: unknown, whenMissing: number, where: string, least = 1): number {
  if (value === undefined) return whenMissing;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least) {
    throw new Error(
      `host.json: ${where} must be a whole number of at least ${least}, it is ${JSON.stringify(value)}.`,
    );
  }
  return value;
}

/** A counter limit; -1 and absence mean none. */
function limit(value: unknown, where: string): number {
  return value === -1 ? Number.POSITIVE_INFINITY : count(value, Number.POSITIVE_INFINITY, where);
}
