import { ownerNotFound } from '../errors.ts';
import type { Database } from './database.ts';

/** Something whose last sequence number is kept in memory and stored with each commit. */
export interface Sequenced {
  readonly n: number;
  lsn: number;
  /** Set when it was deleted: writes that were queued behind the deletion must not bring items back. */
  isGone?: boolean;
}

export interface WriteQueue {
  /**
   * Runs `work` inside a transaction and resolves once it is on disk. When it throws, nothing of it stays and the error
   * is passed on. `work` must be synchronous.
   */
  run<T>(work: () => T): Promise<T>;
  /** The number of the next transaction of a container. To be called inside `work` only. */
  nextLsn(container: Sequenced): number;
  /** Resolves when everything queued so far is on disk. */
  idle(): Promise<void>;
}

interface Task {
  readonly work: () => unknown;
  readonly settle: (outcome: Outcome) => void;
}

type Outcome = { readonly value: unknown } | { readonly error: unknown };

const maxTasksPerCommit = 200;

/**
 * Commits in groups: all writes that arrive while the event loop is busy share one fsync, which costs more than the
 * writes themselves. Each has its own savepoint, so one that fails takes no other with it.
 */
export function createWriteQueue(database: Database): WriteQueue {
  let waiting: Task[] = [];
  let scheduled = false;
  const touched = new Map<Sequenced, number>();
  const storeLsn = database.prepare('UPDATE containers SET lsn = ? WHERE n = ?');
  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const rollback = database.prepare('ROLLBACK');
  const savepoint = database.prepare('SAVEPOINT task');
  const undo = database.prepare('ROLLBACK TO task');
  const release = database.prepare('RELEASE task');

  const attempt = (task: Task): Outcome => {
    savepoint.run();
    try {
      return { value: task.work() };
    } catch (error) {
      undo.run();
      return { error };
    } finally {
      release.run();
    }
  };

  const commitGroup = (tasks: readonly Task[]): Outcome[] => {
    begin.run();
    try {
      const outcomes = tasks.map(attempt);
      for (const container of touched.keys()) storeLsn.run(container.lsn, container.n);
      commit.run();
      return outcomes;
    } catch (error) {
      rollback.run();
      for (const [container, lsn] of touched) container.lsn = lsn;
      throw error;
    } finally {
      touched.clear();
    }
  };

  const drain = () => {
    scheduled = false;
    const tasks = waiting.slice(0, maxTasksPerCommit);
    waiting = waiting.slice(maxTasksPerCommit);
    if (waiting.length > 0) schedule();
    let outcomes: Outcome[];
    try {
      outcomes = commitGroup(tasks);
    } catch (error) {
      outcomes = tasks.map(() => ({ error }));
    }
    tasks.forEach((task, index) => {
      task.settle(outcomes[index] ?? { error: new Error('The write was not reached.') });
    });
  };

  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(drain);
  };

  const run = <T>(work: () => T): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const settle = (outcome: Outcome) =>
        'error' in outcome ? reject(outcome.error) : resolve(outcome.value as T);
      waiting.push({ work, settle });
      schedule();
    });

  return {
    run,
    nextLsn(container) {
      if (container.isGone === true) throw ownerNotFound('The container');
      if (!touched.has(container)) touched.set(container, container.lsn);
      container.lsn += 1;
      return container.lsn;
    },
    idle: () => run(() => undefined),
  };
}
