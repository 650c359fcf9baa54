import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

/** Steps between which fault tests stop the service as a power cut would. */
export type CrashPointName =
  | 'after-journal-before-complete'
  | 'after-journal-before-spawn'
  | 'after-spawn-before-started'
  | 'after-end-before-journal'
  | 'after-end-before-send'
  | 'after-send-before-settle';

export type CrashPoint = (name: CrashPointName) => void;

/**
 * Does nothing unless the variable `LIVE_RESPONSE_CRASH_POINT` names a point. A file in `stateDirectory` remembers that the
 * point was passed, so that the service survives it after its restart.
 */
export const crashPointIn = (stateDirectory: string): CrashPoint => {
  const wanted = process.env['LIVE_RESPONSE_CRASH_POINT'];
  if (wanted === undefined || wanted === '') return () => undefined;
  return (name) => {
    if (name !== wanted) return;
    try {
      closeSync(openSync(join(stateDirectory, `crashed-${name}`), 'wx', 0o600));
    } catch {
      return;
    }
    process.kill(process.pid, 'SIGKILL');
  };
};
