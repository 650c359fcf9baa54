import type { InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';
import { supervisionOf } from './supervisors.ts';

/** Name of the orchestration: stored in every running instance, so frozen once shipped. */
export const uploadCheckName = 'checkLibraryUpload_v1';

/** Starts the check of an upload unless it runs. One that failed is begun anew: every step of it may be repeated. */
export const startUploadCheck = async (
  context: InvocationContext,
  tenantId: string,
  uploadId: string,
): Promise<void> => {
  const instanceId = `libraryUpload-${uploadId}`;
  if ((await supervisionOf(context, instanceId)).running) return;
  try {
    await df.getClient(context).startNew(uploadCheckName, { instanceId, input: { tenantId, uploadId } });
  } catch (error) {
    // Another request may have been faster: then it runs, which is what was wanted.
    if (!(await supervisionOf(context, instanceId)).running) throw error;
  }
};
