import type { EndedBody } from '../../contracts/device.ts';

const nothing = {
  started: null,
  output: [],
  exitCode: null,
  duration: 0,
  directory: null,
  files: [],
} as const;

/** The end of a command that never began. */
export const endedWithoutRun = (
  commandId: string,
  state: 'Cancelled' | 'Failed',
  cancelReached: boolean,
  error: EndedBody['error'],
): EndedBody => ({ ...nothing, commandId, state, cancelReached, error, processesGone: null });

/** The end of a command whose outcome nobody can tell. */
export const lostCommand = (
  commandId: string,
  error: NonNullable<EndedBody['error']>,
  processesGone: boolean,
): EndedBody => ({ ...nothing, commandId, state: 'Lost', cancelReached: false, error, processesGone });
