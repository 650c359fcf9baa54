import { createPrivateKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { Backend } from '../../agent/transport/backend.ts';
import { agentVersion } from '../../agent/version.ts';
import { type DevicePublicKey, keySet, publicKey } from '../../contracts/device.ts';

const simulatedIdentity = z.object({
  server: z.string(),
  tenantId: z.string(),
  deviceId: z.string(),
  kid: z.string(),
  name: z.string(),
  privateKey: publicKey.extend({ d: z.string() }),
  keySet,
});

/** Who a simulated device is; kept in a file, so that the next run is the same fleet again. */
export type SimulatedIdentity = z.infer<typeof simulatedIdentity>;

/** Enrols one more device, the way the agent does. */
export const enrolSimulated = async (
  server: string,
  token: string,
  name: string,
): Promise<SimulatedIdentity> => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const jwk = privateKey.export({ format: 'jwk' }) as JsonWebKey & DevicePublicKey & { readonly d: string };
  const { kty, crv, x, d } = jwk;
  const { tenantId, deviceId, kid, keySets } = await new Backend(server).enrol(
    {
      token,
      publicKey: { kty, crv, x },
      name,
      platform: 'linux',
      kind: 'server',
      osVersion: 'simulated',
      agentVersion,
    },
    privateKey,
  );
  const newest = [...keySets].sort((a, b) => b.version - a.version)[0];
  if (newest === undefined) throw new Error('The backend named no keys for commands.');
  return { server, tenantId, deviceId, kid, name, privateKey: { kty, crv, x, d }, keySet: newest };
};

export const privateKeyOf = ({ privateKey }: SimulatedIdentity) =>
  createPrivateKey({ key: privateKey as JsonWebKey, format: 'jwk' });

/** The identities of a file that belong to this server; none when there is no file. */
export const readIdentities = async (path: string, server: string): Promise<readonly SimulatedIdentity[]> => {
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return z
    .array(simulatedIdentity)
    .parse(JSON.parse(content))
    .filter((identity) => identity.server === server);
};

export const writeIdentities = (path: string, identities: readonly SimulatedIdentity[]): Promise<void> =>
  writeFile(path, JSON.stringify(identities), { mode: 0o600 });
