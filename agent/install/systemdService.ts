import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { prepareStateDirectory } from '../settings/stateDirectory.ts';
import { systemdUnit, unitName } from './systemdUnit.ts';

export interface InstallOptions {
  readonly state: string;
  /** Folder that stands for `/`, for images: files are written below it and nothing is started. */
  readonly root?: string;
}

/** Makes the agent a service that the system starts and restarts. Again without harm. Returns a sentence for whoever ran it. */
export const installService = ({ state, root }: InstallOptions): string => {
  requireSystemd(root);
  const [, entry] = process.argv;
  if (entry === undefined) throw new Error('This program must be started from a file.');
  const unit = systemdUnit({
    node: realpathSync(process.execPath),
    agent: realpathSync(entry),
    state: resolve(state),
  });
  const file = unitFile(root);
  prepareStateDirectory(join(root ?? '/', resolve(state)));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, unit, { mode: 0o644 });
  if (root !== undefined) return `${file} is written. Nothing was started, because of --root.`;
  systemctl('daemon-reload');
  systemctl('enable', '--quiet', unitName);
  systemctl('restart', unitName);
  return `${unitName} is installed and started. Look at it with: systemctl status ${unitName}`;
};

/** Takes the service away and leaves the state directory: a device that is installed again is the same device. */
export const uninstallService = ({ state, root }: InstallOptions): string => {
  requireSystemd(root);
  const file = unitFile(root);
  if (!existsSync(file)) return 'The service is not installed. Nothing was changed.';
  if (root === undefined) systemctl('disable', '--now', '--quiet', unitName);
  rmSync(file);
  if (root === undefined) systemctl('daemon-reload');
  return `${unitName} is removed. The device's key and journal stay in ${state}; retire the device before you remove them.`;
};

const unitFile = (root: string | undefined): string => join(root ?? '/', 'etc/systemd/system', unitName);

const requireSystemd = (root: string | undefined): void => {
  if (process.platform !== 'linux') {
    throw new Error(
      `The agent makes itself a service of systemd only, and this is ${process.platform}. Start 'run' with the means of this system.`,
    );
  }
  if (root !== undefined) return;
  if (!existsSync('/run/systemd/system')) {
    throw new Error(
      "systemd does not run here. Start 'run' with the means of this system, or write the unit into an image with --root.",
    );
  }
  if (process.geteuid?.() !== 0) throw new Error('Only root can change services. Run this again as root.');
};

const systemctl = (...words: string[]): void => {
  try {
    execFileSync('systemctl', words, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  } catch (error) {
    throw new Error(
      `systemctl ${words.join(' ')} failed: ${(error as Error).message.trim()}. See: journalctl -u ${unitName}`,
    );
  }
};
