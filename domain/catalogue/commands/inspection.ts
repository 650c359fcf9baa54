import type { CommandDefinition } from '../definition.ts';
import { connectionStates } from '../connectionStates.ts';
import { column, define, detail, parameter } from './define.ts';

const connections = define({
  name: 'connections',
  summary: 'List network connections and listening ports.',
  description:
    'Shows TCP, UDP and raw endpoints with the processes that hold each; on Linux those of every network namespace that a process lives in. What could not be looked at has a row with a note. Filters together must all match.',
  level: 'basic',
  runsOn: 'device',
  defenderPlatforms: ['windows'],
  parameters: [
    parameter('status', 'choice', 'Only connections in this state.', {
      required: false,
      positional: false,
      choices: connectionStates,
    }),
    parameter('pid', 'integer', 'Only what this process holds.', { required: false, positional: false }),
    parameter('port', 'integer', 'Only with this port, local or remote.', {
      required: false,
      positional: false,
    }),
  ],
  columns: [
    column('protocol', 'text', 'tcp, tcp6, udp, udp6, raw and the like; 6 also for a mapped IPv4 address.'),
    column('localAddress', 'text', 'Local address.'),
    column('localPort', 'integer', 'Local port.'),
    column('remoteAddress', 'text', 'Remote address; empty for a listening port.'),
    column('remotePort', 'integer', 'Remote port.'),
    column('state', 'text', 'State of a TCP connection; established for UDP with a fixed other side.'),
    column('pids', 'list', 'Processes that hold it; none when it is closing or belongs to the kernel.'),
    column('processNames', 'list', 'Names of these processes.'),
    detail('user', 'text', 'Account that owns the socket.'),
    detail('inode', 'integer', 'Number of the socket.'),
    detail('namespace', 'text', "Network namespace, where it is another one than the agent's."),
    column('note', 'text', 'What could not be looked at.'),
  ],
  examples: ['connections', 'connections json', 'connections -status listen', 'connections -port 443'],
});

const drivers = define({
  name: 'drivers',
  summary: 'List drivers and kernel modules.',
  description: 'Shows installed drivers on Windows, kernel and system extensions on macOS, modules on Linux.',
  level: 'basic',
  runsOn: 'device',
  defenderPlatforms: ['windows'],
  columns: [
    column('name', 'text', 'Name of the driver.'),
    detail('displayName', 'text', 'Name for people.'),
    column('state', 'text', 'Whether it is loaded.'),
    column('startMode', 'text', 'When it is loaded.'),
    column('version', 'text', 'Version, where it carries one.'),
    column('signer', 'text', 'Who signed it, as its signature says.'),
    column('signed', 'boolean', 'Whether the signature verifies; empty where that was not tried.'),
    column('path', 'text', 'File it comes from.'),
    detail('size', 'bytes', 'Size in memory or of the file.'),
    column('note', 'text', 'What could not be looked at.'),
  ],
  examples: ['drivers'],
});

const persistence = define({
  name: 'persistence',
  summary: 'List everything that starts by itself.',
  description:
    'One view of the known places from which programs survive a restart: services, scheduled tasks, startup folders and what else the platform has.',
  level: 'basic',
  runsOn: 'device',
  defenderPlatforms: ['windows'],
  columns: [
    column('method', 'text', 'Kind of place.'),
    column('name', 'text', 'Name of the entry.'),
    column('location', 'text', 'Where the entry is kept.'),
    column('command', 'text', 'What it starts.'),
    column('user', 'text', 'Account under which it starts.'),
    column('enabled', 'boolean', 'Whether it takes effect; empty where the place cannot tell.'),
    detail('target', 'text', 'File that is run or loaded in the end.'),
    column('sha256', 'text', 'SHA-256 of the target, up to 512 MB.'),
    column('note', 'text', 'What could not be looked at.'),
  ],
  examples: ['persistence', 'persistence -output json > persistence.json'],
});

const processes = define({
  name: 'processes',
  aliases: ['process'],
  summary: 'List running processes.',
  description: 'Without a filter it lists all of them; both filters together must both match.',
  level: 'basic',
  runsOn: 'device',
  parameters: [
    parameter('pid', 'integer', 'Only the process with this id.', { required: false }),
    parameter('name', 'text', 'Only processes with this image name.', { required: false, positional: false }),
  ],
  columns: [
    column('pid', 'integer', 'Process id.'),
    column('parentPid', 'integer', 'Process id of the parent.'),
    column('name', 'text', 'Image name.'),
    detail('path', 'text', 'Absolute path of the image.'),
    detail('pathDeleted', 'boolean', 'Whether the image file is gone from the disk.'),
    column('commandLine', 'list', 'Arguments exactly as the process got them.'),
    column('user', 'text', 'Account it runs under.'),
    column('startedAt', 'time', 'When it started.'),
    detail('cpuSeconds', 'number', 'Processor time used, in seconds.'),
    column('memoryBytes', 'bytes', 'Resident memory.'),
    detail('threads', 'integer', 'Number of threads.'),
    detail('state', 'text', 'State as the system names it.'),
  ],
  examples: ['processes', 'processes 4711', 'processes -name powershell.exe'],
});

const registry = define({
  name: 'registry',
  summary: 'Show values of a registry key.',
  description:
    'Single backslashes separate keys. Two backslashes before the last part name one value instead of a key.',
  level: 'basic',
  runsOn: 'device',
  platforms: ['windows'],
  defenderPlatforms: ['windows'],
  parameters: [parameter('path', 'text', 'Key, or key and value, beginning with the full name of the hive.')],
  columns: [
    column('key', 'text', 'Full path of the key.'),
    column('kind', 'text', 'value, or key for a key below it.'),
    column('name', 'text', 'Name of the value; empty for the default value.'),
    column('valueType', 'text', 'Registry type, such as REG_SZ.'),
    column('value', 'text', 'The value; binary ones in hexadecimal.'),
  ],
  examples: [
    'registry HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run',
    'registry HKEY_CURRENT_USER\\Console\\\\FaceName',
  ],
});

const scheduledtasks = define({
  name: 'scheduledtasks',
  summary: 'List scheduled tasks.',
  description: 'Shows Task Scheduler on Windows, launchd jobs on macOS, cron jobs and timers on Linux.',
  level: 'basic',
  runsOn: 'device',
  defenderPlatforms: ['windows'],
  parameters: [
    parameter('name', 'text', 'Only this task, with its folder where it has one.', { required: false }),
  ],
  columns: [
    column('name', 'text', 'Name of the task, with its folder.'),
    column('kind', 'text', 'Who keeps it: timer, cron, anacron, at and the like.'),
    column('enabled', 'boolean', 'Whether it takes effect.'),
    detail('state', 'text', 'State as the system names it.'),
    column('schedule', 'text', 'When it runs.'),
    column('lastRunAt', 'time', 'When it last ran.'),
    column('nextRunAt', 'time', 'When it runs next.'),
    column('user', 'text', 'Account it runs under.'),
    column('command', 'text', 'What it starts.'),
    detail('input', 'text', 'What the command is given to read.'),
    detail('environment', 'list', 'Variables that the task sets, each as NAME=value.'),
    detail('path', 'text', 'File that defines it.'),
    column('note', 'text', 'What could not be looked at.'),
  ],
  examples: ['scheduledtasks', 'scheduledtasks "Microsoft\\Windows\\Chkdsk\\ProactiveScan"'],
});

const services = define({
  name: 'services',
  summary: 'List services.',
  description: 'Shows services on Windows, launchd daemons on macOS, systemd units on Linux.',
  level: 'basic',
  runsOn: 'device',
  defenderPlatforms: ['windows'],
  columns: [
    column('name', 'text', 'Name of the service.'),
    column('displayName', 'text', 'Name for people.'),
    column('state', 'text', 'Whether it runs.'),
    column('startMode', 'text', 'When it starts.'),
    column('pid', 'integer', 'Its process, while it runs.'),
    column('user', 'text', 'Account it runs under.'),
    detail('command', 'text', 'What it starts.'),
    detail('path', 'text', 'The program in that.'),
    detail('manager', 'text', 'Who runs it, such as systemd.'),
    column('note', 'text', 'What could not be looked at.'),
  ],
  examples: ['services'],
});

const startupfolders = define({
  name: 'startupfolders',
  summary: 'List files in startup folders.',
  description: 'Shows what starts when a user signs in: startup folders, login items, autostart entries.',
  level: 'basic',
  runsOn: 'device',
  defenderPlatforms: ['windows'],
  columns: [
    column('name', 'text', 'Name of the file.'),
    column('path', 'text', 'Absolute path.'),
    column('user', 'text', 'Account it starts for; empty for all.'),
    column('enabled', 'boolean', 'Whether it takes effect.'),
    column('command', 'text', 'What it starts.'),
    detail('target', 'text', 'The program in that, as a file.'),
    detail('targetSha256', 'text', 'SHA-256 of the program, up to 512 MB.'),
    column('owner', 'text', 'Owning account of the file.'),
    detail('sha256', 'text', 'SHA-256 of the file.'),
    detail('size', 'bytes', 'Size of the file.'),
    column('modifiedAt', 'time', 'Last change of the file.'),
    column('note', 'text', 'What could not be looked at.'),
  ],
  examples: ['startupfolders'],
});

export const inspectionCommands: readonly CommandDefinition[] = [
  connections,
  drivers,
  persistence,
  processes,
  registry,
  scheduledtasks,
  services,
  startupfolders,
];
