import { UnexpectedAnswerError } from './errors.ts';
import type { Transport } from './transport.ts';

export interface OutputOptions {
  /** First byte wanted. */
  readonly from?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Opens a command's output from byte `from` on, whether or not the server knows ranges. */
export const openOutput = (
  transport: Transport,
  path: string,
  { from = 0, signal }: OutputOptions,
): Promise<ReadableStream<Uint8Array>> =>
  transport.send(
    {
      method: 'GET',
      path,
      headers: { accept: '*/*', ...(from > 0 ? { range: `bytes=${from}-` } : {}) },
      repeatable: true,
      stream: true,
      signal,
      alsoTaken: [416],
    },
    async (response) => {
      const body = response.body ?? new ReadableStream<Uint8Array>({ start: (end) => end.close() });
      if (response.status === 416) {
        await body.cancel();
        return new ReadableStream<Uint8Array>({ start: (end) => end.close() });
      }
      if (response.status !== 206) return from > 0 ? body.pipeThrough(skipBytes(from)) : body;
      const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
      if (Number(start) !== from) throw new UnexpectedAnswerError('The output', `bytes from ${start}`);
      return body;
    },
  );

const skipBytes = (count: number): TransformStream<Uint8Array, Uint8Array> => {
  let left = count;
  return new TransformStream({
    transform: (bytes, out) => {
      const wanted = bytes.subarray(Math.min(left, bytes.length));
      left -= bytes.length - wanted.length;
      if (wanted.length > 0) out.enqueue(wanted);
    },
  });
};
