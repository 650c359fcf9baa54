/** What scripts rely on: never change the meaning of a number. */
export const exitCodes = {
  completed: 0,
  failed: 1,
  brokenHistory: 2,
  stopped: 3,
  lost: 4,
  refused: 5,
  usage: 64,
  unavailable: 69,
  internal: 70,
  notSignedIn: 77,
} as const;

/** The exit code of one command's end. */
export const exitCodeOf = (state: string): number => {
  switch (state) {
    case 'Completed':
      return exitCodes.completed;
    case 'Failed':
      return exitCodes.failed;
    case 'Cancelled':
    case 'TimedOut':
      return exitCodes.stopped;
    case 'Refused':
      return exitCodes.refused;
    default:
      return exitCodes.lost;
  }
};
