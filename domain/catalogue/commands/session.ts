import { column, define, detail, parameter } from './define.ts';

const connect = define({
  name: 'connect',
  summary: 'Show the connection of this session.',
  description:
    'A session connects by itself when it is opened; this shows to what, and what the agent there can do.',
  level: 'basic',
  runsOn: 'server',
  columns: [
    column('sessionId', 'text', 'Id of the session.'),
    column('deviceId', 'text', 'Id of the device.'),
    column('hostName', 'text', 'Name of the device as its agent reported it.'),
    column('platform', 'text', 'windows, macos or linux.'),
    column('agentVersion', 'text', 'Version of the agent.'),
    column('directory', 'text', 'Working directory.'),
    column('connectedAt', 'time', 'When the device answered.'),
    detail('capabilities', 'list', 'Commands that the agent announced.'),
  ],
  examples: ['connect'],
});

const fg = define({
  name: 'fg',
  summary: 'Bring a background command to the foreground.',
  description:
    'Its output shows again and the session waits for its end. Takes the id that jobs shows. Refused while another command runs in the foreground.',
  level: 'basic',
  runsOn: 'server',
  parameters: [parameter('command_id', 'commandId', 'Id of a running command.')],
  columns: [
    column('commandId', 'text', 'Id of the command.'),
    column('line', 'text', 'What was typed.'),
    column('state', 'text', 'State of the command.'),
  ],
  examples: ['fg 0b8f5a3e-6f0c-4f5e-9d57-3d8c2e1a7b10'],
});

const help = define({
  name: 'help',
  summary: 'List the commands, or explain one.',
  description: 'The list has the commands that this device, its agent and your rights allow.',
  level: 'basic',
  runsOn: 'server',
  parameters: [parameter('command', 'commandName', 'Command or alias to explain.', { required: false })],
  columns: [
    column('name', 'text', 'Name of the command.'),
    detail('aliases', 'list', 'Other names for it.'),
    column('summary', 'text', 'What it does.'),
    column('platforms', 'list', 'Where it runs.'),
    column('level', 'text', 'basic or advanced: the right that it takes.'),
  ],
  examples: ['help', 'help getfile'],
});

const jobs = define({
  name: 'jobs',
  summary: 'List the commands that have not ended.',
  description: 'Shows foreground and background commands of this session with their ids.',
  level: 'basic',
  runsOn: 'server',
  columns: [
    column('commandId', 'text', 'Id for fg and status.'),
    detail('name', 'text', 'Name of the command.'),
    column('line', 'text', 'What was typed, its first 200 characters.'),
    column('state', 'text', 'Issued or Started.'),
    column('background', 'boolean', 'Whether it runs in the background.'),
    column('issuedAt', 'time', 'When it was accepted.'),
    column('startedAt', 'time', 'When the device started it.'),
  ],
  examples: ['jobs'],
});

const status = define({
  name: 'status',
  summary: 'Show state and output of a command.',
  description: 'Works for running and for ended commands of this session.',
  level: 'basic',
  runsOn: 'server',
  parameters: [parameter('command_id', 'commandId', 'Id of the command.')],
  columns: [
    column('commandId', 'text', 'Id of the command.'),
    column('line', 'text', 'What was typed.'),
    column('state', 'text', 'Issued, Started, Completed, Failed, Cancelled, TimedOut or Lost.'),
    detail('background', 'boolean', 'Whether it runs, or ran, in the background.'),
    column('issuedAt', 'time', 'When it was accepted.'),
    column('startedAt', 'time', 'When the device started it.'),
    column('endedAt', 'time', 'When it ended.'),
    detail('duration', 'number', 'Seconds, as the device measured them.'),
    column('exitCode', 'integer', 'Exit code of a script.'),
    column('error', 'text', 'Why it failed.'),
    detail('files', 'list', 'Ids of the files that it brought in.'),
    column('outputSize', 'bytes', 'All that the command has printed so far.'),
    detail('output', 'text', 'The first 64 KB of it.'),
  ],
  defaultOutput: 'json',
  examples: ['status 0b8f5a3e-6f0c-4f5e-9d57-3d8c2e1a7b10'],
});

const trace = define({
  name: 'trace',
  summary: "Follow the agent's log in detail.",
  description:
    'Logs in detail and shows the log of the agent as it is written, without secrets, until it is cancelled or trace off is given. End the line with & to run other commands beside it.',
  level: 'basic',
  runsOn: 'device',
  parameters: [
    parameter('state', 'choice', 'on, which is the default, or off.', {
      required: false,
      choices: ['on', 'off'],
    }),
  ],
  timeLimit: 'longCommand',
  columns: [
    column('at', 'time', "When it was written, by the device's clock."),
    column(
      'source',
      'text',
      'Process of the agent that wrote it: service or worker; trace speaks for itself.',
    ),
    column('message', 'text', 'The line.'),
  ],
  examples: ['trace', 'trace &', 'trace off'],
});

export const sessionCommands = [connect, fg, help, jobs, status, trace];
