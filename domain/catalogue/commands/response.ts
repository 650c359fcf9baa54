import type { CommandDefinition } from '../definition.ts';
import { column, define, detail, flag, parameter } from './define.ts';

const analyze = define({
  name: 'analyze',
  summary: 'Have a file or a process judged.',
  description: 'Hands the file, or the image of the process, to the analysis engine and shows its verdict.',
  level: 'advanced',
  runsOn: 'device',
  defenderPlatforms: ['windows'],
  parameters: [
    parameter('type', 'choice', 'file or process.', { choices: ['file', 'process'] }),
    parameter('id', 'text', 'Path of the file, or id of the process.', {
      dependsOn: { parameter: 'type', appliesTo: ['file', 'process'], integerFor: ['process'] },
    }),
  ],
  columns: [
    column('type', 'text', 'file or process.'),
    column('id', 'text', 'Path or process id.'),
    column('verdict', 'text', 'malicious, suspicious or clean.'),
    detail('sha256', 'text', 'SHA-256 of what was judged.'),
    detail('engine', 'text', 'Which engine judged.'),
    detail('details', 'list', 'What the verdict rests on.'),
  ],
  defaultOutput: 'json',
  examples: ['analyze file C:\\Users\\anna\\Downloads\\invoice.exe', 'analyze process 4711'],
});

const collect = define({
  name: 'collect',
  summary: 'Collect a forensics package.',
  description:
    'Gathers processes, connections, autostarts, accounts and logs into one archive and collects it.',
  level: 'advanced',
  runsOn: 'device',
  defenderPlatforms: ['macos', 'linux'],
  parameters: [
    parameter('output_folder', 'path', 'Folder on the device that keeps a copy of the package.', {
      required: false,
      positional: false,
    }),
  ],
  columns: [
    column('path', 'text', 'Package on the device; empty when no copy is kept.'),
    column('size', 'bytes', 'Size of the package.'),
    column('sha256', 'text', 'SHA-256 of the package.'),
    column('fileId', 'text', 'Id to download it by.'),
  ],
  examples: ['collect', 'collect -output_folder /var/tmp/case-12 &'],
});

const isolation = [
  column('isolated', 'boolean', 'Whether the device is isolated now.'),
  column('since', 'time', 'Since when.'),
];

const isolate = define({
  name: 'isolate',
  summary: 'Cut the device off the network.',
  description: 'Only the channel of the agent stays open, so this session goes on.',
  level: 'advanced',
  runsOn: 'device',
  defenderPlatforms: ['macos'],
  columns: isolation,
  examples: ['isolate'],
});

const release = define({
  name: 'release',
  summary: 'Undo the isolation of the device.',
  description: 'Restores the network as it was before isolate.',
  level: 'advanced',
  runsOn: 'device',
  defenderPlatforms: ['macos'],
  columns: isolation,
  examples: ['release'],
});

const remediable = ['file', 'process', 'service', 'registry', 'scheduledtask', 'startupfolder'];

const remediate = define({
  name: 'remediate',
  summary: 'Remove a file, process, service or autostart entry.',
  description:
    'A process or service is stopped and its image file removed; everything else is removed. Needs a look at the thing first (fileinfo for a file), unless told -auto. list shows what was remediated on this device.',
  level: 'advanced',
  runsOn: 'device',
  parameters: [
    parameter('type', 'choice', 'What to remove, or list.', {
      choices: [...remediable, 'list'],
      choicesOn: { registry: ['windows'] },
    }),
    parameter('id', 'text', 'Path, process id, name of the service or task, or registry path.', {
      dependsOn: { parameter: 'type', appliesTo: remediable, integerFor: ['process'] },
    }),
  ],
  flags: [flag('auto', 'Run the command that has to come first.')],
  columns: [
    column('type', 'text', 'Kind of thing.'),
    column('id', 'text', 'Which one.'),
    column('action', 'text', 'What was done.'),
    column('state', 'text', 'How it ended.'),
    column('undoable', 'boolean', 'Whether undo can restore it.'),
    column('remediatedAt', 'time', 'When.'),
    detail('error', 'text', 'Why it failed.'),
  ],
  examples: [
    'remediate file C:\\Users\\anna\\Downloads\\invoice.exe',
    'remediate -type file -id /tmp/x -auto',
    'remediate process 4711',
    'remediate list',
  ],
});

const scan = define({
  name: 'scan',
  summary: 'Run a quick antivirus scan.',
  description: 'Uses the antivirus that the device has.',
  level: 'advanced',
  runsOn: 'device',
  defenderPlatforms: ['macos', 'linux'],
  columns: [
    column('scanner', 'text', 'Which antivirus scanned.'),
    column('state', 'text', 'How the scan ended.'),
    column('scanned', 'integer', 'Number of files looked at.'),
    column('threats', 'integer', 'Number of findings.'),
    detail('findings', 'list', 'Path and name of each finding.'),
  ],
  examples: ['scan', 'scan &'],
});

const undo = define({
  name: 'undo',
  summary: 'Restore what remediate removed.',
  description: 'Puts a file, registry entry or scheduled task back from quarantine.',
  level: 'advanced',
  runsOn: 'device',
  defenderPlatforms: ['windows'],
  parameters: [
    parameter('type', 'choice', 'What to restore.', {
      choices: ['file', 'registry', 'scheduledtask'],
      choicesOn: { registry: ['windows'] },
    }),
    parameter('id', 'text', 'Path or name it had.'),
  ],
  columns: [
    column('type', 'text', 'Kind of thing.'),
    column('id', 'text', 'Which one.'),
    column('state', 'text', 'How it ended.'),
    column('restoredAt', 'time', 'When.'),
    detail('error', 'text', 'Why it failed.'),
  ],
  examples: ['undo file C:\\Users\\anna\\Downloads\\invoice.exe', 'undo scheduledtask Updater'],
});

export const responseCommands: readonly CommandDefinition[] = [
  analyze,
  collect,
  isolate,
  release,
  remediate,
  scan,
  undo,
];
