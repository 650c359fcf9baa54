import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { DeviceKind, KeySet } from '../contracts/device.ts';
import { verifyKeySet, walkKeySets } from '../evidence/commandSignature.ts';
import { deviceKind } from './platform/deviceKind.ts';
import { agentPlatform, hostFacts } from './platform/hostFacts.ts';
import { readAgentSettings, writeAgentSettings } from './settings/agentSettings.ts';
import { trustAuthorities } from './settings/authorities.ts';
import { ensureDeviceKey } from './settings/deviceKey.ts';
import { prepareStateDirectory } from './settings/stateDirectory.ts';
import { Backend } from './transport/backend.ts';
import { agentVersion } from './version.ts';

export interface EnrolOptions {
  readonly server: string;
  readonly token: string;
  readonly state: string;
  readonly name?: string;
  readonly caFile?: string;
  /** What the device is used as; found out unless given. */
  readonly kind?: DeviceKind;
}

/** Makes this device known to a backend. Returns a sentence for whoever ran it. */
export const enrol = async (options: EnrolOptions): Promise<string> => {
  const server = options.server.replace(/\/+$/, '').replace(/\/api$/, '');
  const caFile = options.caFile === undefined ? null : resolve(options.caFile);
  prepareStateDirectory(options.state);
  const known = readAgentSettings(options.state);
  if (known !== undefined && known.server === server) {
    writeAgentSettings(options.state, { ...known, caFile: caFile ?? known.caFile });
    return `This device is enrolled already, as ${known.deviceId}. Nothing was changed.`;
  }
  if (caFile !== null) trustAuthorities(caFile);
  const kind = options.kind ?? deviceKind();
  const { privateKey, publicKey } = ensureDeviceKey(options.state);
  const { isNew, tenantId, deviceId, kid, keySets } = await new Backend(server).enrol(
    {
      token: options.token,
      publicKey,
      name: options.name ?? hostname(),
      platform: agentPlatform,
      ...(kind === null ? {} : { kind }),
      osVersion: hostFacts().osVersion,
      agentVersion,
    },
    privateKey,
  );
  if (known !== undefined && known.deviceId !== deviceId) {
    throw new Error(
      `This state directory belongs to device ${known.deviceId} of another tenant. Enrol with another --state, or remove ${options.state} first.`,
    );
  }
  // A device that trusts a key set already keeps walking from it; a new one pins the newest it is told now.
  const keySetTrusted =
    known === undefined ? await firstTrust(keySets) : await walkKeySets(known.keySetTrusted, keySets);
  writeAgentSettings(options.state, {
    server,
    tenantId,
    deviceId,
    kid,
    caFile: caFile ?? known?.caFile ?? null,
    keySetTrusted,
  });
  return isNew
    ? `Enrolled as ${deviceId}.`
    : `This device was enrolled before, as ${deviceId}: it is the same device.`;
};

const firstTrust = async (keySets: readonly KeySet[]): Promise<KeySet> => {
  const [first] = [...keySets].sort((a, b) => a.version - b.version);
  if (first === undefined) throw new Error('The backend named no keys for commands. Try again later.');
  if (first.version === 1) await verifyKeySet(first, first.keys);
  return walkKeySets(first, keySets);
};
