import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { DeviceKind } from '../../../contracts/device.ts';

/** Reads what `reg query … /v ProductType` says; null when it is not that. */
export const kindOfProductType = (answer: string): DeviceKind | null => {
  const [, type] = /^\s*ProductType\s+REG_SZ\s+(\w+)\s*$/m.exec(answer) ?? [];
  if (type === 'WinNT') return 'workstation';
  return type === 'ServerNT' || type === 'LanmanNT' ? 'server' : null;
};

const regProgram = join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32', 'reg.exe');

/** By the edition of Windows. Null when the registry does not say. */
export const windowsDeviceKind = (): DeviceKind | null => {
  try {
    return kindOfProductType(
      execFileSync(
        regProgram,
        ['query', 'HKLM\\SYSTEM\\CurrentControlSet\\Control\\ProductOptions', '/v', 'ProductType'],
        { encoding: 'utf8', windowsHide: true, timeout: 10_000 },
      ),
    );
  } catch {
    return null;
  }
};
