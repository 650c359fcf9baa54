import type { Connection, ConnectionGap, ConnectionSource } from '../platform/connection.ts';
import { linuxConnections } from '../platform/linux/connections.ts';
import { loadedWhenAsked, onThisSystem, type PerSystem } from '../platform/onThisSystem.ts';
import type { DeviceCommand, Row } from './command.ts';

const sources: PerSystem<ConnectionSource> = {
  linux: linuxConnections,
  darwin: loadedWhenAsked(async () => (await import('../platform/macos/connections.ts')).macosConnections),
  win32: loadedWhenAsked(async () => (await import('../platform/windows/connections.ts')).windowsConnections),
};

/** Lists endpoints with their processes. What cannot be looked at has a row with a note, whatever is asked for. */
export const connections: DeviceCommand = {
  name: 'connections',
  startsProcesses: process.platform !== 'linux',
  async *run({ parameters }) {
    const { status, pid, port } = parameters;
    for await (const found of onThisSystem(sources)()) {
      if ('gap' in found) yield gapRow(found);
      else if (
        (status === undefined || found.state === status) &&
        (pid === undefined || found.holders.some((holder) => holder.pid === Number(pid))) &&
        (port === undefined || found.localPort === Number(port) || found.remotePort === Number(port))
      )
        yield connectionRow(found);
    }
    return {};
  },
};

const connectionRow = ({ holders, ...connection }: Connection): Row => ({
  protocol: connection.protocol,
  localAddress: connection.localAddress,
  localPort: connection.localPort,
  remoteAddress: connection.remoteAddress,
  remotePort: connection.remotePort,
  state: connection.state,
  pids: holders.map(({ pid }) => String(pid)),
  processNames: holders.map(({ name }) => name),
  user: connection.user,
  inode: connection.inode,
  namespace: connection.namespace,
  note: null,
});

const gapRow = ({ gap }: ConnectionGap): Row => ({
  protocol: null,
  localAddress: null,
  localPort: null,
  remoteAddress: null,
  remotePort: null,
  state: null,
  pids: [],
  processNames: [],
  user: null,
  inode: null,
  namespace: null,
  note: gap,
});
