import { createHash, type Hash } from 'node:crypto';
import type { OutputPart } from '../../contracts/device.ts';
import { fixedLimits } from '../../domain/limits.ts';
import { textObjectOf } from '../commands/text.ts';

type OutputStream = OutputPart['stream'];

/** Bytes that one stream gave without another one in between. */
interface Stretch {
  readonly stream: OutputStream;
  readonly bytes: Buffer;
}

/** Where output beyond the inline limit goes. */
export interface OutputStore {
  readonly path: string;
  /** Of the blob after the newest append; empty when its answer was lost. */
  readonly etag: string;
  append(bytes: Buffer): Promise<void>;
}

/** The whole output as one blob, for a line that keeps it as a file. */
export interface KeptOutput {
  readonly blob: string;
  readonly etag: string;
  readonly size: number;
  readonly sha256: string;
}

/** A part of more than this is not made: it bounds what is held in memory. */
export const largestPart = 4 * 1024 * 1024;
const newLine = 0x0a;
/** A batch in which two streams take turns more often than this keeps their order among each other less finely. */
const mostTurns = 40;
/** From so many parts on, that is already so for few turns. */
const manyParts = 400;
const fewTurns = 4;

/**
 * Turns the bytes that a command writes into parts. Up to 8 KB in all stay inline; from there on everything lies in the store,
 * where the position of a byte is its position in the whole output, the earlier inline bytes included.
 */
export class CommandOutput {
  readonly #openStore: () => Promise<OutputStore>;
  /** Of everything, for output that is kept; all of that lies in the store, however little it is. */
  readonly #whole: Hash | undefined;
  #store: OutputStore | undefined;
  /** Bytes of inline parts, needed again when the output moves to the store. */
  #inline: Buffer[] = [];
  #pending: { readonly stream: OutputStream; readonly pieces: Buffer[] }[] = [];
  #pendingSize = 0;
  #offset = 0;
  #parts = 0;
  #fault: Error | undefined;

  constructor(openStore: () => Promise<OutputStore>, isKept = false) {
    this.#openStore = openStore;
    this.#whole = isKept ? createHash('sha256') : undefined;
  }

  get parts(): number {
    return this.#parts;
  }

  /** Why the output could not be stored. From then on no part is made, because parts have no holes. */
  get fault(): Error | undefined {
    return this.#fault;
  }

  /** Bytes that are in no part yet. */
  get pending(): number {
    return this.#pendingSize;
  }

  add(bytes: Buffer, stream: OutputStream = 'result'): void {
    const last = this.#pending.at(-1);
    if (last?.stream === stream) last.pieces.push(bytes);
    else this.#pending.push({ stream, pieces: [bytes] });
    this.#pendingSize += bytes.length;
  }

  /**
   * The parts made of what is pending. Unless `isLast`, an unfinished row or character stays pending while the output is inline,
   * and what does not fill a part does so after one that is full, so that much output makes few. Never throws: look at
   * {@link CommandOutput.fault} afterwards.
   */
  async take(isLast: boolean): Promise<readonly OutputPart[]> {
    const stretches = this.#takePending(isLast);
    const parts: OutputPart[] = [];
    for (const { stream, bytes } of stretches) {
      if (bytes.length === 0 || this.#fault !== undefined) continue;
      if (this.#isInline(bytes.length)) {
        this.#inline.push(bytes);
        parts.push(this.#part(stream, bytes, null));
        continue;
      }
      try {
        const store = await this.#storeWithInline();
        for (let start = 0; start < bytes.length; start += largestPart) {
          const piece = bytes.subarray(start, start + largestPart);
          await store.append(piece);
          this.#whole?.update(piece);
          parts.push(this.#part(stream, piece, store.path));
        }
      } catch (error) {
        this.#fault = error instanceof Error ? error : new Error(String(error));
      }
    }
    return parts;
  }

  /** What became of output that is kept; call it after the last {@link CommandOutput.take}. Undefined when it was not stored whole. */
  async kept(): Promise<KeptOutput | undefined> {
    if (this.#whole === undefined || this.#fault !== undefined) return undefined;
    try {
      const store = await this.#storeWithInline();
      // An output without a byte is a file too.
      if (this.#offset === 0) await store.append(Buffer.alloc(0));
      return { blob: store.path, etag: store.etag, size: this.#offset, sha256: this.#whole.digest('hex') };
    } catch (error) {
      this.#fault = error instanceof Error ? error : new Error(String(error));
      return undefined;
    }
  }

  #isInline(more: number): boolean {
    return (
      this.#whole === undefined &&
      this.#store === undefined &&
      this.#offset + more <= fixedLimits.inlineOutput
    );
  }

  async #storeWithInline(): Promise<OutputStore> {
    if (this.#store !== undefined) return this.#store;
    const store = await this.#openStore();
    if (this.#inline.length > 0) await store.append(Buffer.concat(this.#inline));
    this.#inline = [];
    this.#store = store;
    return store;
  }

  #takePending(isLast: boolean): readonly Stretch[] {
    const all = inFewTurns(
      this.#pending.map(({ stream, pieces }) => ({
        stream,
        bytes: pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces),
      })),
      this.#parts < manyParts ? mostTurns : fewTurns,
    );
    const last = all.at(-1);
    if (last === undefined) return [];
    const end = isLast ? last.bytes.length : this.#endOfNext(last, all.length === 1);
    const rest = last.bytes.subarray(end);
    this.#pending = rest.length === 0 ? [] : [{ stream: last.stream, pieces: [rest] }];
    this.#pendingSize = rest.length;
    return [...all.slice(0, -1), { stream: last.stream, bytes: last.bytes.subarray(0, end) }];
  }

  #endOfNext({ stream, bytes }: Stretch, isAlone: boolean): number {
    if (this.#isInline(this.#pendingSize)) {
      return stream === 'result' ? bytes.lastIndexOf(newLine) + 1 : endOfCharacters(bytes);
    }
    return !isAlone || bytes.length < largestPart
      ? bytes.length
      : bytes.length - (bytes.length % largestPart);
  }

  #part(stream: OutputStream, bytes: Buffer, blob: string | null): OutputPart {
    this.#parts += 1;
    const part: OutputPart = {
      part: this.#parts,
      stream,
      offset: this.#offset,
      size: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      inline: blob === null ? textObjectOf(bytes) : null,
      blob,
    };
    this.#offset += bytes.length;
    return part;
  }
}

/** Where the last whole UTF-8 character ends; what is no UTF-8 counts as whole. */
const endOfCharacters = (bytes: Buffer): number => {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
};

/** Every part becomes an event: a program that writes a word here and a word there must not fill the history. */
const inFewTurns = (stretches: readonly Stretch[], most: number): readonly Stretch[] => {
  if (stretches.length <= most) return stretches;
  const window = Math.ceil((stretches.length * 2) / most);
  const few: Stretch[] = [];
  for (let start = 0; start < stretches.length; start += window) {
    const within = stretches.slice(start, start + window);
    for (const wanted of ['result', 'stdout', 'stderr'] as const) {
      const bytes = within.flatMap((one) => (one.stream === wanted ? [one.bytes] : []));
      if (bytes.length > 0) few.push({ stream: wanted, bytes: Buffer.concat(bytes) });
    }
  }
  return few;
};
