import { closeSync, openSync, readSync } from 'node:fs';

const newLine = 0x0a;

/** Lines of a file without their ends, read piece by piece: a list of the kernel may have many megabytes. */
export function* linesOf(path: string): Generator<Buffer> {
  const descriptor = openSync(path, 'r');
  try {
    const piece = Buffer.allocUnsafe(64 * 1024);
    let begun = Buffer.alloc(0);
    for (;;) {
      const size = readSync(descriptor, piece, 0, piece.length, null);
      if (size === 0) break;
      const all = Buffer.concat([begun, piece.subarray(0, size)]);
      let start = 0;
      for (let end = all.indexOf(newLine); end !== -1; end = all.indexOf(newLine, start)) {
        yield all.subarray(start, end);
        start = end + 1;
      }
      begun = all.subarray(start);
    }
    if (begun.length > 0) yield begun;
  } finally {
    closeSync(descriptor);
  }
}
