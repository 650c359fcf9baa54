import { hostname, networkInterfaces, release, version } from 'node:os';
import type { platforms } from '../../contracts/device.ts';
import { linuxVersion } from './linux/hostFacts.ts';
import { macosVersion } from './macos/hostFacts.ts';
import { onThisSystem } from './onThisSystem.ts';

type Platform = (typeof platforms)[number];

/** What the backend calls this system. */
export const agentPlatform: Platform = onThisSystem<Platform>({
  linux: 'linux',
  darwin: 'macos',
  win32: 'windows',
});

export interface HostFacts {
  readonly hostName: string;
  readonly osVersion: string;
}

export const hostFacts = (): HostFacts => ({
  hostName: hostname(),
  osVersion: onThisSystem({
    linux: linuxVersion,
    darwin: () => macosVersion(),
    win32: () => `${version()}, ${release()}`,
  })().slice(0, 255),
});

/** Addresses of this device that others may see, at most 50. */
export const hostAddresses = (): string[] =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => address)
    .slice(0, 50);
