/** A moment (ms since 1970) as .NET ticks in an AMQP long: the SDK reads a session's lock time in no other form. */
export function dotNetTicks(moment: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(Math.round(moment)) * 10_000n + 621_355_968_000_000_000n);
  return bytes;
}

/** rhea leaves longs beyond 2^53 as bytes. */
export function toNumber(value: unknown): number {
  return Buffer.isBuffer(value) ? Number(value.readBigInt64BE()) : Number(value);
}

/** Delivery tags carry a lock token in the byte order of a .NET Guid, AMQP uuids in that of RFC 4122. */
export function deliveryTagOf(token: Buffer): Buffer {
  const tag = Buffer.from(token);
  tag.subarray(0, 4).reverse();
  tag.subarray(4, 6).reverse();
  tag.subarray(6, 8).reverse();
  return tag;
}
