import { describe, expect, it } from 'vitest';
import { sha256 } from '../../evidence/canonical.ts';
import { CommandOutput, largestPart } from '../session/commandOutput.ts';

class MemoryStore {
  readonly path = 'output/blob';
  get etag(): string {
    return `etag-${this.blocks.length}`;
  }
  readonly blocks: Buffer[] = [];
  failAt = Number.POSITIVE_INFINITY;

  async append(bytes: Buffer): Promise<void> {
    if (this.blocks.length >= this.failAt) throw new Error('the store is full');
    this.blocks.push(Buffer.from(bytes));
  }

  get content(): Buffer {
    return Buffer.concat(this.blocks);
  }
}

const line = (letter: string, size: number): Buffer => Buffer.from(`${letter.repeat(size - 1)}\n`);

describe('output of a command', () => {
  it('stays inline up to 8 KB, in whole lines', async () => {
    const store = new MemoryStore();
    const output = new CommandOutput(async () => store);
    output.add(Buffer.from('{"a":1}\n{"name":"ü'));
    const [first] = await output.take(false);
    expect(first).toMatchObject({ part: 1, offset: 0, size: 8, inline: { text: '{"a":1}\n' }, blob: null });
    output.add(Buffer.from('"}\n'));
    const [second, none] = await output.take(true);
    expect(second).toMatchObject({ part: 2, offset: 8, inline: { text: '{"name":"ü"}\n' } });
    expect(second?.sha256).toBe(sha256('{"name":"ü"}\n'));
    expect(none).toBeUndefined();
    expect(store.blocks).toEqual([]);
  });

  it('takes exactly 8 KB inline, and one byte more to the store', async () => {
    for (const [size, isInline] of [
      [8192, true],
      [8193, false],
    ] as const) {
      const output = new CommandOutput(async () => new MemoryStore());
      output.add(line('x', size));
      const [part] = await output.take(true);
      expect(part?.inline !== null).toBe(isInline);
      expect(part?.blob === null).toBe(isInline);
    }
  });

  it('moves to the store with what was inline before, so that positions agree', async () => {
    const store = new MemoryStore();
    const output = new CommandOutput(async () => store);
    const parts = [];
    for (const letter of ['a', 'b', 'c', 'd']) {
      output.add(line(letter, 3_000));
      parts.push(...(await output.take(false)));
    }
    expect(parts.map(({ part, offset, inline }) => [part, offset, inline !== null])).toEqual([
      [1, 0, true],
      [2, 3_000, true],
      [3, 6_000, false],
      [4, 9_000, false],
    ]);
    const whole = Buffer.concat(['a', 'b', 'c', 'd'].map((letter) => line(letter, 3_000)));
    expect(store.content).toEqual(whole);
    for (const { offset, size, sha256: hash } of parts) {
      expect(sha256(store.content.subarray(offset, offset + size))).toBe(hash);
    }
  });

  it('cuts parts at 4 MiB', async () => {
    const store = new MemoryStore();
    const output = new CommandOutput(async () => store);
    output.add(Buffer.alloc(9 * 1024 * 1024, 'x'));
    const parts = await output.take(true);
    expect(parts.map(({ size }) => size)).toEqual([4, 4, 1].map((mebibytes) => mebibytes * 1024 * 1024));
  });

  it('leaves what does not fill a part for the next one', async () => {
    const store = new MemoryStore();
    const output = new CommandOutput(async () => store);
    output.add(Buffer.alloc(largestPart + 100, 'x'));
    expect((await output.take(false)).map(({ size }) => size)).toEqual([largestPart]);
    expect(output.pending).toBe(100);
    output.add(line('y', 50));
    expect((await output.take(false)).map(({ offset, size }) => [offset, size])).toEqual([
      [largestPart, 150],
    ]);
  });

  it('keeps a whole output as one blob, however small', async () => {
    const store = new MemoryStore();
    const output = new CommandOutput(async () => store, true);
    output.add(Buffer.from('{"a":1}\n{"b'));
    const parts = [...(await output.take(false))];
    output.add(Buffer.from('":2}\n'));
    parts.push(...(await output.take(true)));
    expect(parts.map(({ inline, blob }) => [inline, blob])).toEqual([
      [null, 'output/blob'],
      [null, 'output/blob'],
    ]);
    const whole = '{"a":1}\n{"b":2}\n';
    expect(await output.kept()).toEqual({
      blob: 'output/blob',
      etag: 'etag-2',
      size: whole.length,
      sha256: sha256(whole),
    });
    expect(store.content.toString()).toBe(whole);

    const empty = new CommandOutput(async () => new MemoryStore(), true);
    expect(await empty.take(true)).toEqual([]);
    expect(await empty.kept()).toMatchObject({ size: 0, sha256: sha256('') });
    expect(await new CommandOutput(async () => store).kept()).toBeUndefined();
  });

  it('reports what was stored before a fault, and no part after it', async () => {
    const store = new MemoryStore();
    store.failAt = 1;
    const output = new CommandOutput(async () => store);
    output.add(Buffer.alloc(2 * largestPart, 'x'));
    expect((await output.take(false)).map(({ part }) => part)).toEqual([1]);
    expect(output.fault?.message).toBe('the store is full');
    store.failAt = 9;
    output.add(line('y', 100));
    expect(await output.take(true)).toEqual([]);
  });
});

describe('output of a script', () => {
  const textsOf = (parts: readonly { stream: string; inline: { text: string } | null }[]) =>
    parts.map(({ stream, inline }) => [stream, inline?.text]);

  it('keeps its streams apart and in order, also without line ends', async () => {
    const output = new CommandOutput(async () => new MemoryStore());
    output.add(Buffer.from('working'), 'stdout');
    expect(textsOf(await output.take(false))).toEqual([['stdout', 'working']]);
    output.add(Buffer.from('…'), 'stdout');
    output.add(Buffer.from('oh\n'), 'stderr');
    output.add(Buffer.from('done'), 'stdout');
    expect(textsOf(await output.take(false))).toEqual([
      ['stdout', '…'],
      ['stderr', 'oh\n'],
      ['stdout', 'done'],
    ]);
    expect(await output.take(true)).toEqual([]);
  });

  it('cuts no character in two, and keeps what is none byte for byte', async () => {
    const output = new CommandOutput(async () => new MemoryStore());
    const smile = Buffer.from('🙂');
    output.add(Buffer.concat([Buffer.from('a'), smile.subarray(0, 3)]), 'stdout');
    expect(textsOf(await output.take(false))).toEqual([['stdout', 'a']]);
    output.add(smile.subarray(3), 'stdout');
    expect(textsOf(await output.take(false))).toEqual([['stdout', '🙂']]);
    output.add(Buffer.from([0xff, 0x80, 0x80, 0x80]), 'stderr');
    const [part] = await output.take(false);
    expect(part).toMatchObject({
      size: 4,
      inline: { bytes: Buffer.from([0xff, 0x80, 0x80, 0x80]).toString('base64') },
    });
  });

  it('makes few parts of streams that take turns, each whole and in order', async () => {
    const store = new MemoryStore();
    const output = new CommandOutput(async () => store);
    for (let turn = 0; turn < 2_000; turn += 1) {
      output.add(Buffer.from(`out ${turn}\n`), 'stdout');
      output.add(Buffer.from(`err ${turn}\n`), 'stderr');
    }
    const parts = await output.take(true);
    expect(parts.length).toBeLessThanOrEqual(45);
    expect(parts.some(({ inline }) => inline !== null)).toBe(true);
    for (const [stream, word] of [
      ['stdout', 'out'],
      ['stderr', 'err'],
    ]) {
      const text = parts
        .filter((part) => part.stream === stream)
        .map(({ offset, size }) => store.content.subarray(offset, offset + size).toString())
        .join('');
      expect(text).toBe(Array.from({ length: 2_000 }, (_, turn) => `${word} ${turn}\n`).join(''));
    }
  });
});
