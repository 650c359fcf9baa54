import { endianness } from 'node:os';
import type { ConnectionState } from '../../../domain/catalogue/connectionStates.ts';

/** A line of `/proc/net/tcp` and its like. */
export interface SocketLine {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The kernel's number of the TCP state, which UDP and raw sockets use too. */
  readonly stateNumber: number;
  readonly userId: number;
  /** 0 when no process holds the socket any more. */
  readonly inode: number;
}

const states: Readonly<Record<number, ConnectionState>> = {
  1: 'established',
  2: 'syn-sent',
  3: 'syn-received',
  4: 'fin-wait-1',
  5: 'fin-wait-2',
  6: 'time-wait',
  7: 'closed',
  8: 'close-wait',
  9: 'last-ack',
  10: 'listen',
  11: 'closing',
  // A request that is not yet a connection: the kernel names it apart, TCP does not.
  12: 'syn-received',
};

export const stateOf = (number: number): ConnectionState | null => states[number] ?? null;

/** Undefined for the heading and for what is no such line. */
export const parseSocketLine = (line: string): SocketLine | undefined => {
  const fields = line.trim().split(/\s+/);
  const [, local, remote, state, , , , user, , inode] = fields;
  if (local === undefined || remote === undefined || !/^[0-9A-F]+:[0-9A-F]{4}$/.test(local)) return undefined;
  if (state === undefined || user === undefined || inode === undefined) return undefined;
  const [localAddress = '', localPort = ''] = local.split(':');
  const [remoteAddress = '', remotePort = ''] = remote.split(':');
  return {
    localAddress: addressOf(localAddress),
    localPort: Number.parseInt(localPort, 16),
    remoteAddress: addressOf(remoteAddress),
    remotePort: Number.parseInt(remotePort, 16),
    stateNumber: Number.parseInt(state, 16),
    userId: Number(user),
    inode: Number(inode),
  };
};

/** The kernel prints addresses as words of 32 bits in the byte order of the machine. */
export const addressOf = (hexadecimal: string, order = endianness()): string => {
  const bytes = Buffer.from(hexadecimal, 'hex');
  if (order === 'LE') bytes.swap32();
  return bytes.length === 4 ? bytes.join('.') : version6(bytes);
};

/** RFC 5952: the longest run of zeros is left out, and a mapped address of version 4 is shown as one. */
const version6 = (bytes: Buffer): string => {
  if (bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff) {
    return `::ffff:${bytes.subarray(12).join('.')}`;
  }
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2));
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start += 1) {
    let length = 0;
    while (groups[start + length] === 0) length += 1;
    if (length > best.length) best = { start, length };
  }
  const text = (some: readonly number[]): string => some.map((group) => group.toString(16)).join(':');
  return best.length === 1
    ? text(groups)
    : `${text(groups.slice(0, best.start))}::${text(groups.slice(best.start + best.length))}`;
};
