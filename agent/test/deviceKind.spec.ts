import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { linuxDeviceKind } from '../platform/linux/deviceKind.ts';
import { kindOfProductType } from '../platform/windows/deviceKind.ts';
import { temporaryFolders } from './support/temporary.ts';

const folder = temporaryFolders();
let root: string;
beforeEach(async () => {
  root = await folder();
});
const write = async (path: string, content = ''): Promise<void> => {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
};
const chassis = (type: number): Promise<void> => write('sys/class/dmi/id/chassis_type', `${type}\n`);
const signInScreen = async (): Promise<void> => {
  const link = join(root, 'etc/systemd/system/display-manager.service');
  await mkdir(dirname(link), { recursive: true });
  await symlink('/nowhere/gdm.service', link);
};

describe('a device on Linux', () => {
  it.each([17, 23, 28])('is a server in chassis %i, whoever signs in', async (type) => {
    await chassis(type);
    await signInScreen();
    expect(linuxDeviceKind(root)).toBe('server');
  });
  it.each([9, 10, 31])('is a workstation in chassis %i', async (type) => {
    await chassis(type);
    expect(linuxDeviceKind(root)).toBe('workstation');
  });
  it.each([1, 3, null])('is told by its sign-in screen in chassis %s', async (type) => {
    if (type !== null) await chassis(type);
    expect(linuxDeviceKind(root)).toBe('server');
    await signInScreen();
    expect(linuxDeviceKind(root)).toBe('workstation');
  });
  it.each(['.dockerenv', 'run/.containerenv', 'run/systemd/container'])(
    'is a server in a container that left %s, on whatever laptop',
    async (mark) => {
      await chassis(10);
      await write(mark);
      expect(linuxDeviceKind(root)).toBe('server');
    },
  );
});

it.each([
  ['WinNT', 'workstation'],
  ['ServerNT', 'server'],
  ['LanmanNT', 'server'],
  ['Other', null],
])('Windows of product type %s is %s', (type, kind) => {
  expect(
    kindOfProductType(
      `\r\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\ProductOptions\r\n    ProductType    REG_SZ    ${type}\r\n\r\n`,
    ),
  ).toBe(kind);
});
