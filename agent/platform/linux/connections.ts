import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { textOf } from '../../commands/text.ts';
import { CommandFailure, systemCodeOf } from '../../commands/command.ts';
import { processIds, readStat } from './procfs.ts';
import type { Connection, ConnectionGap, Holder } from '../connection.ts';
import { userName } from './accounts.ts';
import { linesOf } from './lines.ts';
import { parseSocketLine, type SocketLine, stateOf } from './socketTable.ts';

const protocols = ['tcp', 'tcp6', 'udp', 'udp6', 'udplite', 'udplite6', 'raw', 'raw6'] as const;
type Protocol = (typeof protocols)[number];

/**
 * Sockets of every network namespace that a process lives in. The namespace of a container is seen from outside through the
 * processes in it; one without a process cannot be entered by just looking, and is reported.
 */
export function* linuxConnections(): Generator<Connection | ConnectionGap> {
  const { holders, namespaces, unreadable } = lookIntoProcesses();
  if (unreadable > 0) {
    yield {
      gap: `Which sockets ${unreadable} processes hold is unknown: the agent may not look into them. Run it as root.`,
    };
  }
  const own = namespaceOf('self');
  const tables = new Map([[own ?? 'own', '/proc/net']]);
  for (const [namespace, pid] of namespaces) {
    if (namespace !== own) tables.set(namespace, `/proc/${pid}/net`);
  }
  let read = 0;
  for (const [namespace, folder] of tables) {
    for (const protocol of protocols) {
      const path = `${folder}/${protocol}`;
      try {
        for (const line of linesOf(path)) {
          const socket = parseSocketLine(line.toString('latin1'));
          if (socket !== undefined)
            yield connectionOf(protocol, socket, holders, folder === '/proc/net' ? null : namespace);
        }
        read += 1;
      } catch (error) {
        // A kernel without a protocol has no file for it.
        const code = systemCodeOf(error);
        if (code === undefined) throw error;
        if (code !== 'ENOENT' || !existsSync(folder))
          yield { gap: `Not listed: ${protocol} in network namespace ${namespace} (${path}: ${code}).` };
      }
    }
  }
  if (read === 0)
    throw new CommandFailure('SYSTEM_ERROR', 'The kernel lists no sockets: /proc/net cannot be read.');
  for (const [place, namespace] of boundNamespaces()) {
    if (!tables.has(namespace))
      yield {
        gap: `Not listed: network namespace ${namespace} (${place}), because no process lives in it.`,
      };
  }
}

const connectionOf = (
  protocol: Protocol,
  socket: SocketLine,
  holders: ReadonlyMap<number, readonly Holder[]>,
  namespace: string | null,
): Connection => {
  const isTcp = protocol.startsWith('tcp');
  const isRaw = protocol.startsWith('raw');
  const state = stateOf(socket.stateNumber);
  const hasOtherSide = isTcp ? state !== 'listen' : state === 'established';
  return {
    protocol,
    localAddress: socket.localAddress,
    // What stands in the place of a port is the number of the protocol.
    localPort: isRaw ? null : socket.localPort,
    remoteAddress: hasOtherSide ? socket.remoteAddress : null,
    remotePort: hasOtherSide && !isRaw ? socket.remotePort : null,
    // The kernel says closed of a UDP socket that waits for anybody.
    state: isTcp || state === 'established' ? state : null,
    holders: holders.get(socket.inode) ?? [],
    user: userName(socket.userId),
    inode: socket.inode === 0 ? null : socket.inode,
    namespace,
  };
};

interface Look {
  readonly holders: ReadonlyMap<number, readonly Holder[]>;
  /** One process of each network namespace. */
  readonly namespaces: ReadonlyMap<string, number>;
  readonly unreadable: number;
}

const lookIntoProcesses = (): Look => {
  const holders = new Map<number, Holder[]>();
  const namespaces = new Map<string, number>();
  let unreadable = 0;
  for (const pid of processIds()) {
    const namespace = namespaceOf(pid);
    if (namespace !== undefined && !namespaces.has(namespace)) namespaces.set(namespace, pid);
    let name: Holder['name'] | undefined;
    try {
      for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
        const inode = socketInode(`/proc/${pid}/fd/${descriptor}`);
        if (inode === undefined) continue;
        name ??= textOf(readStat(pid)?.name ?? Buffer.alloc(0));
        const known = holders.get(inode);
        if (known === undefined) holders.set(inode, [{ pid, name }]);
        else if (known.at(-1)?.pid !== pid) known.push({ pid, name });
      }
    } catch (error) {
      const code = systemCodeOf(error);
      if (code === 'EACCES' || code === 'EPERM') unreadable += 1;
      else if (code === undefined) throw error;
    }
  }
  return { holders, namespaces, unreadable };
};

const socketInode = (path: string): number | undefined => {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1];
    return inode === undefined ? undefined : Number(inode);
  } catch {
    // Closed in the meantime.
    return undefined;
  }
};

const namespaceOf = (pid: number | 'self'): string | undefined => {
  try {
    return /^net:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[1];
  } catch {
    return undefined;
  }
};

/** Namespaces that are kept by a mount, by their place: what `ip netns add` makes. */
const boundNamespaces = (): ReadonlyMap<string, string> => {
  const found = new Map<string, string>();
  for (const line of readFileSync('/proc/self/mountinfo', 'latin1').split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '', place = ''] = before.split(' ');
    const namespace = /^net:\[(\d+)\]$/.exec(root)?.[1];
    if (namespace !== undefined && after.startsWith('nsfs ') && isStillThere(place))
      found.set(place, namespace);
  }
  return found;
};

const isStillThere = (place: string): boolean => statSync(place, { throwIfNoEntry: false }) !== undefined;
