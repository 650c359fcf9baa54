import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** A living process, as `/proc` shows it. */
export interface LivingProcess {
  readonly pid: number;
  readonly parentPid: number;
  /** Clock ticks after boot: with the pid it names one process for ever. */
  readonly startTime: string;
  readonly commandLine: string;
  readonly environment: readonly string[];
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
};

/** All processes that are more than a zombie and whose environment may be read. */
export const livingProcesses = (): readonly LivingProcess[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name): readonly LivingProcess[] => {
      const stat = read(`/proc/${name}/stat`);
      const commandLine = read(`/proc/${name}/cmdline`);
      const environment = read(`/proc/${name}/environ`);
      if (stat === undefined || commandLine === undefined || environment === undefined) return [];
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] === 'Z' || fields[0] === 'X') return [];
      return [
        {
          pid: Number(name),
          parentPid: Number(fields[1]),
          startTime: fields[19] ?? '',
          commandLine: commandLine.split('\0').join(' ').trim(),
          environment: environment.split('\0'),
        },
      ];
    });

export const descendantsOf = (
  ancestor: number,
  processes: readonly LivingProcess[] = livingProcesses(),
): readonly LivingProcess[] => {
  const found = new Map<number, LivingProcess>();
  for (let grown = true; grown;) {
    grown = false;
    for (const process_ of processes) {
      if (found.has(process_.pid) || process_.pid === ancestor) continue;
      if (process_.parentPid !== ancestor && !found.has(process_.parentPid)) continue;
      found.set(process_.pid, process_);
      grown = true;
    }
  }
  return [...found.values()];
};

const isMarked = (mark: string) => (process_: LivingProcess) =>
  process_.environment.some((variable) => variable.startsWith('PATH=') && variable.includes(mark));

/** The processes that lead a live session of the agent with this service process. */
export const workersOf = (servicePid: number): readonly number[] =>
  livingProcesses()
    .filter(({ parentPid, commandLine }) => parentPid === servicePid && /\bworker$/.test(commandLine))
    .map(({ pid }) => pid);

const describe = ({ pid, parentPid, commandLine }: LivingProcess): string =>
  `process ${pid} (parent ${parentPid}): ${commandLine}`;

/** Processes of the agent that nobody leads any more: neither this test nor a service below it is their ancestor. */
export const orphansOf = (mark: string): readonly string[] => {
  const processes = livingProcesses();
  const led = new Set(descendantsOf(process.pid, processes).map(({ pid }) => pid));
  return processes.filter((process_) => isMarked(mark)(process_) && !led.has(process_.pid)).map(describe);
};

/** All processes of the agent. */
export const markedProcesses = (mark: string): readonly string[] =>
  livingProcesses().filter(isMarked(mark)).map(describe);

/**
 * Processes that carry the mark of the executor of one of these commands. The executor itself may wait for its next command, as
 * long as it is led by a worker.
 */
export const processesOfCommands = (stateDir: string, commandIds: readonly string[]): readonly string[] => {
  const journal = new DatabaseSync(join(stateDir, 'journal.db'), { readOnly: true });
  const find = journal.prepare('SELECT executor FROM commands WHERE commandId = ?');
  const commandOf = new Map<string, string>();
  for (const commandId of commandIds) {
    const executor = find.get(commandId)?.['executor'];
    if (typeof executor !== 'string') continue;
    const { marker } = JSON.parse(executor) as { readonly marker: string };
    commandOf.set(`LIVE_RESPONSE_EXECUTOR=${marker}`, commandId);
  }
  journal.close();
  const processes = livingProcesses();
  const workers = new Set(
    processes.filter(({ commandLine }) => /\bworker$/.test(commandLine)).map(({ pid }) => pid),
  );
  return processes.flatMap((process_) => {
    const marker = process_.environment.find((variable) => commandOf.has(variable));
    const isWaiting = /\bexecutor$/.test(process_.commandLine) && workers.has(process_.parentPid);
    return marker === undefined || isWaiting
      ? []
      : [`${describe(process_)} of command ${commandOf.get(marker)}`];
  });
};

/** The oldest first; what is gone is left out. */
export const byAge = (pids: readonly number[]): readonly number[] =>
  livingProcesses()
    .filter(({ pid }) => pids.includes(pid))
    .toSorted((one, other) => Number(one.startTime) - Number(other.startTime))
    .map(({ pid }) => pid);
