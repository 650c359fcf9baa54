import type { Shown } from '../commands/text.ts';

/** What the lists of every system are made of, under the names of the catalogue's columns; `note` says what could not be read. */
type Facts<Shape> = Readonly<Partial<{ [Key in keyof Shape]: Shape[Key] | null }>>;

export type Service = Facts<{
  name: Shown;
  displayName: Shown;
  state: string;
  startMode: string;
  pid: number;
  user: Shown;
  command: Shown;
  /** The program in the command. */
  path: Shown;
  /** Who runs it, such as `systemd`. */
  manager: string;
  note: string;
}>;

export type Driver = Facts<{
  name: Shown;
  displayName: Shown;
  state: string;
  startMode: string;
  version: Shown;
  signer: Shown;
  /** Whether its signature verifies. */
  signed: boolean;
  path: Shown;
  size: number;
  note: string;
}>;

export type ScheduledTask = Facts<{
  name: Shown;
  /** Who keeps it: `timer`, `cron`, `at`, … */
  kind: string;
  enabled: boolean;
  state: string;
  schedule: Shown;
  lastRunAt: string;
  nextRunAt: string;
  user: Shown;
  command: Shown;
  /** What the command is given to read. */
  input: Shown;
  /** `NAME=value`, as far as the task sets them. */
  environment: readonly Shown[];
  path: Shown;
  note: string;
}>;

export type StartupEntry = Facts<{
  name: Shown;
  path: Shown;
  /** For whom it starts; null for everybody. */
  user: Shown;
  enabled: boolean;
  command: Shown;
  /** The program in the command. */
  target: Shown;
  targetSha256: string;
  /** Of the file, as are the following. */
  owner: string;
  sha256: string;
  size: number;
  modifiedAt: string;
  note: string;
}>;

export type PersistenceEntry = Facts<{
  /** Kind of place. */
  method: string;
  name: Shown;
  /** File, key or other place that holds it. */
  location: Shown;
  command: Shown;
  /** Under whom it starts; null when that depends on who comes. */
  user: Shown;
  /** Null where the place cannot tell. */
  enabled: boolean;
  /** The file that is run or loaded in the end. */
  target: Shown;
  /** Of the target. */
  sha256: string;
  note: string;
}>;
