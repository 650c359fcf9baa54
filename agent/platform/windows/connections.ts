import * as z from 'zod';
import type { ConnectionState } from '../../../domain/catalogue/connectionStates.ts';
import type { Connection } from '../connection.ts';
import { powershellRows } from './powershell.ts';

const script = `
$names = @{}
foreach ($p in Get-CimInstance -ClassName Win32_Process -Property ProcessId, Name) { $names[[int64]$p.ProcessId] = $p.Name }
foreach ($class in 'MSFT_NetTCPConnection', 'MSFT_NetUDPEndpoint') {
  foreach ($c in Get-CimInstance -Namespace root/StandardCimv2 -ClassName $class) {
    $isTcp = $class -eq 'MSFT_NetTCPConnection'
    Row @{
      protocol = $(if ($isTcp) { 'tcp' } else { 'udp' })
      localAddress = $c.LocalAddress
      localPort = [int]$c.LocalPort
      remoteAddress = $(if ($isTcp) { $c.RemoteAddress } else { $null })
      remotePort = $(if ($isTcp) { [int]$c.RemotePort } else { $null })
      state = $(if ($isTcp) { [int]$c.State } else { $null })
      pid = [int64]$c.OwningProcess
      processName = (Text $names[[int64]$c.OwningProcess])
    }
  }
}
`;

const states: Readonly<Record<number, ConnectionState>> = {
  1: 'closed',
  2: 'listen',
  3: 'syn-sent',
  4: 'syn-received',
  5: 'established',
  6: 'fin-wait-1',
  7: 'fin-wait-2',
  8: 'close-wait',
  9: 'closing',
  10: 'last-ack',
  11: 'time-wait',
  // Its control block is about to go: TCP calls that closed.
  12: 'closed',
  100: 'bound',
};

const port = z.int().min(0).max(65_535);

export const connectionRow = z.strictObject({
  protocol: z.enum(['tcp', 'udp']),
  localAddress: z.string(),
  localPort: port,
  remoteAddress: z.string().nullable(),
  remotePort: port.nullable(),
  state: z
    .int()
    .refine((number) => number in states, 'no state of TCP')
    .nullable(),
  pid: z.int(),
  processName: z.string().nullable(),
});

export const connectionOf = (row: z.infer<typeof connectionRow>): Connection => {
  const state = row.state === null ? null : (states[row.state] ?? null);
  const hasOtherSide = row.remoteAddress !== null && state !== 'listen' && state !== 'bound';
  return {
    protocol: row.localAddress.includes(':') ? `${row.protocol}6` : row.protocol,
    localAddress: row.localAddress,
    localPort: row.localPort,
    remoteAddress: hasOtherSide ? row.remoteAddress : null,
    remotePort: hasOtherSide ? row.remotePort : null,
    state,
    // The idle process holds what no process holds any more.
    holders: row.pid === 0 ? [] : [{ pid: row.pid, name: row.processName ?? '' }],
    user: null,
    inode: null,
    namespace: null,
  };
};

/** TCP connections and UDP endpoints with their processes, from the network classes of CIM. */
export async function* windowsConnections(): AsyncGenerator<Connection> {
  for await (const row of powershellRows(connectionRow, script)) yield connectionOf(row);
}
