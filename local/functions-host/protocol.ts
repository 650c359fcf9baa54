/** What the host and its app processes say to each other, and the value shapes of the worker contract. */

/** A value on its way to or from a handler; exactly one member is set, none means "no value". */
export interface TypedData {
  string?: string;
  json?: string;
  bytes?: Uint8Array;
  int?: number;
  double?: number;
  http?: HttpValue;
  collectionString?: { string: string[] };
  collectionBytes?: { bytes: Uint8Array[] };
  collectionSint64?: { sint64: number[] };
}

/** An HTTP request (host to handler) or response (handler to host) in buffered mode. */
export interface HttpValue {
  method?: string;
  url?: string;
  nullableHeaders?: Record<string, { value: string }>;
  nullableQuery?: Record<string, { value: string }>;
  nullableParams?: Record<string, { value: string }>;
  statusCode?: string;
  headers?: Record<string, string>;
  cookies?: CookieValue[];
  body?: TypedData;
}

export interface CookieValue {
  name: string;
  value: string;
  domain?: { value?: string };
  path?: { value?: string };
  expires?: { value?: Date | string | { seconds?: number } };
  secure?: { value?: boolean };
  httpOnly?: { value?: boolean };
  sameSite?: string | number;
  maxAge?: { value?: number };
}

export interface NamedValue {
  name: string;
  data: TypedData;
}

/** One binding as the app registered it: `type` and `direction`, and every option of the app verbatim. */
export interface Binding {
  type: string;
  direction: string;
  name: string;
  [option: string]: unknown;
}

export interface RetryPolicy {
  strategy: string;
  /** -1 repeats for ever. */
  maxRetryCount: number;
  delayInterval?: { seconds?: number };
  minimumInterval?: { seconds?: number };
  maximumInterval?: { seconds?: number };
}

export interface RegisteredFunction {
  id: string;
  name: string;
  bindings: Record<string, Binding>;
  trigger: Binding;
  retry?: RetryPolicy;
}

export interface RetryContext {
  retryCount: number;
  maxRetryCount: number;
  exception?: { message: string };
}

export interface Invocation {
  invocationId: string;
  functionId: string;
  inputData: NamedValue[];
  triggerMetadata: Record<string, TypedData>;
  retryContext?: RetryContext;
  traceParent?: string;
}

export interface InvocationResult {
  returnValue?: TypedData | null;
  outputData?: NamedValue[];
}

export type ToAppProcess =
  | { kind: 'start'; appRoot: string; minimumLogLevel: string; clockSkewSeconds: number }
  | ({ kind: 'invoke' } & Invocation)
  | { kind: 'stop' };

export type FromAppProcess =
  | { kind: 'loaded'; functions: RegisteredFunction[]; capabilities: Record<string, string> }
  | { kind: 'notLoaded'; reason: string }
  | { kind: 'succeeded'; invocationId: string; result: InvocationResult }
  | { kind: 'failed'; invocationId: string; message: string; stack: string };

/** True for every trigger binding; the worker contract compares without regard to case. */
export const isTriggerType = (type: string): boolean => /trigger$/i.test(type);

export const isTrigger = (fn: RegisteredFunction, type: string): boolean =>
  fn.trigger.type.toLowerCase() === type.toLowerCase();
