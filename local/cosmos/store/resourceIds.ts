/** Resource ids (`_rid`): base64 of numbers with `-` for `/`. The SDK checks a container's for 8 bytes. */
const encode = (bytes: Buffer) => bytes.toString('base64').replaceAll('/', '-');

export function databaseRid(database: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(database);
  return encode(bytes);
}

function containerBytes(database: number, container: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(database);
  bytes.writeUInt32BE((container | 0x80000000) >>> 0, 4);
  return bytes;
}

export function containerRid(database: number, container: number): string {
  return encode(containerBytes(database, container));
}

/** The SDK compares these eight bytes as a little-endian number where sort keys are equal, so they grow as one. */
export function itemRid(database: number, container: number, row: number): string {
  const bytes = Buffer.alloc(16);
  containerBytes(database, container).copy(bytes);
  bytes.writeBigUInt64LE(BigInt(row), 8);
  return encode(bytes);
}
