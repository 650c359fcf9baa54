import * as z from 'zod';
import { hashOf, sizeAndTime } from '../hashOf.ts';
import type { StartupEntry } from '../listed.ts';
import { powershellRows } from './powershell.ts';

const script = `
$shell = New-Object -ComObject WScript.Shell
$places = @(@{ folder = [Environment]::GetFolderPath('CommonStartup'); user = $null })
foreach ($person in Get-CimInstance -ClassName Win32_UserProfile -Filter 'Special = FALSE') {
  $user = $person.SID
  try { $user = ([System.Security.Principal.SecurityIdentifier]$person.SID).Translate([System.Security.Principal.NTAccount]).Value } catch { }
  $places += @{ folder = $person.LocalPath + '\\AppData\\Roaming\\Microsoft\\Windows\\Start Menu\\Programs\\Startup'; user = $user }
}
foreach ($place in $places) {
  if (-not [System.IO.Directory]::Exists($place.folder)) { continue }
  foreach ($file in Get-ChildItem -LiteralPath $place.folder -Force) {
    if ($file.Name -eq 'desktop.ini') { continue }
    $target = $null; $arguments = $null; $owner = $null
    if ($file.Extension -eq '.lnk') {
      $link = $shell.CreateShortcut($file.FullName)
      $target = $link.TargetPath; $arguments = $link.Arguments
    }
    try { $owner = (Get-Acl -LiteralPath $file.FullName).Owner } catch { }
    Row @{ name = $file.Name; path = $file.FullName; user = $place.user; owner = $owner; target = $target; arguments = $arguments }
  }
}
`;

export const startupRow = z.strictObject({
  name: z.string(),
  path: z.string(),
  user: z.string().nullable(),
  owner: z.string().nullable(),
  /** Of a shortcut. */
  target: z.string().nullable(),
  arguments: z.string().nullable(),
});

export const startupEntryOf = async (row: z.infer<typeof startupRow>): Promise<StartupEntry> => {
  const program = row.target === null || row.target === '' ? row.path : row.target;
  return {
    name: row.name,
    path: row.path,
    user: row.user,
    owner: row.owner,
    command: [program, ...(row.arguments ? [row.arguments] : [])].join(' '),
    target: program,
    targetSha256: await hashOf(program),
    sha256: await hashOf(row.path),
    ...sizeAndTime(row.path),
  };
};

/** Files in the startup folders of the machine and of every profile, with what shortcuts lead to. */
export async function* windowsStartup(): AsyncGenerator<StartupEntry> {
  for await (const row of powershellRows(startupRow, script)) yield startupEntryOf(row);
}
