import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { onThisSystem } from '../platform/onThisSystem.ts';
import { toolTextNow } from '../platform/tool.ts';

export const defaultStateDirectory = onThisSystem({
  linux: '/var/lib/live-response',
  darwin: '/Library/Application Support/live-response',
  win32: join(process.env['ProgramData'] ?? 'C:\\ProgramData', 'live-response'),
});

/** Makes the folder when it is missing; nobody but the agent's user may look into it. */
export const prepareStateDirectory = (path: string): void => {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (process.platform === 'win32') closeToOthers(path);
    else chmodSync(path, 0o700);
  } catch (error) {
    throw new Error(
      `The state directory ${path} cannot be used: ${(error as Error).message}. Run as root or choose another one with --state.`,
    );
  }
  // Whoever owns the folder can open it again and swap the key, whatever its mode is now.
  const { uid } = statSync(path);
  const own = process.geteuid?.();
  if (own !== undefined && uid !== own) {
    throw new Error(
      `The state directory ${path} belongs to user ${uid}, and the agent runs as user ${own}. Check what is in it, then: chown -R ${own} ${path}`,
    );
  }
};

/** Modes say nothing on Windows: the owner, the system and administrators keep their access, what was inherited goes. */
const closeToOthers = (path: string): void => {
  toolTextNow({
    file: join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32', 'icacls.exe'),
    args: [
      path,
      '/inheritance:r',
      '/grant:r',
      ...['S-1-3-4', 'S-1-5-18', 'S-1-5-32-544'].map((account) => `*${account}:(OI)(CI)F`),
    ],
  });
};

/** Undefined when there is no such file. */
export const readStateFile = (stateDirectory: string, name: string): unknown => {
  const path = join(stateDirectory, name);
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(content);
  } catch {
    throw new Error(
      `${path} is damaged: it is not JSON. Restore it, or remove the state directory and enrol again.`,
    );
  }
};

/** Replaces a file as a whole; it is on disk, under its name, when this returns. */
export const writeStateFile = (stateDirectory: string, name: string, value: unknown): void => {
  const path = join(stateDirectory, name);
  const draft = `${path}.new`;
  const descriptor = openSync(draft, 'w', 0o600);
  try {
    // Unlike a single write, which may write a part of it on a disk that is nearly full.
    writeFileSync(descriptor, `${JSON.stringify(value, null, 2)}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, path);
  // Windows writes names with the file and cannot open a folder.
  if (process.platform === 'win32') return;
  const folder = openSync(stateDirectory, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
};
