import { column, define, detail, flag, parameter } from './define.ts';

const cd = define({
  name: 'cd',
  summary: 'Change the working directory of the session.',
  description:
    'Later commands resolve relative paths against the new directory. A session starts in C:\\ on Windows and in / elsewhere.',
  level: 'basic',
  runsOn: 'device',
  parameters: [parameter('path', 'path', 'Directory to change to, absolute or relative.')],
  columns: [column('directory', 'text', 'Working directory after the command, absolute.')],
  examples: ['cd "C:\\Program Files\\"', 'cd /var/log', 'cd ..'],
  // Two directory changes at once would leave the order of the paths that follow to chance.
  backgroundable: false,
  changesDirectory: true,
});

const dir = define({
  name: 'dir',
  aliases: ['ls'],
  summary: 'List the entries of a directory.',
  description:
    'Lists files and directories without following links. An entry that cannot be read is listed with the error.',
  level: 'basic',
  runsOn: 'device',
  parameters: [
    parameter('path', 'path', 'Directory or file; without it the working directory.', { required: false }),
  ],
  flags: [
    flag('full_path', 'Show the absolute path of each entry.', 'relative_path'),
    flag('relative_path', 'Show names only, which is the default.', 'full_path'),
  ],
  columns: [
    column('name', 'text', 'Name of the entry.'),
    column('kind', 'text', 'file, directory, link, fifo, socket, device or other.'),
    column('size', 'bytes', 'Size of the content.'),
    column('mode', 'text', 'Permissions as the system shows them.'),
    column('owner', 'text', 'Owning account.'),
    detail('group', 'text', 'Owning group.'),
    column('modifiedAt', 'time', 'Last change of the content.'),
    detail('accessedAt', 'time', 'Last access, where the file system keeps it.'),
    detail('changedAt', 'time', 'Last change of content or attributes.'),
    detail('linkTarget', 'text', 'Where a link points, as stored in it.'),
    detail('path', 'text', 'Absolute path.', 'full_path'),
    column('error', 'text', 'Why the entry could not be read.'),
  ],
  examples: ['dir', 'dir C:\\Windows\\Temp -full_path', 'ls /etc -output json'],
});

const cls = define({
  name: 'cls',
  summary: 'Clear the screen.',
  description: 'Clears what the client shows. The record of the session stays as it is.',
  level: 'basic',
  runsOn: 'client',
  examples: ['cls'],
});

export const navigationCommands = [cd, cls, dir];
