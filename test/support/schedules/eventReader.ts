import { setTimeout as pause } from 'node:timers/promises';
import type { Envelope, LiveResponseClient } from '../../../sdk/index.ts';

/** A responder who follows a session, hangs up at will and goes on later where the reading ended. */
export class EventReader {
  readonly sessionId: string;
  readonly read: Envelope[] = [];
  readonly #client: LiveResponseClient;
  #hangUp = new AbortController();
  #reading: Promise<void> | undefined;
  #onRead: () => void = () => undefined;

  constructor(client: LiveResponseClient, sessionId: string) {
    this.#client = client;
    this.sessionId = sessionId;
  }

  resume(): void {
    if (this.#reading !== undefined) return;
    this.#hangUp = new AbortController();
    this.#reading = this.#follow(this.#hangUp.signal);
    // Looked at when somebody waits for the end.
    this.#reading.catch(() => undefined);
  }

  async hangUp(): Promise<void> {
    this.#hangUp.abort();
    await this.#reading;
    this.#reading = undefined;
  }

  /** Reads until something has been told. False when it was not in time. */
  async until(isTold: (read: readonly Envelope[]) => boolean, withinMs: number): Promise<boolean> {
    this.resume();
    const told = new Promise<void>((resolve) => {
      this.#onRead = () => {
        if (isTold(this.read)) resolve();
      };
      this.#onRead();
    });
    const enough = new AbortController();
    await Promise.race([told, this.#reading, pause(withinMs, undefined, enough).catch(() => undefined)]);
    enough.abort();
    return isTold(this.read);
  }

  /** Reads until the session is settled, at most for this long. */
  async toTheEnd(withinMs: number): Promise<void> {
    this.resume();
    const timer = setTimeout(() => this.#hangUp.abort(), withinMs);
    await this.#reading;
    clearTimeout(timer);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    try {
      const after = this.read.at(-1)?.version ?? 0;
      for await (const envelope of this.#client.events(this.sessionId, { after, signal })) {
        this.read.push(envelope);
        this.#onRead();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
