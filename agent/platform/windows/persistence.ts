import * as z from 'zod';
import { hashOf } from '../hashOf.ts';
import type { PersistenceEntry } from '../listed.ts';
import { powershellRows } from './powershell.ts';
import { windowsServices } from './services.ts';
import { windowsStartup } from './startup.ts';
import { windowsTasks } from './tasks.ts';

/** Values that Windows executes, or loads, by themselves: key below the machine or a user, and a value or all of them. */
const script = `
$machine = @(
  @('run key', 'SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run', $null),
  @('run key', 'SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\RunOnce', $null),
  @('run key', 'SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\RunServices', $null),
  @('run key', 'SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\Explorer\\Run', $null),
  @('run key', 'SOFTWARE\\WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Run', $null),
  @('run key', 'SOFTWARE\\WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\RunOnce', $null),
  @('sign-in', 'SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon', @('Shell', 'Userinit', 'Taskman', 'AppSetup')),
  @('DLL of every program', 'SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Windows', @('AppInit_DLLs', 'Load', 'Run')),
  @('DLL of every program', 'SOFTWARE\\WOW6432Node\\Microsoft\\Windows NT\\CurrentVersion\\Windows', @('AppInit_DLLs')),
  @('DLL of every program', 'SYSTEM\\CurrentControlSet\\Control\\Session Manager\\AppCertDlls', $null),
  @('boot', 'SYSTEM\\CurrentControlSet\\Control\\Session Manager', @('BootExecute', 'SetupExecute', 'Execute', 'S0InitialCommand')),
  @('security package', 'SYSTEM\\CurrentControlSet\\Control\\Lsa', @('Security Packages', 'Authentication Packages', 'Notification Packages')),
  @('security package', 'SYSTEM\\CurrentControlSet\\Control\\Lsa\\OSConfig', @('Security Packages')),
  @('network helper', 'SOFTWARE\\Microsoft\\NetSh', $null),
  @('command processor', 'SOFTWARE\\Microsoft\\Command Processor', @('AutoRun')),
  @('terminal services', 'SYSTEM\\CurrentControlSet\\Control\\Terminal Server\\Wds\\rdpwd', @('StartupPrograms'))
)
$user = @(
  @('run key', 'SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run', $null),
  @('run key', 'SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\RunOnce', $null),
  @('run key', 'SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\Explorer\\Run', $null),
  @('sign-in', 'SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon', @('Shell')),
  @('sign-in', 'SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Windows', @('Load', 'Run')),
  @('sign-in', 'Environment', @('UserInitMprLogonScript')),
  @('screen saver', 'Control Panel\\Desktop', @('SCRNSAVE.EXE')),
  @('command processor', 'SOFTWARE\\Microsoft\\Command Processor', @('AutoRun'))
)
$perSubkey = @(
  @('debugger', 'SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options', @('Debugger', 'VerifierDlls')),
  @('debugger', 'SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\SilentProcessExit', @('MonitorProcess')),
  @('active setup', 'SOFTWARE\\Microsoft\\Active Setup\\Installed Components', @('StubPath')),
  @('print monitor', 'SYSTEM\\CurrentControlSet\\Control\\Print\\Monitors', @('Driver')),
  @('time provider', 'SYSTEM\\CurrentControlSet\\Services\\W32Time\\TimeProviders', @('DllName'))
)
$view = [Microsoft.Win32.RegistryView]$(if ([Environment]::Is64BitOperatingSystem) { 'Registry64' } else { 'Registry32' })
function Show-Key($base, $hive, $path, $method, $wanted, $account) {
  try { $key = $base.OpenSubKey($path) }
  catch [System.Security.SecurityException] { Row @{ method = $method; name = $null; location = "$hive\\$path"; command = $null; user = $account; note = 'May not be read by the agent.' }; return }
  if ($null -eq $key) { return }
  foreach ($name in $key.GetValueNames()) {
    if ($null -ne $wanted -and $wanted -notcontains $name) { continue }
    $value = (@($key.GetValue($name)) -join ' ')
    if ($value.Trim() -eq '') { continue }
    Row @{ method = $method; name = $name; location = "$hive\\$path"; command = $value; user = $account; note = $null }
  }
}
$local = [Microsoft.Win32.RegistryKey]::OpenBaseKey('LocalMachine', $view)
foreach ($p in $machine) { Show-Key $local 'HKEY_LOCAL_MACHINE' $p[1] $p[0] $p[2] $null }
foreach ($p in $perSubkey) {
  $above = $local.OpenSubKey($p[1])
  if ($null -eq $above) { continue }
  foreach ($below in $above.GetSubKeyNames()) { Show-Key $local 'HKEY_LOCAL_MACHINE' ($p[1] + '\\' + $below) $p[0] $p[2] $null }
}
$users = [Microsoft.Win32.RegistryKey]::OpenBaseKey('Users', $view)
foreach ($sid in $users.GetSubKeyNames()) {
  if ($sid -like '*_Classes') { continue }
  $account = $sid
  try { $account = ([System.Security.Principal.SecurityIdentifier]$sid).Translate([System.Security.Principal.NTAccount]).Value } catch { }
  foreach ($p in $user) { Show-Key $users 'HKEY_USERS' ($sid + '\\' + $p[1]) $p[0] $p[2] $account }
}
foreach ($class in 'CommandLineEventConsumer', 'ActiveScriptEventConsumer') {
  foreach ($c in Get-CimInstance -Namespace root/subscription -ClassName $class) {
    $command = $(if ($class -eq 'CommandLineEventConsumer') { [string]$c.ExecutablePath + ' ' + [string]$c.CommandLineTemplate } else { [string]$c.ScriptFileName + ' ' + [string]$c.ScriptText })
    Row @{ method = 'WMI consumer'; name = $c.Name; location = 'root/subscription:' + $class; command = $command.Trim(); user = 'SYSTEM'; note = $null }
  }
}
`;

export const registryPersistenceRow = z.strictObject({
  method: z.string(),
  name: z.string().nullable(),
  location: z.string(),
  command: z.string().nullable(),
  user: z.string().nullable(),
  note: z.string().nullable(),
});

/** The program at the beginning of a command line: in quotes, or up to its extension. */
export const programOf = (command: string | null): string | null => {
  if (command === null) return null;
  const path =
    /^\s*"([^"]+)"/.exec(command)?.[1] ??
    /^\s*(.*?\.(?:exe|dll|sys|com|bat|cmd|ps1|vbs|js|scr))(?=[\s,]|$)/i.exec(command)?.[1];
  if (path === undefined) return null;
  const expanded = path.replace(/%([^%]+)%/g, (whole, name: string) => process.env[name] ?? whole);
  return /^[A-Za-z]:\\/.test(expanded) ? expanded : null;
};

/** Every place of Windows that this agent knows to start programs by itself. */
export async function* windowsPersistence(): AsyncGenerator<PersistenceEntry> {
  const hashes = new Map<string, Promise<string | null>>();
  const hashed = async (command: PersistenceEntry['command']): Promise<string | null> => {
    const program = typeof command === 'string' ? programOf(command) : null;
    if (program === null) return null;
    const known = hashes.get(program.toLowerCase()) ?? hashOf(program);
    hashes.set(program.toLowerCase(), known);
    return known;
  };
  for await (const row of powershellRows(registryPersistenceRow, script))
    yield { ...row, enabled: row.note === null ? true : null, sha256: await hashed(row.command) };
  for await (const { name, command, user, startMode } of windowsServices()) {
    if (startMode !== 'disabled' && startMode !== 'manual')
      yield {
        method: 'service',
        name: name ?? null,
        location: `HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\${name}`,
        command: command ?? null,
        user: user ?? null,
        enabled: true,
        sha256: await hashed(command ?? null),
      };
  }
  for await (const { name, command, user, enabled, path } of windowsTasks(null))
    yield {
      method: 'scheduled task',
      name: name ?? null,
      location: path ?? null,
      command: command ?? null,
      user: user ?? null,
      enabled: enabled ?? null,
      sha256: await hashed(command ?? null),
    };
  for await (const { name, path, command, user, targetSha256 } of windowsStartup())
    yield {
      method: 'startup folder',
      name: name ?? null,
      location: path ?? null,
      command: command ?? null,
      user: user ?? null,
      enabled: true,
      sha256: targetSha256 ?? null,
    };
}
