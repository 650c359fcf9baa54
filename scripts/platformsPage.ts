import { capabilitiesOn } from '../agent/commands/index.ts';
import { catalogue, checkedCommands, type PlatformRun, samplesOnlyOn } from '../domain/catalogue/index.ts';

const systems = [
  ['windows', 'Windows', 'win32'],
  ['macos', 'macOS', 'darwin'],
  ['linux', 'Linux', 'linux'],
] as const;

/** docs/platforms.md, from the catalogue and the recorded runs: it cannot say more than what was run. */
export const platformsPage = (runs: readonly PlatformRun[]): string =>
  [
    '# Platforms',
    '',
    'This page is made by `npm run platform-check`; change `scripts/platformsPage.ts`, not the page.',
    '',
    'The agent has code for three systems. What was only tested with samples of what the tools of a system print is called **samples only**, here and in `help`, until a run on such a system is recorded.',
    '',
    '## Commands',
    '',
    '✓: Microsoft Defender for Endpoint has the command there; ours: this project adds it; —: it does not exist there.',
    '',
    `| command | ${systems.map(([, name]) => name).join(' | ')} |`,
    `| --- | ${systems.map(() => '---').join(' | ')} |`,
    ...commandLines(runs),
    '',
    'Every other command of the catalogue works in the same way on every system that its `help` names.',
    '',
    '## Recorded runs',
    '',
    ...(runs.length === 0 ? ['None.'] : runs.flatMap(runLines)),
    ...proseLines,
  ].join('\n');

const commandLines = (runs: readonly PlatformRun[]): readonly string[] =>
  catalogue
    .filter(({ name }) => (checkedCommands as readonly string[]).includes(name))
    .map((definition) => {
      const samples = samplesOnlyOn(definition, runs);
      const cells = systems.map(([platform, , system]) => {
        if (!definition.platforms.includes(platform)) return '—';
        const whose = definition.defenderPlatforms.includes(platform) ? '✓' : 'ours';
        if (!capabilitiesOn(system).includes(definition.name)) return `${whose}, no code yet`;
        return `${whose}, ${samples.includes(platform) ? 'samples only' : 'proven'}`;
      });
      return `| \`${definition.name}\` | ${cells.join(' | ')} |`;
    });

const runLines = ({ platform, osVersion, agentVersion, date, results }: PlatformRun): readonly string[] => {
  const name = systems.find(([known]) => known === platform)?.[1] ?? platform;
  const failed = Object.entries(results).filter(([, result]) => result !== 'passed');
  const passed = Object.keys(results).filter((check) => results[check] === 'passed');
  return [
    `**${name}**: ${osVersion}, agent ${agentVersion}, ${date}. Passed: ${passed.join(', ')}.${
      failed.length === 0
        ? ''
        : ` Failed: ${failed.map(([check, result]) => `${check} (${result})`).join(', ')}.`
    }`,
    '',
  ];
};

const proseLines = [
  '',
  '## Record a run',
  '',
  'On a machine with the system, as administrator or root, with Node.js 24:',
  '',
  '```',
  'npm ci',
  'npm run platform-check',
  '```',
  '',
  'It plants a few files in the temporary folder, runs every command of the system, checks what must be true (the own process is in `processes`, the own listening socket in `connections`, a planted file in `dir`, `findfile` and with its hashes in `fileinfo`, …), ends a process with what it started, and takes away what it planted. It writes `domain/catalogue/platformRuns.json` and this page: names of checks, codes of failures, versions and the day, nothing that names the machine. Send both as a change. A check that fails is recorded as failed, and its command stays samples only.',
  '',
  '## macOS and Windows',
  '',
  'The agent runs the tools of the system by absolute path, without a shell, with arguments as data, in a fixed locale and a bounded time. A tool that fails, or prints what the agent does not know, is a failed command (`TOOL_MISSING`, `TOOL_FAILED`, `TOOL_TIMED_OUT`, `TOOL_OUTPUT_UNKNOWN`), never an empty list. On Windows the scripts for PowerShell are fixed; values reach them as JSON in their environment; each prints rows of JSON in ASCII and at the end their number.',
  '',
  'Not proven on any machine so far, and known limits by design:',
  '',
  '- **Windows, end of a command.** There are no process groups, and a process may not read the environment of another one. What a command started is found by descent only (`Win32_Process`); a process whose parent between it and the executor has ended is not found. A job object would close this; Node.js has no way to make one. Each look starts PowerShell, which takes about half a second.',
  '- **macOS, end of a command.** Descent and process group work as on Linux. The marker in the environment is read with `ps -E`, which System Integrity Protection hides for programs of Apple: a daemon made of these that left group and parent is not found.',
  '- **Windows, state directory.** Access is restricted with `icacls`; a folder cannot be synced to the disk.',
  '- `agent install` knows systemd only.',
  '- **macOS, arguments.** `ps` prints arguments joined by blanks, so `processes` shows one text for them.',
  '',
];
