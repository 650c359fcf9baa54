import { randomUUID } from 'node:crypto';
import type { Binding, Invocation, InvocationResult, RegisteredFunction, RetryPolicy } from './protocol.ts';
import { isTriggerType } from './protocol.ts';

type Callback = (...inputs: unknown[]) => unknown;
type Hook = (context: Record<string, unknown>) => unknown;

/** The parts of `@azure/functions` that the worker contract lets the worker call. */
interface ProgrammingModel {
  name: string;
  version: string;
  getInvocationModel(core: unknown): InvocationModel | Promise<InvocationModel>;
  getCapabilities?(offered: Record<string, string>): Promise<Record<string, string>>;
}
interface InvocationModel {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction(context: unknown, inputs: unknown[], callback: Callback): Promise<unknown>;
  getResponse(context: unknown, result: unknown): Promise<InvocationResult>;
}
interface Metadata {
  name: string;
  functionId?: string;
  bindings: Record<string, Binding>;
  retryOptions?: { retryStrategy?: string; strategy?: string; maxRetryCount?: number } & Record<
    string,
    unknown
  >;
}

const levels = ['trace', 'debug', 'information', 'warning', 'error', 'critical', 'none'];
const hookNames = ['appStart', 'appTerminate', 'preInvocation', 'postInvocation', 'log'] as const;
type HookName = (typeof hookNames)[number];

/** Errors carrying this mark are the worker's, not the app's; `@azure/functions` looks at it. */
function systemError(message: string, Type: typeof Error = Error): Error {
  return Object.assign(new Type(message), { isAzureFunctionsSystemError: true });
}

class Disposable {
  readonly #release: () => unknown;
  constructor(release: () => unknown) {
    this.#release = release;
  }
  static from(...disposables: { dispose(): unknown }[]): Disposable {
    return new Disposable(() => {
      for (const disposable of disposables) disposable.dispose();
    });
  }
  dispose(): unknown {
    return this.#release();
  }
}

/** The worker's side of one app: what it registered, its hooks, and how a function of it is run. */
export class CoreModule {
  readonly functions = new Map<string, RegisteredFunction>();
  readonly #callbacks = new Map<string, Callback>();
  readonly #metadata = new Map<string, Metadata>();
  readonly #hooks: Record<HookName, Hook[]> = {
    appStart: [],
    appTerminate: [],
    preInvocation: [],
    postInvocation: [],
    log: [],
  };
  readonly #appHookData = {};
  readonly #startHookData = {};
  readonly #minimumLevel: number;
  #model: ProgrammingModel | undefined;
  #locked = false;

  constructor(minimumLogLevel: string) {
    this.#minimumLevel = Math.max(0, levels.indexOf(minimumLogLevel.toLowerCase()));
  }

  /** The object that `require('@azure/functions-core')` yields inside the app. */
  exports(): Record<string, unknown> {
    return {
      version: '3.11.0',
      hostVersion: '4.1037.0',
      Disposable,
      // Its presence is how `@azure/functions` learns that HTTP streaming is allowed.
      log: (level: string, category: string, message: string) => this.log(level, category, message),
      setProgrammingModel: (model: ProgrammingModel) => {
        this.#model = model;
      },
      getProgrammingModel: () => this.#model,
      registerHook: (name: string, hook: Hook) => this.#registerHook(name, hook),
      registerFunction: (metadata: Metadata, callback: Callback) =>
        this.#registerFunction(metadata, callback),
    };
  }

  log(level: string, category: string, message: string, functionName?: string): void {
    const entry = {
      level,
      category,
      message,
      hookData: this.#startHookData,
      appHookData: this.#appHookData,
    };
    if (category === 'user') for (const hook of this.#hooks.log) hook(entry);
    if (levels.indexOf(entry.level) < this.#minimumLevel) return;
    process.stderr.write(
      `${functionName === undefined ? '' : `${functionName} `}[${entry.level}] ${entry.message}\n`,
    );
  }

  /** Runs the app's start hooks and ends the time in which functions may be registered. */
  async finishStart(appRoot: string): Promise<Record<string, string>> {
    await this.#runHooks('appStart', {
      hookData: this.#startHookData,
      appHookData: this.#appHookData,
      functionAppDirectory: appRoot,
    });
    const offered = {
      RawHttpBodyBytes: 'true',
      RpcHttpTriggerMetadataRemoved: 'true',
      RpcHttpBodyOnly: 'true',
      IgnoreEmptyValuedRpcHttpHeaders: 'true',
      UseNullableValueDictionaryForHttp: 'true',
      WorkerStatus: 'true',
      TypedDataCollection: 'true',
      HandlesWorkerTerminateMessage: 'true',
    };
    const capabilities = (await this.#model?.getCapabilities?.(offered)) ?? offered;
    this.#locked = true;
    return capabilities;
  }

  async terminate(): Promise<void> {
    await this.#runHooks('appTerminate', { hookData: this.#startHookData, appHookData: this.#appHookData });
  }

  /** Runs one invocation through hooks and handler; throws what the handler (or a hook) threw. */
  async invoke(invocation: Invocation): Promise<InvocationResult> {
    const metadata = this.#metadata.get(invocation.functionId);
    const callback = this.#callbacks.get(invocation.functionId);
    if (metadata === undefined || callback === undefined || this.#model === undefined) {
      throw systemError(`Function "${invocation.functionId}" is not registered in this app process.`);
    }
    const core = this.#coreContext(invocation, metadata);
    const model = await this.#model.getInvocationModel(core);
    const { context, inputs } = await model.getArguments();
    const shared = { hookData: {}, appHookData: this.#appHookData, invocationContext: context };
    const pre = { ...shared, functionCallback: callback, inputs };
    core.state = 'preInvocationHooks';
    await this.#runHooks('preInvocation', pre);
    const post: Record<string, unknown> = { ...shared, inputs: pre.inputs, result: null, error: null };
    core.state = 'invocation';
    try {
      post.result = await model.invokeFunction(context, pre.inputs, pre.functionCallback);
    } catch (error) {
      // A handler may throw null; that must still count as a failure.
      post.error = error ?? new Error(String(error));
    }
    core.state = 'postInvocationHooks';
    await this.#runHooks('postInvocation', post);
    core.state = undefined;
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- handlers may throw anything, and it stays as it is
    if (post.error !== null && post.error !== undefined) throw post.error;
    return model.getResponse(context, post.result);
  }

  #coreContext(invocation: Invocation, metadata: Metadata): { state: string | undefined } {
    const invocationId = invocation.invocationId || randomUUID();
    return {
      invocationId,
      metadata,
      state: undefined,
      request: {
        invocationId,
        functionId: invocation.functionId,
        inputData: invocation.inputData,
        triggerMetadata: invocation.triggerMetadata,
        traceContext: { traceParent: invocation.traceParent ?? '', traceState: '', attributes: {} },
        ...(invocation.retryContext && { retryContext: invocation.retryContext }),
      },
      log: (level: string, category: string, message: string) =>
        this.log(level, category, message, metadata.name),
    } as { state: string | undefined };
  }

  async #runHooks(name: HookName, context: Record<string, unknown>): Promise<void> {
    for (const hook of this.#hooks[name]) await hook(context);
  }

  #registerHook(name: string, hook: Hook): Disposable {
    const hooks = this.#hooks[name as HookName] as Hook[] | undefined;
    if (hooks === undefined || !hookNames.includes(name as HookName)) {
      throw systemError(`Unrecognized hook "${name}"`, RangeError);
    }
    hooks.push(hook);
    return new Disposable(() => {
      const index = hooks.indexOf(hook);
      if (index >= 0) hooks.splice(index, 1);
    });
  }

  #registerFunction(metadata: Metadata, callback: Callback): Disposable {
    if (this.#locked) throw systemError('A function can only be registered during app startup.');
    const id = metadata.functionId || metadata.name;
    if (this.functions.has(id)) throw systemError(`A function with id "${id}" has already been registered.`);
    const trigger = Object.entries(metadata.bindings).find(([, binding]) => isTriggerType(binding.type));
    if (trigger === undefined) {
      throw systemError(`Function "${metadata.name}" has no trigger. A function must have exactly one.`);
    }
    const bindings = JSON.parse(JSON.stringify(metadata.bindings)) as Record<string, Binding>;
    for (const [name, binding] of Object.entries(bindings)) binding.name = name;
    const retry = retryPolicy(metadata.retryOptions);
    this.functions.set(id, {
      id,
      name: metadata.name,
      bindings,
      trigger: bindings[trigger[0]] as Binding,
      ...(retry && { retry }),
    });
    this.#callbacks.set(id, callback);
    this.#metadata.set(id, { ...metadata, functionId: id });
    return new Disposable(() => {
      if (this.#locked) throw systemError('A function can only be disposed during app startup.');
      this.functions.delete(id);
    });
  }
}

function retryPolicy(options: Metadata['retryOptions']): RetryPolicy | undefined {
  if (options === undefined || options === null) return undefined;
  return {
    ...(JSON.parse(JSON.stringify(options)) as object),
    strategy: String(options.retryStrategy ?? options.strategy),
    maxRetryCount: options.maxRetryCount ?? 0,
  };
}
