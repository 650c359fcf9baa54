import { readFileSync } from 'node:fs';
import { hostname, networkInterfaces, release } from 'node:os';

export interface HostFacts {
  readonly hostName: string;
  readonly osVersion: string;
}

const readOsName = (): string => {
  for (const path of ['/etc/os-release', '/usr/lib/os-release']) {
    try {
      const name = /^PRETTY_NAME=(?:"([^"]*)"|(.*))$/m.exec(readFileSync(path, 'utf8'));
      if (name !== null) return name[1] ?? name[2] ?? 'Linux';
    } catch {
      // The other place, or just the kernel.
    }
  }
  return 'Linux';
};

export const hostFacts = (): HostFacts => ({
  hostName: hostname(),
  osVersion: `${readOsName()}, kernel ${release()}`.slice(0, 255),
});

/** Addresses of this device that others may see, at most 50. */
export const hostAddresses = (): string[] =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => address)
    .slice(0, 50);
