import type { SourcedLine, ToTrace } from './messages.ts';

/** More lines than this do not wait for a reader: the newest are dropped, and their number is told. */
const mostWaiting = 1_000;

/** The lines that the worker sends this executor, until it says that tracing is off. */
export async function* traceFeed(): AsyncGenerator<SourcedLine | { readonly dropped: number }> {
  let waiting: SourcedLine[] = [];
  let dropped = 0;
  let isOn = true;
  let wake = (): void => undefined;
  const hear = (message: unknown): void => {
    const said = message as ToTrace;
    if (said.type === 'trace-off') isOn = false;
    else if (said.type !== 'trace-line') return;
    else if (waiting.length < mostWaiting) waiting.push(said.line);
    else dropped += 1;
    wake();
  };
  process.on('message', hear);
  try {
    for (;;) {
      const lines = waiting;
      const lost = dropped;
      waiting = [];
      dropped = 0;
      yield* lines;
      if (lost > 0) yield { dropped: lost };
      if (waiting.length > 0) continue;
      if (!isOn) return;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    process.off('message', hear);
  }
}
