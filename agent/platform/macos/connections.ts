import type { ConnectionState } from '../../../domain/catalogue/connectionStates.ts';
import { CommandFailure } from '../../commands/commandFailure.ts';
import type { Connection, ConnectionGap, Holder } from '../connection.ts';
import { type Tool, toolRecords, unknownOutput } from '../tool.ts';

const file = '/usr/sbin/lsof';

/** Fields of one set a line, each ended by NUL: pid, command, user, descriptor, type, device, protocol, name, TCP state. */
export const lsofTool: Tool = {
  file,
  args: ['-nP', '-w', '-i', '-FpcLftdPTn0', '-Ts'],
  // It ends with 1 when anything asked for was not found, which is also so when nothing uses the network.
  successCodes: [0, 1],
};

const states: Readonly<Record<string, ConnectionState>> = {
  LISTEN: 'listen',
  ESTABLISHED: 'established',
  SYN_SENT: 'syn-sent',
  SYN_RCVD: 'syn-received',
  SYN_RECV: 'syn-received',
  SYN_RECEIVED: 'syn-received',
  FIN_WAIT_1: 'fin-wait-1',
  FIN_WAIT1: 'fin-wait-1',
  FIN_WAIT_2: 'fin-wait-2',
  FIN_WAIT2: 'fin-wait-2',
  CLOSE_WAIT: 'close-wait',
  CLOSING: 'closing',
  LAST_ACK: 'last-ack',
  TIME_WAIT: 'time-wait',
  CLOSED: 'closed',
  CLOSE: 'closed',
};

type Fields = ReadonlyMap<string, string>;

/** Endpoints from the lines of lsof; one that several processes hold is told once for each. */
export async function* parseLsof(
  lines: Iterable<Buffer> | AsyncIterable<Buffer>,
): AsyncGenerator<Connection> {
  let holder: Holder | undefined;
  let user: string | null = null;
  for await (const line of lines) {
    const fields = fieldsOf(line.toString('utf8'));
    const pid = fields.get('p');
    if (pid !== undefined) {
      if (!/^\d+$/.test(pid)) throw unknownOutput(file, `process ${pid}`);
      holder = { pid: Number(pid), name: fields.get('c') ?? '' };
      user = fields.get('L') ?? null;
      continue;
    }
    if (holder === undefined || !fields.has('f')) throw unknownOutput(file, line.toString('utf8'));
    const connection = connectionOf(fields, holder, user);
    if (connection !== undefined) yield connection;
  }
}

const fieldsOf = (line: string): Fields => {
  const fields = new Map<string, string>();
  for (const field of line.split('\0')) {
    if (field === '') continue;
    // Several fields begin with T; the letters after it tell which.
    const key = field.startsWith('T') ? field.slice(0, 3) : field.slice(0, 1);
    fields.set(key, field.startsWith('T') ? field.slice(4) : field.slice(1));
  }
  return fields;
};

const connectionOf = (fields: Fields, holder: Holder, user: string | null): Connection | undefined => {
  const type = fields.get('t');
  if (type !== 'IPv4' && type !== 'IPv6') throw unknownOutput(file, `a socket of type ${type}`);
  const protocol = `${(fields.get('P') ?? '').toLowerCase()}${type === 'IPv6' ? '6' : ''}`;
  const name = fields.get('n');
  // A socket that is neither bound nor connected has no name or only stars.
  if (name === undefined || name === '*:*') return undefined;
  const [local = '', remote] = name.split('->');
  const [localAddress, localPort] = endpointOf(local, type);
  const [remoteAddress, remotePort] = remote === undefined ? [null, null] : endpointOf(remote, type);
  const said = fields.get('TST');
  const state = said === undefined || said === '' ? undefined : states[said];
  if (said !== undefined && said !== '' && state === undefined) throw unknownOutput(file, `state ${said}`);
  return {
    protocol,
    localAddress,
    localPort,
    remoteAddress,
    remotePort,
    state: state ?? (remote === undefined ? null : 'established'),
    holders: [holder],
    user,
    // An address in the kernel on macOS, a number only elsewhere.
    inode: null,
    namespace: null,
  };
};

const endpointOf = (text: string, type: 'IPv4' | 'IPv6'): readonly [string, number | null] => {
  const [, host, port] = /^(.*):(\d+|\*)$/.exec(text) ?? [];
  if (host === undefined || port === undefined) throw unknownOutput(file, `an endpoint ${text}`);
  const everywhere = type === 'IPv4' ? '0.0.0.0' : '::';
  return [host === '*' ? everywhere : host.replace(/^\[(.*)\]$/, '$1'), port === '*' ? null : Number(port)];
};

/** Endpoints with their processes, from lsof; only root sees those of other users. */
export async function* macosConnections(): AsyncGenerator<Connection | ConnectionGap> {
  if (process.geteuid?.() !== 0) {
    yield {
      gap: 'Sockets of other users are not listed: the agent may not look into their processes. Run it as root.',
    };
  }
  let lines = 0;
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const line of toolRecords(lsofTool)) {
      lines += 1;
      yield line;
    }
  };
  yield* parseLsof(counted());
  // The agent itself is connected when it runs this.
  if (lines === 0) throw new CommandFailure('TOOL_FAILED', `${file} listed nothing at all. Try again.`);
}
