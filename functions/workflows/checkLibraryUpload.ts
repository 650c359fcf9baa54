import { type OrchestrationContext, type OrchestrationHandler, RetryOptions } from 'durable-functions';

/** Checks an upload, again after a fault of the store. Frozen once shipped: a change gets a new name. */
export const checkLibraryUpload_v1: OrchestrationHandler = function* (context: OrchestrationContext) {
  yield context.df.callActivityWithRetry(
    'checkLibraryUpload',
    new RetryOptions(2_000, 5),
    context.df.getInput(),
  );
};
