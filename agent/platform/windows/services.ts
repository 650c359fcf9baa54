import * as z from 'zod';
import type { Driver, Service } from '../listed.ts';
import { powershellRows } from './powershell.ts';

const serviceScript = `
foreach ($s in Get-CimInstance -ClassName Win32_Service) {
  Row @{
    name = $s.Name; displayName = $s.DisplayName; state = $s.State; startMode = $s.StartMode
    delayed = [bool]$s.DelayedAutoStart; pid = [int64]$s.ProcessId; user = $s.StartName; command = $s.PathName
  }
}
`;

const state = z.enum([
  'Stopped',
  'Start Pending',
  'Stop Pending',
  'Running',
  'Continue Pending',
  'Pause Pending',
  'Paused',
  'Unknown',
]);
const startMode = z.enum(['Boot', 'System', 'Auto', 'Manual', 'Disabled', 'Unknown']);

export const serviceRow = z.strictObject({
  name: z.string(),
  displayName: z.string().nullable(),
  state,
  startMode,
  delayed: z.boolean(),
  pid: z.int(),
  user: z.string().nullable(),
  command: z.string().nullable(),
});

const startModeOf = (mode: z.infer<typeof startMode>, delayed: boolean): string =>
  mode === 'Auto' ? (delayed ? 'automatic, delayed' : 'automatic') : mode.toLowerCase();

export const serviceOf = ({ delayed, ...row }: z.infer<typeof serviceRow>): Service => ({
  ...row,
  state: row.state.toLowerCase(),
  startMode: startModeOf(row.startMode, delayed),
  pid: row.pid === 0 ? null : row.pid,
});

export async function* windowsServices(): AsyncGenerator<Service> {
  for await (const row of powershellRows(serviceRow, serviceScript)) yield serviceOf(row);
}

const driverScript = `
foreach ($d in Get-CimInstance -ClassName Win32_SystemDriver) {
  $path = $d.PathName
  if ($path) {
    $path = $path -replace '^\\\\\\?\\?\\\\', ''
    $path = $path -replace '^\\\\SystemRoot\\\\', ($env:SystemRoot + '\\')
    $path = $path -replace '^System32\\\\', ($env:SystemRoot + '\\System32\\')
  }
  $version = $null; $signer = $null; $status = $null; $size = $null
  if ($path -and [System.IO.File]::Exists($path)) {
    $version = [System.Diagnostics.FileVersionInfo]::GetVersionInfo($path).FileVersion
    $size = ([System.IO.FileInfo]$path).Length
    $signature = Get-AuthenticodeSignature -LiteralPath $path
    $status = [string]$signature.Status
    if ($signature.SignerCertificate) { $signer = $signature.SignerCertificate.Subject }
  }
  Row @{
    name = $d.Name; displayName = $d.DisplayName; state = $d.State; startMode = $d.StartMode
    path = $path; version = $version; size = $size; signer = $signer; signature = $status
  }
}
`;

/** Words of SignatureStatus. */
export const signatureStatus = z.enum([
  'Valid',
  'UnknownError',
  'NotSigned',
  'HashMismatch',
  'NotTrusted',
  'NotSupportedFileFormat',
  'Incompatible',
]);

export const driverRow = z.strictObject({
  name: z.string(),
  displayName: z.string().nullable(),
  state,
  startMode,
  path: z.string().nullable(),
  version: z.string().nullable(),
  size: z.int().nullable(),
  signer: z.string().nullable(),
  signature: signatureStatus.nullable(),
});

export const driverOf = ({ signature, ...row }: z.infer<typeof driverRow>): Driver => ({
  ...row,
  state: row.state.toLowerCase(),
  startMode: startModeOf(row.startMode, false),
  signed: signature === null ? null : signature === 'Valid',
});

/** Drivers with the signature of their files; many of Windows are signed by a catalogue, which this looks up. */
export async function* windowsDrivers(): AsyncGenerator<Driver> {
  for await (const row of powershellRows(driverRow, driverScript)) yield driverOf(row);
}
