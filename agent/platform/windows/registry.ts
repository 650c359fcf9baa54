import * as z from 'zod';
import { CommandFailure } from '../../commands/commandFailure.ts';
import { powershellRows } from './powershell.ts';

const hives: Readonly<Record<string, string>> = {
  HKEY_LOCAL_MACHINE: 'LocalMachine',
  HKLM: 'LocalMachine',
  HKEY_CURRENT_USER: 'CurrentUser',
  HKCU: 'CurrentUser',
  HKEY_CLASSES_ROOT: 'ClassesRoot',
  HKCR: 'ClassesRoot',
  HKEY_USERS: 'Users',
  HKU: 'Users',
  HKEY_CURRENT_CONFIG: 'CurrentConfig',
  HKCC: 'CurrentConfig',
};

const fullNames: Readonly<Record<string, string>> = {
  LocalMachine: 'HKEY_LOCAL_MACHINE',
  CurrentUser: 'HKEY_CURRENT_USER',
  ClassesRoot: 'HKEY_CLASSES_ROOT',
  Users: 'HKEY_USERS',
  CurrentConfig: 'HKEY_CURRENT_CONFIG',
};

export interface RegistryPlace {
  readonly hive: string;
  /** Below the hive; empty for the hive itself. */
  readonly key: string;
  /** Null for the key with all its values; empty for the default value. */
  readonly value: string | null;
  /** The key with the full name of its hive. */
  readonly path: string;
}

/** Single backslashes part keys; two before the last part say that it is a value, whose name may itself hold backslashes. */
export const registryPlaceOf = (text: string): RegistryPlace => {
  const at = text.indexOf('\\\\');
  const keyPath = (at === -1 ? text : text.slice(0, at)).replace(/\\$/, '');
  const value = at === -1 ? null : text.slice(at + 2);
  const [first = '', ...keys] = keyPath.split('\\');
  const hive = hives[first.replace(/:$/, '').toUpperCase()];
  if (hive === undefined) {
    throw new CommandFailure(
      'REGISTRY_HIVE_UNKNOWN',
      `${first} is no hive. A key begins with one of ${Object.values(fullNames).join(', ')}.`,
    );
  }
  const key = keys.join('\\');
  return { hive, key, value, path: [fullNames[hive], ...keys].join('\\') };
};

const script = `
$hive = [Microsoft.Win32.RegistryHive]([string]$values.hive)
$view = $(if ([Environment]::Is64BitOperatingSystem) { 'Registry64' } else { 'Registry32' })
$base = [Microsoft.Win32.RegistryKey]::OpenBaseKey($hive, [Microsoft.Win32.RegistryView]$view)
try { $key = $(if ($values.key -eq '') { $base } else { $base.OpenSubKey($values.key) }) }
catch [System.Security.SecurityException] { Fail 'ACCESS_DENIED' ($values.path + ' may not be read by the agent.') }
if ($null -eq $key) { Fail 'REGISTRY_KEY_NOT_FOUND' ($values.path + ' does not exist. Two backslashes before the last part name a value.') }
$names = @($key.GetValueNames())
if ($null -ne $values.value) {
  $names = @($names | Where-Object { $_ -eq $values.value })
  if ($names.Count -eq 0) { Fail 'REGISTRY_VALUE_NOT_FOUND' ($values.path + ' has no value ' + $values.value + '.') }
} else {
  foreach ($name in $key.GetSubKeyNames()) { Row @{ kind = 'key'; name = $name; valueType = $null; value = $null } }
}
foreach ($name in $names) {
  $type = [string]$key.GetValueKind($name)
  $value = $key.GetValue($name, $null, [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
  if ($value -is [byte[]]) { $value = [BitConverter]::ToString($value).Replace('-', '').ToLowerInvariant() }
  elseif ($value -is [int]) { $value = ([BitConverter]::ToUInt32([BitConverter]::GetBytes($value), 0)).ToString($culture) }
  elseif ($value -is [long]) { $value = ([BitConverter]::ToUInt64([BitConverter]::GetBytes($value), 0)).ToString($culture) }
  elseif ($value -is [string[]]) { $value = @($value) }
  Row @{ kind = 'value'; name = $name; valueType = $type; value = $value }
}
`;

/** Names that .NET gives to the types, and those of the registry itself. */
const types: Readonly<Record<string, string>> = {
  String: 'REG_SZ',
  ExpandString: 'REG_EXPAND_SZ',
  Binary: 'REG_BINARY',
  DWord: 'REG_DWORD',
  MultiString: 'REG_MULTI_SZ',
  QWord: 'REG_QWORD',
  None: 'REG_NONE',
  // A number that .NET has no name for, as malware uses and some drivers do.
  Unknown: 'unknown',
};

export const registryRow = z.strictObject({
  kind: z.enum(['key', 'value']),
  name: z.string(),
  valueType: z
    .string()
    .refine((type) => type in types, 'no type of the registry')
    .nullable(),
  value: z.union([z.string(), z.array(z.string())]).nullable(),
});

export const registryEntryOf = (
  { kind, name, valueType, value }: z.infer<typeof registryRow>,
  key: string,
) => ({
  key,
  kind,
  name,
  valueType: valueType === null ? null : (types[valueType] ?? null),
  value: Array.isArray(value) ? value.join('\n') : value,
});

export async function* windowsRegistry(path: string) {
  const place = registryPlaceOf(path);
  for await (const row of powershellRows(registryRow, script, { ...place }))
    yield registryEntryOf(row, place.path);
}
