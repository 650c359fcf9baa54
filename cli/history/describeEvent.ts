import type { Envelope } from '../../sdk/index.ts';
import { cellOf } from '../output/cells.ts';
import { shownDuration, shownSize } from '../terminal/units.ts';

type Facts = Readonly<Record<string, unknown>>;

/** What an event says, in one line that is safe to show. An event this version does not know is shown by its members. */
export const describeEvent = ({ type, data }: Envelope): string => {
  const describe = descriptions[type];
  return describe === undefined ? otherFacts(data) : describe(data);
};

const cell = cellOf;
const size = (value: unknown): string => (typeof value === 'number' ? shownSize(value) : cell(value));
const duration = (value: unknown): string => (typeof value === 'number' ? shownDuration(value) : cell(value));

const ended = (facts: Facts): string => {
  const { exitCode, error, directory } = facts;
  const { code, message } = (error ?? {}) as Facts;
  return [
    about(facts),
    exitCode === null || exitCode === undefined ? '' : `exit code ${cell(exitCode)}`,
    error ? `${cell(code)}: ${cell(message)}` : '',
    `after ${duration(facts.duration)}`,
    directory ? `now in ${cell(directory)}` : '',
  ]
    .filter((part) => part !== '')
    .join(', ');
};
/** Enough of the command's id to find it again. */
const about = ({ commandId }: Facts): string => `command ${cell(commandId).slice(0, 8)}`;

const brings = (libraryFile: unknown): string => {
  if (libraryFile === undefined) return '';
  const file = libraryFile as Facts;
  return `, with ${cell(file.name)}, ${size(file.size)}, SHA-256 ${cell(file.sha256).slice(0, 12)}…`;
};

const descriptions: Readonly<Record<string, (facts: Facts) => string>> = {
  SessionRequested: ({ deviceId, reason, platform }) =>
    `on ${cell(platform)} device ${cell(deviceId)}, because: ${cell(reason)}`,
  SessionConnected: ({ hostName, osVersion, agentVersion, directory, resumed }) =>
    `${cell(hostName)}, ${cell(osVersion)}, agent ${cell(agentVersion)}, in ${cell(directory)}${resumed === true ? ', taken up again' : ''}`,
  SessionRefused: ({ code, message }) => `${cell(code)}: ${cell(message)}`,
  SessionUnanswered: ({ waited }) => `no answer for ${duration(waited)}`,
  SessionAbandoned: ({ reason }) => cell(reason),
  CommandIssued: (facts) =>
    `${about(facts)}: ${cell(facts.line)}${facts.background === true ? ' (background)' : ''}${brings(facts.libraryFile)}`,
  CommandStarted: (facts) => `${about(facts)}, by the device's clock at ${cell(facts.deviceTime)}`,
  CommandOutputRecorded: (facts) =>
    `${about(facts)}, part ${cell(facts.part)} of ${cell(facts.stream)}, ${size(facts.size)}, SHA-256 ${cell(facts.sha256).slice(0, 12)}…`,
  CommandSentToBackground: about,
  CommandBroughtToForeground: about,
  CommandCancelRequested: (facts) => `${about(facts)}, because: ${cell(facts.reason)}`,
  CommandCancelReached: about,
  CommandCompleted: ended,
  CommandFailed: ended,
  CommandCancelled: ended,
  CommandTimedOut: ended,
  CommandLost: (facts) => `${about(facts)}, ${cell(facts.reason)}: ${cell(facts.message)}`,
  LateResultRecorded: (facts) => `${about(facts)}, ${cell(facts.kind)} ${cell(facts.state)}`,
  TraceChanged: (facts) => `${about(facts)}, detailed logging ${facts.tracing === true ? 'on' : 'off'}`,
  FileCollected: (facts) =>
    `${about(facts)}: ${cell(facts.path)} as ${cell(facts.fileId)}, ${size(facts.size)}, SHA-256 ${cell(facts.sha256).slice(0, 12)}…`,
  FilePlaced: (facts) =>
    `${about(facts)}: ${cell(facts.name)} in ${cell(facts.path)}, ${size(facts.size)}, SHA-256 ${cell(facts.sha256).slice(0, 12)}…${facts.kept === true ? ', kept' : ''}`,
  SequenceGapRecorded: ({ from, to }) => `device messages ${cell(from)} to ${cell(to)} are missing`,
  SequenceReused: ({ reusedSequence }) =>
    `two different device messages carry number ${cell(reusedSequence)}`,
  SessionDisconnected: () => '',
  SessionExpired: ({ idle }) => `idle for ${duration(idle)}`,
  SessionLost: ({ reason, silent }) => `${cell(reason)}, silent for ${duration(silent)}`,
};

const otherFacts = (facts: Facts): string =>
  Object.entries(facts)
    .filter(([name]) => name !== 'device')
    .map(([name, value]) => `${cell(name)}: ${cell(value)}`)
    .join(', ');
