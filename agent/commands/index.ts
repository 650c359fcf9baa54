import { cd } from './cd.ts';
import { connections } from './connections.ts';
import type { DeviceCommand } from './command.ts';
import { dir } from './dir.ts';
import { drivers } from './drivers.ts';
import { fileinfo } from './fileinfo.ts';
import { findfile } from './findfile.ts';
import { getfile } from './getfile.ts';
import { persistence } from './persistence.ts';
import { processes } from './processes.ts';
import { putfile } from './putfile.ts';
import { registry } from './registry.ts';
import { run } from './run.ts';
import { scheduledtasks } from './scheduledtasks.ts';
import { services } from './services.ts';
import { startupfolders } from './startupfolders.ts';
import { trace } from './trace.ts';

const commands: readonly DeviceCommand[] = [
  cd,
  connections,
  dir,
  drivers,
  fileinfo,
  findfile,
  getfile,
  persistence,
  processes,
  putfile,
  registry,
  run,
  scheduledtasks,
  services,
  startupfolders,
  trace,
];

/** What this agent can do on a system: announced when a session opens. */
export const capabilitiesOn = (system: NodeJS.Platform): readonly string[] =>
  commands.filter(({ systems }) => systems?.includes(system) ?? true).map(({ name }) => name);

export const capabilities: readonly string[] = capabilitiesOn(process.platform);

export const commandNamed = (name: string): DeviceCommand | undefined =>
  commands.find((command) => command.name === name);
