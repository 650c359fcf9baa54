const mask = (1n << 64n) - 1n;
const c1 = 0x87c37b91114253d5n;
const c2 = 0x4cf5ad432745937fn;

const rotate = (value: bigint, bits: bigint) => ((value << bits) | (value >> (64n - bits))) & mask;

function finish(value: bigint): bigint {
  let k = value;
  k ^= k >> 33n;
  k = (k * 0xff51afd7ed558ccdn) & mask;
  k ^= k >> 33n;
  k = (k * 0xc4ceb9fe1a85ec53n) & mask;
  return k ^ (k >> 33n);
}

const mixLow = (k: bigint) => (rotate((k * c1) & mask, 31n) * c2) & mask;
const mixHigh = (k: bigint) => (rotate((k * c2) & mask, 33n) * c1) & mask;

/** MurmurHash3 x64 128 with seed 0, as its two halves. */
function murmur128(bytes: Buffer): [bigint, bigint] {
  let h1 = 0n;
  let h2 = 0n;
  const whole = bytes.length - (bytes.length % 16);
  for (let at = 0; at < whole; at += 16) {
    h1 ^= mixLow(bytes.readBigUInt64LE(at));
    h1 = ((rotate(h1, 27n) + h2) * 5n + 0x52dce729n) & mask;
    h2 ^= mixHigh(bytes.readBigUInt64LE(at + 8));
    h2 = ((rotate(h2, 31n) + h1) * 5n + 0x38495ab5n) & mask;
  }
  const tail = Buffer.alloc(16);
  bytes.copy(tail, 0, whole);
  h2 ^= mixHigh(tail.readBigUInt64LE(8));
  h1 ^= mixLow(tail.readBigUInt64LE(0));
  const length = BigInt(bytes.length);
  h1 = ((h1 ^ length) + (h2 ^ length)) & mask;
  h2 = ((h2 ^ length) + h1) & mask;
  h1 = finish(h1);
  h2 = finish(h2);
  h1 = (h1 + h2) & mask;
  h2 = (h2 + h1) & mask;
  return [h1, h2];
}

/** The bytes that are hashed: a type mark, then the value. */
function encode(value: unknown): Buffer {
  if (typeof value === 'string')
    return Buffer.concat([Buffer.from([8]), Buffer.from(value), Buffer.from([255])]);
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(9);
    bytes[0] = 5;
    bytes.writeDoubleLE(value, 1);
    return bytes;
  }
  if (value === true) return Buffer.from([3]);
  if (value === false) return Buffer.from([2]);
  if (value === null) return Buffer.from([1]);
  return Buffer.from([0]);
}

const known = new Map<string, string>();
const maxKnown = 50_000;

function hashComponent(value: unknown): string {
  const [h1, h2] = murmur128(encode(value));
  const hash = Buffer.alloc(16);
  hash.writeBigUInt64BE(h2 & 0x3fffffffffffffffn, 0);
  hash.writeBigUInt64BE(h1, 8);
  return hash.toString('hex').toUpperCase();
}

/**
 * The place of a logical partition on the ring of physical ones: 32 hexadecimal digits for each component of
 * the key, always below "40".
 * `partitionKey` is the JSON array of the request header. The SDK computes the same value itself, so every bit counts.
 */
export function effectivePartitionKey(partitionKey: string): string {
  const cached = known.get(partitionKey);
  if (cached !== undefined) return cached;
  const result = (JSON.parse(partitionKey) as unknown[]).map(hashComponent).join('');
  if (known.size >= maxKnown) known.clear();
  known.set(partitionKey, result);
  return result;
}
