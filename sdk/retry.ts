/** How often and how long something is tried again. Delays have full jitter. */
export interface RetryPolicy {
  /** Tries in all, the first included. */
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** No try begins later than this after the first. */
  readonly budgetMs: number;
}

export const defaultRetryPolicy: RetryPolicy = {
  attempts: 8,
  firstDelayMs: 200,
  longestDelayMs: 10_000,
  budgetMs: 60_000,
};

/** Milliseconds before try `attempt + 1`; never less than what the server asked for. */
export const delayAfter = (attempt: number, policy: RetryPolicy, retryAfterMs = 0): number => {
  const ceiling = Math.min(policy.longestDelayMs, policy.firstDelayMs * 2 ** (attempt - 1));
  return retryAfterMs + Math.random() * ceiling;
};

/** Milliseconds that `Retry-After` asks for, as seconds or as a date; 0 without one that can be read. */
export const retryAfterOf = (headers: Headers, now: number): number => {
  const value = headers.get('retry-after');
  if (value === null) return 0;
  const seconds = Number(value);
  const milliseconds = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - now;
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : 0;
};

/** Rejects with the signal's reason when it is aborted first. */
export const pause = (milliseconds: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
