import { cd } from './cd.ts';
import { connections } from './connections.ts';
import type { DeviceCommand } from './command.ts';
import { dir } from './dir.ts';
import { fileinfo } from './fileinfo.ts';
import { findfile } from './findfile.ts';
import { getfile } from './getfile.ts';
import { processes } from './processes.ts';
import { trace } from './trace.ts';

const commands: readonly DeviceCommand[] = [
  cd,
  connections,
  dir,
  fileinfo,
  findfile,
  getfile,
  processes,
  trace,
];

/** What this agent can do: announced when a session opens. */
export const capabilities: readonly string[] = commands.map(({ name }) => name);

export const commandNamed = (name: string): DeviceCommand | undefined =>
  commands.find((command) => command.name === name);
