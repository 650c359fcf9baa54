/** A task of the replay machine: settled once, calls back synchronously, which keeps ids equal on both sides. */
export class PendingTask {
  done = false;
  failed = false;
  /** JSON text of the result, where the machine itself needs it. */
  result: string | null = null;
  #callbacks: (() => void)[] = [];

  settle(failed = false, result: string | null = null): void {
    if (this.done) return;
    this.done = true;
    this.failed = failed;
    this.result = result;
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) callback();
  }
  then(callback: () => void): void {
    if (this.done) callback();
    else this.#callbacks.push(callback);
  }
  static settled(failed = false): PendingTask {
    const task = new PendingTask();
    task.settle(failed);
    return task;
  }
}
