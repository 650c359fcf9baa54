import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createAuthority } from '../../certificates/authority.ts';
import { type IdentityConfig, type RunningIdentity, startIdentity } from '../server.ts';

export const identityHeader = 'header-of-this-test';

/** An issuer on free ports whose certificate this process trusts. */
export async function startedIdentity(
  options: Partial<IdentityConfig> = {},
): Promise<RunningIdentity & { readonly dataDir: string }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'identity-'));
  const authority = await createAuthority(join(dataDir, 'certificates'));
  setDefaultCACertificates([...getCACertificates('default'), await readFile(authority.caFile, 'utf8')]);
  const identity = await startIdentity({
    dataDir,
    port: 0,
    msiPort: 0,
    identityHeader,
    tls: authority,
    ...options,
  });
  return {
    ...identity,
    dataDir,
    close: async () => {
      await identity.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
