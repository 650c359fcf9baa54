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

/** The exit code of one command's end. A script that ended with another code than 0 counts as one that failed. */
export const exitCodeOf = ({
  state,
  exitCode,
}: {
  readonly state: string;
  readonly exitCode: number | null;
}): number => {
  switch (state) {
    case 'Completed':
      return (exitCode ?? 0) === 0 ? exitCodes.completed : exitCodes.failed;
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
