import { execFileSync, spawn } from 'node:child_process';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import type { Row } from '../commands/command.ts';
import { addressOf, parseSocketLine } from '../platform/linux/socketTable.ts';
import { runCommand } from './support/runCommand.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const list = async (parameters: Record<string, string | number> = {}): Promise<readonly Row[]> =>
  (await runCommand('connections', { parameters })).rows;

const endOf = (row: Row): string =>
  `${String(row['protocol'])} ${String(row['localAddress'])}:${String(row['localPort'])} ${String(row['remoteAddress'])}:${String(row['remotePort'])} ${String(row['state'])}`;

const listenOn = async (host: string): Promise<number> => {
  const server: Server = createServer();
  closers.push(() => server.close());
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

/** Both ends are in this process. */
const pairTo = async (host: string, port: number): Promise<number> => {
  const socket: Socket = connect(port, host);
  closers.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket.localPort ?? 0;
};

describe('connections', () => {
  it('shows listeners and both ends of pairs on IPv4, IPv6 and mapped addresses', async () => {
    const own = { pids: [String(process.pid)], note: null, namespace: null };
    const four = await listenOn('127.0.0.1');
    const six = await listenOn('::1');
    const both = await listenOn('::');
    const fromFour = await pairTo('127.0.0.1', four);
    const fromSix = await pairTo('::1', six);
    const mapped = await pairTo('127.0.0.1', both);
    const rows = await list({ pid: process.pid });
    expect(rows.every((row) => (row['pids'] as string[]).includes(String(process.pid)))).toBe(true);
    const ends = rows.map(endOf);
    for (const end of [
      `tcp 127.0.0.1:${four} null:null listen`,
      `tcp6 ::1:${six} null:null listen`,
      `tcp6 :::${both} null:null listen`,
      `tcp 127.0.0.1:${fromFour} 127.0.0.1:${four} established`,
      `tcp 127.0.0.1:${four} 127.0.0.1:${fromFour} established`,
      `tcp6 ::1:${fromSix} ::1:${six} established`,
      `tcp6 ::1:${six} ::1:${fromSix} established`,
      `tcp 127.0.0.1:${mapped} 127.0.0.1:${both} established`,
      `tcp6 ::ffff:127.0.0.1:${both} ::ffff:127.0.0.1:${mapped} established`,
    ]) {
      expect(ends).toContain(end);
    }
    const [listener] = await list({ port: four, status: 'listen' });
    expect(listener).toMatchObject({ ...own, user: 'root' });
    expect((await list({ port: four })).map(({ state }) => state).sort()).toEqual([
      'established',
      'established',
      'listen',
    ]);
    expect(await list({ port: four, pid: 1 })).toEqual([]);
  });

  it('shows UDP, with and without another side', async () => {
    const open: UdpSocket = createSocket('udp4');
    const fixed: UdpSocket = createSocket('udp6');
    closers.push(
      () => open.close(),
      () => fixed.close(),
    );
    open.bind(0, '127.0.0.1');
    await once(open, 'listening');
    fixed.connect(9, '::1');
    await once(fixed, 'connect');
    const ends = (await list({ pid: process.pid })).map(endOf);
    expect(ends).toContain(`udp 127.0.0.1:${open.address().port} null:null null`);
    expect(ends).toContain(`udp6 ::1:${fixed.address().port} ::1:9 established`);
  });

  it('names every process that holds a socket, however it is called', async () => {
    const port = await listenOn('127.0.0.1');
    // The child inherits the listener as its descriptor 3.
    const inode = (await list({ port }))[0]?.['inode'];
    const descriptor = execFileSync('sh', [
      '-c',
      `for f in /proc/${process.pid}/fd/*; do [ "$(readlink $f)" = "socket:[${String(inode)}]" ] && basename $f; done; true`,
    ])
      .toString()
      .trim();
    const child = spawn('/bin/sh', ['-c', 'read line'], {
      stdio: ['pipe', 'ignore', 'ignore', Number(descriptor)],
    });
    closers.push(() => child.kill('SIGKILL'));
    await once(child, 'spawn');
    const [row] = await list({ port, status: 'listen' });
    expect([...(row?.['pids'] as string[])].sort()).toEqual([String(process.pid), String(child.pid)].sort());
    expect(row?.['processNames']).toHaveLength(2);
    expect(row?.['processNames']).toContain('sh');
    expect(await list({ pid: child.pid ?? 0 })).toHaveLength(1);
  });

  it('lists every socket that the kernel lists throughout, and no other', async () => {
    const inodes = (): Set<string> =>
      new Set(
        ['tcp', 'tcp6', 'udp', 'udp6', 'raw', 'raw6'].flatMap((protocol) =>
          readFileSync(`/proc/net/${protocol}`, 'latin1')
            .trim()
            .split('\n')
            .slice(1)
            .map((line) => line.trim().split(/\s+/)[9] ?? ''),
        ),
      );
    const before = inodes();
    const rows = (await list()).filter(({ namespace, note }) => namespace === null && note === null);
    const after = inodes();
    const listed = new Set(rows.map(({ inode }) => String(inode ?? 0)));
    expect([...before].filter((inode) => after.has(inode) && !listed.has(inode))).toEqual([]);
    expect([...listed].filter((inode) => inode !== '0' && !before.has(inode) && !after.has(inode))).toEqual(
      [],
    );
  });

  it('sees into the network namespaces of other processes', async ({ skip }) => {
    const script =
      "const s = require('node:net').createServer().listen(7777, '0.0.0.0', () => console.log('up'));";
    const child = spawn('/usr/bin/unshare', ['--net', process.execPath, '-e', script], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    closers.push(() => child.kill('SIGKILL'));
    const [first] = (await Promise.race([once(child.stdout, 'data'), once(child, 'close')])) as [unknown];
    if (!Buffer.isBuffer(first)) return skip('unshare may not make a network namespace here');
    const namespace = /\d+/.exec(readlinkSync(`/proc/${child.pid}/ns/net`))?.[0];
    expect(await list({ pid: child.pid ?? 0 })).toMatchObject([
      { protocol: 'tcp', localAddress: '0.0.0.0', localPort: 7777, state: 'listen', namespace },
    ]);
  });
});

describe('a line of the kernel', () => {
  it('is read field by field', () => {
    expect(
      parseSocketLine(
        '   3: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 48213 1 0000000000000000 100 0 0 10 0',
      ),
    ).toEqual({
      localAddress: '127.0.0.1',
      localPort: 8080,
      remoteAddress: '0.0.0.0',
      remotePort: 0,
      stateNumber: 10,
      userId: 1000,
      inode: 48213,
    });
    expect(parseSocketLine('  sl  local_address rem_address   st tx_queue rx_queue')).toBeUndefined();
    expect(parseSocketLine('')).toBeUndefined();
  });

  it.each([
    ['0000000000000000FFFF00000100007F', '::ffff:127.0.0.1'],
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000001000000', '::1'],
    ['B80D0120000000000000000001000000', '2001:db8::1'],
    ['000080FE00000000FF005450B6A5CEFE', 'fe80::5054:ff:fece:a5b6'],
  ])('has the address %s, which is %s', (hexadecimal, address) => {
    expect(addressOf(hexadecimal, 'LE')).toBe(address);
  });

  it('has addresses that the URL standard writes alike', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const groups = Array.from({ length: 8 }, (_, index) =>
          Buffer.from(bytes)
            .readUInt16BE(index * 2)
            .toString(16),
        );
        const shown = addressOf(Buffer.from(bytes).toString('hex'), 'BE');
        fc.pre(!shown.startsWith('::ffff:'));
        expect(`[${shown}]`).toBe(new URL(`http://[${groups.join(':')}]/`).hostname);
      }),
    );
  });
});
