import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { LiveResponseClient } from '../../sdk/index.ts';

/** Commands that are issued all the time while something is broken. */
export interface Load {
  /** Ids of commands that were answered with 202. */
  readonly accepted: ReadonlySet<string>;
  /** Ids of commands that the end of their session kept from being accepted. */
  readonly refused: ReadonlySet<string>;
  /** Why there was no answer, by command; such a command is accepted or not. */
  readonly unanswered: ReadonlyMap<string, string>;
  /** Issues no more; resolves when every command that was begun has its answer. */
  stop(): Promise<void>;
}

const pauseMs = 300;
const hands = 2;

/**
 * Two hands repeat side by side: issue a command in the background, wait until it has ended or the server lets go, rest a moment.
 * @param client must have the patience that the fault takes.
 */
export const startLoad = (
  client: LiveResponseClient,
  sessionId: string,
  { lines }: { readonly lines: readonly string[] },
): Load => {
  const accepted = new Set<string>();
  const refused = new Set<string>();
  const unanswered = new Map<string, string>();
  let isStopping = false;

  const issue = async (line: string): Promise<void> => {
    const commandId = randomUUID();
    try {
      await client.issueCommand(sessionId, `${line} &`, { idempotencyKey: commandId, wait: 20 });
      accepted.add(commandId);
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (code === 'SESSION_ENDED') refused.add(commandId);
      else if (code !== 'BACKGROUND_LIMIT') unanswered.set(commandId, `${String(code)} ${String(error)}`);
    }
  };
  const hand = async (index: number): Promise<void> => {
    for (let turn = index; !isStopping; turn += 1) {
      await issue(lines[turn % lines.length] ?? 'dir /');
      if (refused.size > 0) return;
      await pause(pauseMs);
    }
  };
  const all = Promise.all(Array.from({ length: hands }, (_, index) => hand(index)));
  return {
    accepted,
    refused,
    unanswered,
    stop: async () => {
      isStopping = true;
      await all;
    },
  };
};
