import { traceFeed } from '../session/traceFeed.ts';
import type { DeviceCommand, Row } from './command.ts';

/**
 * Follows the log of the agent in detail. It is detailed exactly as long as somebody follows it: a second command that says off
 * ends the first one, and so do a cancel, the time limit and the end of the session.
 */
export const trace: DeviceCommand = {
  name: 'trace',
  async *run({ parameters }) {
    if (parameters['state'] === 'off') {
      yield ownRow('Detailed logging is off.');
      return {};
    }
    yield ownRow('Detailed logging is on. "trace off" or a cancel ends it.');
    for await (const line of traceFeed()) {
      yield 'dropped' in line ? ownRow(`${line.dropped} lines were dropped: too many at once.`) : rowOf(line);
    }
    return {};
  },
};

const rowOf = ({ at, source, message }: { at: string; source: string; message: string }): Row => ({
  at,
  source,
  message,
});

const ownRow = (message: string): Row => rowOf({ at: new Date().toISOString(), source: 'trace', message });
