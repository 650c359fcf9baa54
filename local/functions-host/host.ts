import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { HostConfig } from './config.ts';
import { DurableEngine } from './durable/engine.ts';
import type { ApiAnswer } from './durable/apiMessages.ts';
import { ManagementApi } from './durable/managementApi.ts';
import { FrontEnd } from './frontEnd.ts';
import type { HostJson } from './hostJson.ts';
import { readHostJson } from './hostJson.ts';
import { HttpInvoker } from './httpInvocation.ts';
import { keysOf } from './keys.ts';
import type { ListedFunction } from './listedFunctions.ts';
import { listFunctions } from './listedFunctions.ts';
import type { Log } from './log.ts';
import { createLog, describe } from './log.ts';
import { openOutputs } from './outputs/openOutputs.ts';
import type { NamedValue, RegisteredFunction } from './protocol.ts';
import { isTrigger } from './protocol.ts';
import { RequestQueue } from './requestQueue.ts';
import { inNameOrder, Routes } from './routes.ts';
import { Supervisor } from './supervisor.ts';
import { startListeners } from './triggers/startListeners.ts';
import { TimerState } from './triggers/timerState.ts';
import type { Listener, TriggerContext } from './triggers/trigger.ts';
import { validateFunctions } from './validation.ts';

const DEFAULT_BODY_LIMIT_BYTES = 104_857_600;
const DEFAULT_HTTP_TIMEOUT_SECONDS = 230;
const DAY_SECONDS = 86_400;
const STOP_GRACE_MS = 3000;

/** A started host. */
export interface FunctionsHost {
  /** What runs, in name order. */
  functions: readonly ListedFunction[];
  /** `http(s)://localhost:PORT`. */
  url: string;
  /** Process ids of the app processes that live now. */
  readonly appProcesses: number[];
  close(): Promise<void>;
}

/**
 * Starts the host: ready when every app process has loaded the app and all trigger listeners run.
 * @throws with the reason when host.json, the app or a trigger is not what Azure would start; nothing is left running.
 */
export async function startFunctionsHost(config: HostConfig, log: Log = createLog()): Promise<FunctionsHost> {
  if (!Number.isInteger(config.appProcesses) || config.appProcesses < 1) {
    throw new Error(`"appProcesses" must be a whole number of at least 1, it is ${config.appProcesses}.`);
  }
  refuseStraySkews(config);
  const hostJson = readHostJson(config.appRoot, config.settings);
  for (const warning of hostJson.warnings) log.warn('host', warning);
  mkdirSync(config.dataDir, { recursive: true });
  lendIdentityEndpoint(config.settings);
  const frontEnd = new FrontEnd(config);
  const closers: (() => Promise<void> | void)[] = [];
  const close = once(async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  });
  try {
    await frontEnd.listen(config.http.port); // before the app loads: it must know its own port
    closers.push(() => frontEnd.close());
    const supervisor = await startSupervisor(config, hostJson, frontEnd.port, log);
    closers.push(() => supervisor.stop());
    const functions = await assemble(config, hostJson, frontEnd, supervisor, log, closers);
    return {
      functions,
      url: frontEnd.origin,
      get appProcesses() {
        return supervisor.pids;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A skew for a process that does not run would be a test that proves nothing. */
function refuseStraySkews({ appProcesses, faults }: HostConfig): void {
  const skews = faults?.clockSkewSeconds ?? [];
  if (skews.length > appProcesses || !skews.every(Number.isFinite)) {
    throw new Error(
      `"faults.clockSkewSeconds" must hold at most one number of seconds per app process (${appProcesses}), it is ${JSON.stringify(skews)}.`,
    );
  }
}

async function startSupervisor(
  config: HostConfig,
  hostJson: HostJson,
  port: number,
  log: Log,
): Promise<Supervisor> {
  const supervisor = new Supervisor({
    appRoot: path.resolve(config.appRoot),
    environment: appEnvironment(config.settings, port),
    minimumLogLevel: config.minimumLogLevel ?? hostJson.minimumLogLevel,
    logInvocations: config.logInvocations === true,
    functionTimeoutMs: fromSeconds(config.limits?.functionTimeoutSeconds) ?? hostJson.functionTimeoutMs,
    clockSkewSeconds: config.faults?.clockSkewSeconds ?? [],
    log,
  });
  await supervisor.start(config.appProcesses);
  return supervisor;
}

async function assemble(
  config: HostConfig,
  hostJson: HostJson,
  frontEnd: FrontEnd,
  supervisor: Supervisor,
  log: Log,
  closers: (() => Promise<void> | void)[],
): Promise<ListedFunction[]> {
  const { functions } = supervisor;
  validateFunctions(functions, hostJson);
  const routes = new Routes(functions, hostJson.http.routePrefix, config.settings);
  for (const warning of routes.warnings) log.warn('host', warning);
  const keys = keysOf(config);
  const limits = config.limits ?? {};
  const engine = new DurableEngine({
    file: path.join(config.dataDir, `${hostJson.durable.hubName}.sqlite`),
    functions,
    invoke: (fn, input) => supervisor.invoke(fn, input),
    log,
    ...hostJson.durable,
    maximumShortTimerMs: fromSeconds(limits.maximumShortTimerSeconds) ?? 6 * DAY_SECONDS * 1000,
    longTimerIntervalMs: fromSeconds(limits.longTimerIntervalSeconds) ?? 3 * DAY_SECONDS * 1000,
    repeatActivity: config.faults?.repeatActivity ?? 0,
  });
  closers.push(() => engine.stop());
  const durable = new ManagementApi({
    engine,
    hubName: hostJson.durable.hubName,
    origin: frontEnd.origin,
    rpcOrigin: frontEnd.rpcOrigin,
    systemKey: keys.system,
  });
  const extraInputs = durableClientInputs(functions, durable);
  const bodyLimitBytes =
    limits.requestBodyBytes ??
    Number(config.settings.FUNCTIONS_REQUEST_BODY_SIZE_LIMIT ?? DEFAULT_BODY_LIMIT_BYTES);
  const invoker = new HttpInvoker({
    supervisor,
    log,
    scheme: frontEnd.scheme,
    bodyLimitBytes,
    httpTimeoutMs: (limits.httpTimeoutSeconds ?? DEFAULT_HTTP_TIMEOUT_SECONDS) * 1000,
    extraInputs: ({ fn }) => extraInputs(fn),
  });
  closers.push(() => invoker.close());
  const outputs = await openOutputs(functions, config.settings);
  if (outputs !== undefined) {
    supervisor.deliverTo(outputs);
    closers.push(() => outputs.close());
  }
  const context: TriggerContext = {
    settings: config.settings,
    log,
    extraInputs,
    invoke: (fn, input) => supervisor.invoke(fn, input),
  };
  const timers = new TimerState(path.join(config.dataDir, 'timers.sqlite'));
  closers.push(() => timers.close());
  const listeners: Listener[] = await startListeners(functions, hostJson, timers, context);
  closers.push(() => stopWithin(STOP_GRACE_MS, listeners));
  frontEnd.open({
    routes,
    invoker,
    queue: new RequestQueue(hostJson.http.maxOutstandingRequests, hostJson.http.maxConcurrentRequests),
    keys,
    durable,
    bodyLimitBytes,
    log,
    admin: {
      status: () => ({
        state: 'Running',
        functions: inNameOrder(functions).map(({ name, trigger }) => ({ name, trigger: trigger.type })),
        appProcesses: supervisor.pids,
        durable: engine.counters,
        invocations: supervisor.counters,
        invocationsByAppProcess: supervisor.byProcess,
      }),
      fire: (name, input) => fire(context, functions, name, input),
    },
  });
  engine.start();
  return listFunctions(functions, routes, frontEnd.origin, config.settings);
}

/** Fires a non-HTTP trigger by hand, with the given text as its value. */
function fire(
  context: TriggerContext,
  functions: readonly RegisteredFunction[],
  name: string,
  input: string | undefined,
): ApiAnswer {
  const fn = functions.find((known) => known.name.toLowerCase() === name.toLowerCase());
  if (fn === undefined) return { status: 404 };
  if (['httpTrigger', 'orchestrationTrigger', 'entityTrigger'].some((type) => isTrigger(fn, type))) {
    return {
      status: 400,
      body: { Message: `'${fn.name}' is a ${fn.trigger.type}; use its route or the durable API instead.` },
    };
  }
  const timerValue = JSON.stringify({
    Schedule: { AdjustForDST: true },
    ScheduleStatus: null,
    IsPastDue: false,
  });
  const data = isTrigger(fn, 'timerTrigger') ? { json: timerValue } : { string: input ?? '' };
  context
    .invoke(fn, { inputData: [{ name: fn.trigger.name, data }, ...context.extraInputs(fn)] })
    .catch((error: unknown) => context.log.error('host', `${fn.name} failed: ${describe(error)}`));
  return { status: 202 };
}

function durableClientInputs(
  functions: readonly RegisteredFunction[],
  durable: ManagementApi,
): (fn: RegisteredFunction) => NamedValue[] {
  const value = durable.clientBinding();
  const inputs = new Map<string, NamedValue[]>();
  for (const fn of functions) {
    const names = Object.values(fn.bindings).filter(
      ({ direction, type }) => direction === 'in' && /^(durableClient|orchestrationClient)$/i.test(type),
    );
    inputs.set(
      fn.id,
      names.map(({ name }) => ({ name, data: { string: value } })),
    );
  }
  return ({ id }) => inputs.get(id) ?? [];
}

function appEnvironment(settings: Record<string, string>, port: number): Record<string, string> {
  const inherited = ['PATH', 'HOME', 'NODE_EXTRA_CA_CERTS', 'TMPDIR'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  return {
    AZURE_FUNCTIONS_ENVIRONMENT: 'Development',
    FUNCTIONS_WORKER_RUNTIME: 'node',
    ...Object.fromEntries(inherited),
    ...settings,
    // The durable client rewrites every URL when this is missing.
    WEBSITE_HOSTNAME: `localhost:${port}`,
  };
}

/** The triggers use the app's managed identity, whose endpoint the credential reads from this process's environment. */
function lendIdentityEndpoint(settings: Record<string, string>): void {
  for (const name of ['IDENTITY_ENDPOINT', 'IDENTITY_HEADER']) {
    const value = settings[name];
    if (value !== undefined) process.env[name] = value;
  }
}

/** A function that takes longer than this is cut off with its app process; its message or batch comes again. */
async function stopWithin(graceMs: number, listeners: readonly Listener[]): Promise<void> {
  const grace = new AbortController();
  const stopped = Promise.all(listeners.map((listener) => listener.stop()));
  await Promise.race([stopped, delay(graceMs, undefined, { signal: grace.signal }).catch(() => undefined)]);
  grace.abort();
  stopped.catch(() => undefined);
}

const fromSeconds = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : seconds * 1000;

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}
