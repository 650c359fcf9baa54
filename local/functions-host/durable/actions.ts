/** What an orchestrator wants, as `durable-functions` 3.x says it. */
export interface RetryOptions {
  firstRetryIntervalInMilliseconds: number;
  maxNumberOfAttempts: number;
  backoffCoefficient?: number;
  maxRetryIntervalInMilliseconds?: number;
  retryTimeoutInMilliseconds?: number;
}

export interface Action {
  actionType: number;
  functionName?: string;
  input?: unknown;
  retryOptions?: RetryOptions;
  fireAt?: string;
  isCanceled?: boolean;
  externalEventName?: string;
  compoundActions?: Action[];
}

export interface OrchestratorState {
  isDone: boolean;
  /** One inner list with every action since the start of the generation, in yield order. */
  actions: Action[][];
  output?: unknown;
  error?: string;
  customStatus?: unknown;
}

export const ActionType = {
  CallActivity: 0,
  CallActivityWithRetry: 1,
  ContinueAsNew: 4,
  CreateTimer: 5,
  WaitForExternalEvent: 6,
  WhenAny: 11,
  WhenAll: 12,
} as const;

/** Actions of the protocol that this host refuses rather than half-does. */
export const refusedActions: Readonly<Record<number, string>> = {
  2: 'callSubOrchestrator',
  3: 'callSubOrchestratorWithRetry',
  7: 'callEntity',
  8: 'callHttp',
  9: 'signalEntity',
  10: 'a scheduled signalEntity',
  13: 'df.lock',
  14: 'releasing a df.lock',
};
