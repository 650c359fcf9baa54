import { setTimeout as pause } from 'node:timers/promises';
import { containers } from '../../../local/cloud.ts';
import { storeControl, type StoreFault } from '../../../local/cosmos/storeControl.ts';
import { faultControl } from '../../../local/service-bus/faultControl.ts';
import type { FaultRequest } from '../../../local/service-bus/faults.ts';
import type { FaultCloud } from '../faultCloud.ts';
import { byAge } from '../faultProcesses.ts';

export type SharedPart = 'host' | 'cosmos' | 'serviceBus';

/** Sends a signal to a process that may be gone by now. */
export const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

/** Stops a process for a while. */
export const standStill = async (pid: number, forMs: number): Promise<void> => {
  signal(pid, 'SIGSTOP');
  try {
    await pause(forMs);
  } finally {
    signal(pid, 'SIGCONT');
  }
};

/**
 * Breaks what all schedules share. They do so side by side: what concerns one part happens in turn, and nobody ends the faults
 * of another.
 */
export class SharedFaults {
  readonly #fault: FaultCloud;
  readonly #turns = new Map<SharedPart, Promise<unknown>>();

  constructor(fault: FaultCloud) {
    this.#fault = fault;
  }

  #inTurn<Value>(part: SharedPart, work: () => Promise<Value>): Promise<Value> {
    const turn = (this.#turns.get(part) ?? Promise.resolve()).then(work, work);
    this.#turns.set(part, turn);
    return turn;
  }

  /** Resolves when the part is back. */
  kill(part: SharedPart, downMs: number): Promise<void> {
    const { cloud } = this.#fault;
    return this.#inTurn(part, async () => {
      cloud.parts[part].kill('SIGKILL');
      await pause(downMs);
      await cloud.restart(part);
    });
  }

  standStill(part: Exclude<SharedPart, 'host'>, forMs: number): Promise<void> {
    return this.#inTurn(part, () => standStill(this.#fault.cloud.parts[part].pid, forMs));
  }

  /** The elder app process: the other one may not have loaded the app yet. */
  withApp(strike: (pid: number) => Promise<void> | void): Promise<void> {
    return this.#inTurn('host', async () => {
      const [elder] = byAge((await this.#fault.hostStatus()).appProcesses);
      if (elder !== undefined) await strike(elder);
    });
  }

  /** Adds faults of the broker to those that are on. */
  addToBroker(faults: readonly FaultRequest[]): Promise<void> {
    return this.#changeBroker((left) => [...left, ...faults]);
  }

  /** Ends those faults of the broker. */
  withdrawFromBroker(which: (fault: FaultRequest) => boolean): Promise<void> {
    return this.#changeBroker((left) => left.filter((fault) => !which(fault)));
  }

  #changeBroker(change: (left: readonly FaultRequest[]) => readonly FaultRequest[]): Promise<void> {
    const { hosts, rule } = this.#fault.cloud.serviceBus;
    return this.#inTurn('serviceBus', async () => {
      for (const host of hosts) {
        const control = faultControl(host, rule);
        const left = (await control.list()).filter(({ times }) => times !== 0);
        await control.set(change(left.map(({ met: _, ...fault }) => fault)));
      }
    });
  }

  /** Adds faults of the store to those that are on. */
  addToStore(faults: readonly StoreFault[]): Promise<void> {
    return this.#inTurn('cosmos', async () => {
      const control = storeControl(this.#fault.cloud.cosmos);
      const left = (await control.list()).filter(({ over }) => !over);
      await control.set([
        ...left.map(({ met, over: _, ...fault }) => ({ ...fault, times: (fault.times ?? 1) - met })),
        ...faults,
      ]);
    });
  }

  splitStore(): Promise<void> {
    return this.#inTurn('cosmos', async () => {
      const control = storeControl(this.#fault.cloud.cosmos);
      for (const { id } of containers) await control.split('live-response', id);
    });
  }

  /** Resolves when every part is there and meets no faults any more. */
  async heal(): Promise<void> {
    await this.#changeBroker(() => []);
    await this.#inTurn('cosmos', () => storeControl(this.#fault.cloud.cosmos).set([]));
    await Promise.all(this.#turns.values());
  }
}
