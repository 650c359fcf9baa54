import { createHash, type Hash } from 'node:crypto';
import type { OutputPart } from '../../contracts/device.ts';
import { fixedLimits } from '../../domain/limits.ts';

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
  #pending: Buffer[] = [];
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

  add(bytes: Buffer): void {
    this.#pending.push(bytes);
    this.#pendingSize += bytes.length;
  }

  /**
   * The parts made of what is pending. Unless `isLast`, an unfinished line stays pending while the output is inline, so that no
   * character is cut in two, and what does not fill a part does so after one that is full, so that much output makes few. Never throws: look at {@link CommandOutput.fault} afterwards.
   */
  async take(isLast: boolean): Promise<readonly OutputPart[]> {
    const bytes = this.#takePending(isLast);
    if (bytes.length === 0 || this.#fault !== undefined) return [];
    if (this.#isInline(bytes.length)) {
      this.#inline.push(bytes);
      return [this.#part(bytes, null)];
    }
    const parts: OutputPart[] = [];
    try {
      const store = await this.#storeWithInline();
      for (let start = 0; start < bytes.length; start += largestPart) {
        const piece = bytes.subarray(start, start + largestPart);
        await store.append(piece);
        this.#whole?.update(piece);
        parts.push(this.#part(piece, store.path));
      }
    } catch (error) {
      this.#fault = error instanceof Error ? error : new Error(String(error));
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

  #takePending(isLast: boolean): Buffer {
    const all = this.#pending.length === 1 ? (this.#pending[0] as Buffer) : Buffer.concat(this.#pending);
    const end = isLast ? all.length : this.#endOfNext(all);
    this.#pending = end === all.length ? [] : [all.subarray(end)];
    this.#pendingSize = all.length - end;
    return all.subarray(0, end);
  }

  #endOfNext(all: Buffer): number {
    if (this.#isInline(all.length)) return all.lastIndexOf(newLine) + 1;
    return all.length < largestPart ? all.length : all.length - (all.length % largestPart);
  }

  #part(bytes: Buffer, blob: string | null): OutputPart {
    this.#parts += 1;
    const part: OutputPart = {
      part: this.#parts,
      stream: 'result',
      offset: this.#offset,
      size: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      inline: blob === null ? { text: bytes.toString('utf8') } : null,
      blob,
    };
    this.#offset += bytes.length;
    return part;
  }
}
