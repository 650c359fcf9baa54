import { column, define, detail, flag, parameter } from './define.ts';

const fileinfo = define({
  name: 'fileinfo',
  summary: 'Show attributes and hashes of a file.',
  description:
    'Reads the whole file to hash it, up to 30 GB by default. remediate asks for it first, unless told -auto.',
  level: 'basic',
  runsOn: 'device',
  parameters: [parameter('path', 'path', 'File to look at.')],
  columns: [
    column('path', 'text', 'Absolute path.'),
    column('kind', 'text', 'file, directory, link, fifo, socket, device or other.'),
    column('size', 'bytes', 'Size of the content.'),
    detail('mode', 'text', 'Permissions as the system shows them.'),
    column('owner', 'text', 'Owning account.'),
    detail('group', 'text', 'Owning group.'),
    detail('links', 'integer', 'Number of names that the file has.'),
    detail('createdAt', 'time', 'Creation, where the file system keeps it.'),
    column('modifiedAt', 'time', 'Last change of the content.'),
    detail('accessedAt', 'time', 'Last access, where the file system keeps it.'),
    detail('changedAt', 'time', 'Last change of content or attributes.'),
    detail('md5', 'text', 'MD5 in hexadecimal, for old indicators only.'),
    detail('sha1', 'text', 'SHA-1 in hexadecimal, for old indicators only.'),
    column('sha256', 'text', 'SHA-256 in hexadecimal.'),
  ],
  defaultOutput: 'json',
  examples: ['fileinfo C:\\Windows\\System32\\cmd.exe', 'fileinfo /bin/sh'],
});

const findfile = define({
  name: 'findfile',
  summary: 'Find files by name on the whole device or below a directory.',
  description:
    'In a name * stands for any characters and ? for one. Finds files, directories and links, and follows no link. Virtual and network file systems are not searched unless you name a directory there; each directory that is not searched is listed with the reason. Can take long: consider & at the end.',
  level: 'basic',
  runsOn: 'device',
  parameters: [
    parameter('name', 'text', 'Name to look for, without a directory; * and ? are wildcards.'),
    parameter('path', 'path', 'Directory to search with all below it; without it the whole device.', {
      required: false,
    }),
  ],
  flags: [flag('ignore_case', 'Capital and small letters are the same.')],
  timeLimit: 'longCommand',
  columns: [
    column('path', 'text', 'Absolute path.'),
    detail('name', 'text', 'Name of the entry; empty for a directory that was not searched.'),
    column('kind', 'text', 'file, directory, link, fifo, socket, device or other.'),
    column('size', 'bytes', 'Size of the content.'),
    column('modifiedAt', 'time', 'Last change of the content.'),
    column('note', 'text', 'Why the directory was not searched, or why nothing is known about the entry.'),
  ],
  examples: ['findfile invoice.exe', 'findfile *.docm /home -ignore_case', 'findfile "annual report.*" &'],
});

const getfile = define({
  name: 'getfile',
  aliases: ['get', 'download'],
  summary: 'Collect a file from the device.',
  description:
    'The file is uploaded to the evidence store and recorded with its hash, up to 3 GB by default. Regular files only, empty ones too.',
  level: 'basic',
  runsOn: 'device',
  parameters: [parameter('path', 'path', 'File to collect.')],
  flags: [flag('auto', 'Taken for compatibility: nothing has to run before.')],
  timeLimit: 'longCommand',
  columns: [
    column('path', 'text', 'Absolute path on the device.'),
    column('size', 'bytes', 'Bytes collected.'),
    column('sha256', 'text', 'SHA-256 of what was collected.'),
    column('fileId', 'text', 'Id to download it by.'),
  ],
  examples: ['getfile C:\\Users\\anna\\Downloads\\invoice.exe', 'getfile "/tmp/my file" -auto &'],
});

export const fileCommands = [fileinfo, findfile, getfile];
