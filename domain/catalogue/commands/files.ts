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
  summary: 'Find files by name on the whole device.',
  description: 'Walks the local file systems, which can take long: consider & at the end.',
  level: 'basic',
  runsOn: 'device',
  parameters: [parameter('name', 'text', 'File name to look for.')],
  timeLimit: 'longCommand',
  columns: [
    column('path', 'text', 'Absolute path.'),
    detail('name', 'text', 'Name of the file.'),
    column('size', 'bytes', 'Size of the content.'),
    column('modifiedAt', 'time', 'Last change of the content.'),
  ],
  examples: ['findfile invoice.exe', 'findfile "annual report.docm" &'],
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
