import { column, define, detail, flag, parameter } from './define.ts';

const library = define({
  name: 'library',
  summary: 'List the files of the library, or delete one.',
  description: 'The library holds scripts for run and files for putfile. Without a word it lists them.',
  level: 'advanced',
  runsOn: 'server',
  parameters: [
    parameter('action', 'choice', 'list, which is the default, or delete.', {
      required: false,
      choices: ['list', 'delete'],
    }),
    parameter('file', 'text', 'Name of the file to delete.', {
      dependsOn: { parameter: 'action', appliesTo: ['delete'] },
    }),
  ],
  columns: [
    column('name', 'text', 'Name of the file.'),
    column('size', 'bytes', 'Size of the file.'),
    column('description', 'text', 'What it is for.'),
    column('hasParameters', 'boolean', 'Whether a script takes parameters.'),
    detail('parametersDescription', 'text', 'Which parameters.'),
    detail('sha256', 'text', 'SHA-256 in hexadecimal.'),
    column('signature', 'text', 'valid, untrusted, invalid or unsigned.'),
    column('updatedBy', 'text', 'Who sent this content.'),
    column('updatedAt', 'time', 'When it was sent.'),
  ],
  examples: ['library', 'library delete old-script.ps1'],
});

const putfile = define({
  name: 'putfile',
  summary: 'Place a library file on the device.',
  description:
    'The file goes to the working folder of the agent, which only the system account may open. It is gone at the next restart, unless kept.',
  level: 'advanced',
  runsOn: 'device',
  parameters: [parameter('file', 'text', 'Name of a library file.')],
  flags: [
    flag('overwrite', 'Replace a file of the same name.'),
    flag('keep', 'Keep the file over a restart.'),
  ],
  columns: [
    column('name', 'text', 'Name of the file.'),
    column('path', 'text', 'Where it was placed.'),
    column('size', 'bytes', 'Size of the file.'),
    column('sha256', 'text', 'SHA-256, checked on the device.'),
    column('kept', 'boolean', 'Whether it stays over a restart.'),
  ],
  examples: ['putfile handle.exe', 'putfile rules.yar -overwrite -keep'],
});

const run = define({
  name: 'run',
  summary: 'Run a library script on the device.',
  description:
    'PowerShell on Windows, Bash elsewhere. Prints what the script prints. The device checks the hash of the script before it starts, and its signature unless the tenant allows unsigned scripts.',
  level: 'advanced',
  runsOn: 'device',
  parameters: [
    parameter('script', 'text', 'Name of a library script.'),
    parameter('parameters', 'text', 'Arguments of the script, as one value in quotes.', {
      required: false,
      positional: false,
      mayBeEmpty: true,
      forbiddenCharacters: ';&|!$',
    }),
  ],
  timeLimit: 'longCommand',
  examples: ['run triage.ps1', 'run triage.sh -parameters "-depth 2 -out \'/tmp/my out\'" &'],
});

export const libraryCommands = [library, putfile, run];
