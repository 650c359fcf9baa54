/** What an orchestrator wants, as `durable-functions` 3.x says it. */
export interface RetryOptions {
  firstRetryIntervalInMilliseconds: number;
  maxNumberOfAttempts: number;
  backoffCoefficient?: number;
  maxRetryIntervalInMilliseconds?: number;
  retryTimeoutInMilliseconds?: number;
}

export interface DurableHttpRequest {
  method: string;
  uri: string;
  content?: string;
  headers?: Record<string, string>;
  tokenSource?: unknown;
  asynchronousPatternEnabled?: boolean;
}

export interface Action {
  actionType: number;
  functionName?: string;
  /** Of the sub-orchestration, or the scheduler id of the entity. */
  instanceId?: string | null;
  version?: string;
  input?: unknown;
  retryOptions?: RetryOptions;
  fireAt?: string;
  isCanceled?: boolean;
  externalEventName?: string;
  compoundActions?: Action[];
  operation?: string;
  httpRequest?: DurableHttpRequest;
  lockSet?: { name: string; key: string }[];
  lockRequestId?: string;
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
  CallSubOrchestrator: 2,
  CallSubOrchestratorWithRetry: 3,
  ContinueAsNew: 4,
  CreateTimer: 5,
  WaitForExternalEvent: 6,
  CallEntity: 7,
  CallHttp: 8,
  SignalEntity: 9,
  WhenAny: 11,
  WhenAll: 12,
  LockEntities: 13,
  ReleaseEntities: 14,
} as const;
