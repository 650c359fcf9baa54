import type { LiveSession } from '../../session/liveSession.ts';
import { isEnded } from '../../session/trackedCommand.ts';
import { shownInLine } from '../../terminal/neutralise.ts';
import { shownSize } from '../../terminal/units.ts';
import type { ValueSource } from './valueSource.ts';

/** Ids of the session's commands: those that still run for `fg`, all of them for the rest. */
export const commandIds =
  (session: LiveSession): ValueSource =>
  ({ command, parameter, text }) => {
    if (parameter.type !== 'commandId') return undefined;
    const candidates = session.commands
      .filter((one) => (command !== 'fg' || !isEnded(one)) && one.commandId.startsWith(text))
      .map((one) => ({
        text: one.commandId,
        label: shownInLine(one.commandId),
        description: `${one.state}: ${shownInLine(one.line)}`,
      }));
    return { candidates };
  };

/** Ids of collected files, which `download` takes beside paths. */
export const fileIds =
  (session: LiveSession): ValueSource =>
  ({ command, parameter, text }) => {
    if (command !== 'getfile' || parameter.type !== 'path' || text === '') return undefined;
    const candidates = session.files
      .filter(({ fileId }) => fileId.startsWith(text))
      .map(({ fileId, name, size }) => ({
        text: fileId,
        label: shownInLine(fileId),
        description: `${shownInLine(name)}, ${shownSize(size)}`,
      }));
    return candidates.length === 0 ? undefined : { candidates };
  };
