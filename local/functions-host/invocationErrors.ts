/** The handler (or a hook) threw. `message` is the app's text. */
export class FunctionFailed extends Error {
  readonly appStack: string;
  constructor(message: string, appStack: string) {
    super(message);
    this.name = 'FunctionFailed';
    this.appStack = appStack;
  }
}

/** The function ran longer than `functionTimeout`; its app process has been killed. */
export class FunctionTimedOut extends Error {
  constructor(functionName: string, timeoutMs: number) {
    super(
      `Timeout value of ${timeoutMs / 1000} s exceeded by function '${functionName}'. Its app process is restarted.`,
    );
    this.name = 'FunctionTimedOut';
  }
}

/** The app process ended while the invocation was in flight; whether the handler finished is unknown. */
export class AppProcessLost extends Error {
  constructor(functionName: string, processNumber: number) {
    super(`App process ${processNumber} ended while it ran function '${functionName}'.`);
    this.name = 'AppProcessLost';
  }
}
