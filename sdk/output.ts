import { UnexpectedAnswerError } from './errors.ts';
import type { Transport } from './transport.ts';

export interface OutputOptions {
  /** First byte wanted. */
  readonly from?: number;
  /** Bytes wanted at most; all that there is by now unless given. */
  readonly size?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Opens a command's output, or a stretch of it, whether or not the server knows ranges. */
export const openOutput = (
  transport: Transport,
  path: string,
  { from = 0, size, signal }: OutputOptions,
): Promise<ReadableStream<Uint8Array>> =>
  transport.send(
    {
      method: 'GET',
      path,
      headers: { accept: '*/*', ...(from > 0 || size !== undefined ? { range: rangeOf(from, size) } : {}) },
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
      if (response.status !== 206) {
        return from > 0 || size !== undefined ? body.pipeThrough(cutBytes(from, size)) : body;
      }
      const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
      if (Number(start) !== from) throw new UnexpectedAnswerError('The output', `bytes from ${start}`);
      return body;
    },
  );

const rangeOf = (from: number, size: number | undefined): string =>
  `bytes=${from}-${size === undefined ? '' : from + Math.max(1, size) - 1}`;

/** For a server that sent all of it. */
const cutBytes = (from: number, size = Number.POSITIVE_INFINITY): TransformStream<Uint8Array, Uint8Array> => {
  let skip = from;
  let left = size;
  return new TransformStream({
    transform: (bytes, out) => {
      const start = Math.min(skip, bytes.length);
      const wanted = bytes.subarray(start, Math.min(bytes.length, start + left));
      skip -= start;
      left -= wanted.length;
      if (wanted.length > 0) out.enqueue(wanted);
      if (left <= 0) out.terminate();
    },
  });
};
