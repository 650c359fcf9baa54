import { readFileSync } from 'node:fs';
import { release } from 'node:os';

const osName = (): string => {
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

export const linuxVersion = (): string => `${osName()}, kernel ${release()}`;
