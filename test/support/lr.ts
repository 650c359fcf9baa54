import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inject } from 'vitest';
import type { Cloud } from '../../local/cloud.ts';

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with a configuration, in which the terminal client is run as its users run it. */
export interface Terminal {
  readonly folder: string;
  /** Where its configuration lies, for `LR_CONFIG`. */
  readonly config: string;
  /** `onLine` is told every line of stdout as it comes. */
  readonly lr: (
    args: readonly string[],
    more?: { readonly input?: string; readonly onLine?: (line: string) => void },
  ) => Promise<Finished>;
  readonly remove: () => Promise<void>;
}

/** The terminal client as it is delivered. */
export const lrBundle = join(import.meta.dirname, '..', '..', 'dist', 'lr.cjs');

type Reached = Pick<
  Cloud,
  'url' | 'authority' | 'tenants' | 'apiScope' | 'publicClientId' | 'caFile' | 'dataDir'
>;

/** Signs in as the application of the seed when it has to. */
export const openTerminal = async (cloud: Reached = inject('cloud')): Promise<Terminal> => {
  const folder = await mkdtemp(join(cloud.dataDir, 'lr-'));
  const [tenant] = cloud.tenants;
  const [application] = tenant?.applications ?? [];
  if (tenant === undefined || application === undefined) throw new Error('The seed has no application.');
  await writeFile(join(folder, 'secret'), application.secret, { mode: 0o600 });
  const profile = {
    server: cloud.url,
    authority: cloud.authority,
    tenant: tenant.id,
    scope: cloud.apiScope,
    caFile: cloud.caFile,
  };
  const profiles = {
    application: {
      ...profile,
      clientId: application.clientId,
      flow: 'client-credentials',
      secretFile: 'secret',
    },
    person: { ...profile, clientId: cloud.publicClientId, flow: 'device-code' },
  };
  const config = join(folder, 'config.json');
  await writeFile(config, JSON.stringify({ current: 'application', profiles }));
  return {
    folder,
    config,
    lr: (args, { input = '', onLine } = {}) =>
      new Promise((resolve, reject) => {
        const { LR_CLIENT_SECRET: _, ...environment } = process.env;
        const child = spawn(process.execPath, [lrBundle, ...args], {
          cwd: folder,
          env: { ...environment, LR_CONFIG: config },
        });
        let stdout = '';
        let stderr = '';
        child.stdout.on('data', (chunk: Buffer) => {
          stdout += chunk.toString();
        });
        child.stderr.on('data', (chunk: Buffer) => {
          stderr += chunk.toString();
        });
        if (onLine !== undefined) createInterface({ input: child.stdout }).on('line', onLine);
        child.on('error', reject);
        child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
        child.stdin.end(input);
      }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
};
