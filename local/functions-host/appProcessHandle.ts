import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AppProcessLost, FunctionFailed, FunctionTimedOut } from './invocationErrors.ts';
import type { Log } from './log.ts';
import type {
  FromAppProcess,
  Invocation,
  InvocationResult,
  RegisteredFunction,
  ToAppProcess,
} from './protocol.ts';

export interface LoadedApp {
  functions: RegisteredFunction[];
  capabilities: Record<string, string>;
}

export interface AppProcessOptions {
  appRoot: string;
  environment: Record<string, string>;
  minimumLogLevel: string;
  functionTimeoutMs: number;
  /** How far the clock of each process is ahead, the first process first; 0 for those not named. */
  clockSkewSeconds: readonly number[];
  logInvocations: boolean;
  log: Log;
}

interface InFlight {
  functionName: string;
  succeed(result: InvocationResult): void;
  fail(error: Error): void;
  timer: NodeJS.Timeout | undefined;
}

/** Longest time an app may take to load and run its start hooks. */
const LOAD_TIMEOUT_MS = 60_000;
const longestTimerMs = 2 ** 31 - 1;

/** One child process with the app in it, from the host's side. */
export class AppProcessHandle {
  readonly number: number;
  readonly loaded: Promise<LoadedApp>;
  /** Settles when the process has gone, however it went. */
  readonly exited: Promise<void>;
  readonly #child: ChildProcess;
  readonly #options: AppProcessOptions;
  readonly #inFlight = new Map<string, InFlight>();
  #alive = true;

  constructor(number: number, options: AppProcessOptions) {
    this.number = number;
    this.#options = options;
    const source = `app ${number}`;
    this.#child = fork(fileURLToPath(new URL('./appProcess.ts', import.meta.url)), [], {
      cwd: options.appRoot,
      env: options.environment,
      execArgv: [],
      serialization: 'advanced', // Buffers pass unchanged
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    if (this.#child.stdout !== null) options.log.forward(source, this.#child.stdout);
    if (this.#child.stderr !== null) options.log.forward(source, this.#child.stderr);
    this.exited = new Promise((resolve) => {
      const gone = (why: string) => {
        if (!this.#alive) return;
        this.#alive = false;
        for (const invocation of this.#inFlight.values())
          invocation.fail(new AppProcessLost(invocation.functionName, number));
        this.#exitReason = why;
        resolve();
      };
      this.#child.once('exit', (code, signal) => gone(signal ?? `exit code ${code}`));
      this.#child.once('error', (error) => gone(error.message));
    });
    this.loaded = this.#load();
  }

  #exitReason = 'running';
  get exitReason(): string {
    return this.#exitReason;
  }
  get alive(): boolean {
    return this.#alive;
  }
  get pid(): number {
    return this.#child.pid ?? 0;
  }
  get invocationsInFlight(): number {
    return this.#inFlight.size;
  }

  #load(): Promise<LoadedApp> {
    const loaded = new Promise<LoadedApp>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`The app did not load within ${LOAD_TIMEOUT_MS / 1000} s.`));
        this.kill();
      }, LOAD_TIMEOUT_MS);
      void this.exited.then(() => {
        clearTimeout(timer);
        reject(new Error(`The app process ended while loading (${this.#exitReason}). Its output says why.`));
      });
      this.#child.on('message', (message: FromAppProcess) => {
        if (message.kind === 'succeeded') this.#settle(message.invocationId)?.succeed(message.result);
        else if (message.kind === 'failed') {
          this.#settle(message.invocationId)?.fail(new FunctionFailed(message.message, message.stack));
        } else if (message.kind === 'loaded') {
          clearTimeout(timer);
          resolve({ functions: message.functions, capabilities: message.capabilities });
        } else {
          clearTimeout(timer);
          reject(new Error(`The app cannot be loaded: ${message.reason}`));
          this.kill();
        }
      });
    });
    loaded.catch(() => undefined); // read by whoever started this process
    this.#send({
      kind: 'start',
      appRoot: this.#options.appRoot,
      minimumLogLevel: this.#options.minimumLogLevel,
      clockSkewSeconds: this.#options.clockSkewSeconds[this.number - 1] ?? 0,
    });
    return loaded;
  }

  /**
   * Runs a function here.
   * @throws {FunctionFailed} the app threw. @throws {FunctionTimedOut} @throws {AppProcessLost}
   */
  invoke(functionName: string, invocation: Invocation): Promise<InvocationResult> {
    return new Promise((succeed, fail) => {
      if (!this.#alive) return fail(new AppProcessLost(functionName, this.number));
      const limit = this.#options.functionTimeoutMs;
      const timer = Number.isFinite(limit)
        ? setTimeout(
            () => {
              this.#settle(invocation.invocationId)?.fail(new FunctionTimedOut(functionName, limit));
              this.#options.log.error(
                `app ${this.number}`,
                `${functionName} exceeded ${limit / 1000} s; killing the app process, as Azure does`,
              );
              this.kill();
            },
            Math.min(limit, longestTimerMs),
          )
        : undefined;
      this.#inFlight.set(invocation.invocationId, { functionName, succeed, fail, timer });
      this.#send({ kind: 'invoke', ...invocation });
      return undefined;
    });
  }

  #settle(invocationId: string): InFlight | undefined {
    const invocation = this.#inFlight.get(invocationId);
    if (invocation === undefined) return undefined;
    this.#inFlight.delete(invocationId);
    clearTimeout(invocation.timer);
    return invocation;
  }

  #send(message: ToAppProcess): void {
    // A send that fails means the channel is gone; `exit` follows and fails what is in flight.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Lets the app run its terminate hooks, then makes sure that the process is gone. */
  async stop(graceMs = 3000): Promise<void> {
    if (!this.#alive) return;
    this.#send({ kind: 'stop' });
    const timer = setTimeout(() => this.kill(), graceMs);
    await this.exited;
    clearTimeout(timer);
  }
}
