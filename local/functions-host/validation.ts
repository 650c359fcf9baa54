import type { HostJson } from './hostJson.ts';
import { isServiceBusOutput } from './outputs/outputs.ts';
import type { RegisteredFunction } from './protocol.ts';
import { isTrigger } from './protocol.ts';
import { checkNames } from './routes.ts';

const supportedTriggers = [
  'httpTrigger',
  'timerTrigger',
  'serviceBusTrigger',
  'cosmosDBTrigger',
  'orchestrationTrigger',
  'activityTrigger',
  'entityTrigger',
];
const needsNoBundle = ['httpTrigger', 'timerTrigger'];
/** Azure applies `retry` to these only and ignores it elsewhere; of the supported ones that is timer and Cosmos DB. */
const retryTriggers = ['timerTrigger', 'cosmosDBTrigger'];
const supportedBindings = ['http', 'durableclient', 'orchestrationclient'];

/** @throws for functions Azure would leave out or this host cannot run; all reasons in one text. */
export function validateFunctions(functions: readonly RegisteredFunction[], hostJson: HostJson): void {
  if (functions.length === 0)
    throw new Error('The app registers no function. Is `main` of its package.json the built entry point?');
  checkNames(functions);
  const problems = functions.flatMap((fn) =>
    problemsOf(fn, hostJson).map((problem) => `Function '${fn.name}': ${problem}`),
  );
  problems.push(...sharedLeases(functions));
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

function problemsOf(fn: RegisteredFunction, hostJson: HostJson): string[] {
  const problems: string[] = [];
  const { type } = fn.trigger;
  const among = (types: readonly string[]) => types.some((known) => isTrigger(fn, known));
  if (!among(supportedTriggers)) {
    return [
      `the trigger '${type}' is not supported by the local Functions host (supported: ${supportedTriggers.join(', ')}).`,
    ];
  }
  if (!hostJson.hasExtensionBundle && !among(needsNoBundle)) {
    problems.push(`the trigger '${type}' needs "extensionBundle" in host.json.`);
  }
  if (fn.retry !== undefined && !among(retryTriggers)) {
    problems.push(`a retry policy has no effect on '${type}' on Azure; remove it.`);
  }
  if (fn.retry !== undefined && isTrigger(fn, 'timerTrigger')) {
    problems.push('a retry policy on a timer is not supported by the local Functions host.');
  }
  for (const binding of Object.values(fn.bindings)) {
    if (binding === fn.bindings[fn.trigger.name]) continue;
    if (isServiceBusOutput(binding)) {
      if (!hostJson.hasExtensionBundle) {
        problems.push(`the output '${binding.type}' needs "extensionBundle" in host.json.`);
      }
    } else if (!supportedBindings.includes(binding.type.toLowerCase())) {
      problems.push(
        `the binding '${binding.type}' (${binding.direction}) is not supported by the local Functions host; use the service's SDK.`,
      );
    }
  }
  return problems;
}

/** On Azure functions that share leases share the feed: each sees only a part of the changes. */
function sharedLeases(functions: readonly RegisteredFunction[]): string[] {
  const owners = new Map<string, string>();
  return functions
    .filter((fn) => isTrigger(fn, 'cosmosDBTrigger'))
    .flatMap(({ name, trigger }) => {
      const {
        connection,
        databaseName,
        containerName,
        leaseContainerName = 'leases',
        leaseContainerPrefix = '',
      } = trigger;
      const leases = JSON.stringify([
        connection,
        databaseName,
        containerName,
        leaseContainerName,
        leaseContainerPrefix,
      ]);
      const owner = owners.get(leases);
      owners.set(leases, name);
      return owner === undefined
        ? []
        : [
            `Function '${name}': it shares its leases with '${owner}', so each would see only a part of the changes. Give one another leaseContainerPrefix.`,
          ];
    });
}
