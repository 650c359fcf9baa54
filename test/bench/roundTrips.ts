import { setTimeout as pause } from 'node:timers/promises';
import { commandEnds, type LiveResponseClient } from '../../sdk/index.ts';

export interface BenchSession {
  readonly sessionId: string;
  /** Milliseconds from before the POST to the terminal event. */
  readonly roundTrip: (line: string) => Promise<number>;
  readonly close: () => Promise<void>;
}

/** Opens a session and follows its events, so that round trips can be timed. */
export const openSession = async (client: LiveResponseClient, deviceId: string): Promise<BenchSession> => {
  const { sessionId } = await client.openSession({ deviceId, reason: 'benchmark' });
  while ((await client.session(sessionId)).status === 'opening') await pause(50);
  const abort = new AbortController();
  const waiting = new Map<string, (at: number) => void>();
  const seen = new Map<string, number>();
  const { version } = await client.session(sessionId);
  const following = (async () => {
    for await (const event of client.events(sessionId, { after: version, signal: abort.signal })) {
      if (!commandEnds.has(event.type)) continue;
      const commandId = String(event.data['commandId']);
      const at = performance.now();
      seen.set(commandId, at);
      waiting.get(commandId)?.(at);
    }
  })().catch(() => undefined);
  return {
    sessionId,
    roundTrip: async (line) => {
      const began = performance.now();
      const commandId = crypto.randomUUID();
      const ended = new Promise<number>((resolve) => waiting.set(commandId, resolve));
      await client.issueCommand(sessionId, line, { idempotencyKey: commandId });
      return (seen.get(commandId) ?? (await ended)) - began;
    },
    close: async () => {
      await client.disconnect(sessionId);
      abort.abort();
      await following;
    },
  };
};
