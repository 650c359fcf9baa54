import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

/** The local issuer, as a process of its own. */
export interface RunningIssuer {
  readonly address: string;
  readonly caFile: string;
  close(): Promise<void>;
}

const local = join(import.meta.dirname, '..', '..', 'local');

export const startIssuer = async (): Promise<RunningIssuer> => {
  const dataDir = await mkdtemp(join(tmpdir(), 'issuer-'));
  const tls = await createCertificates(join(dataDir, 'certificates'));
  const config = join(dataDir, 'config.json');
  await writeFile(config, JSON.stringify({ dataDir, port: 0, msiPort: 0, identityHeader: 'header', tls }));
  const child = spawn(process.execPath, [join(local, 'identity', 'main.ts'), config], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const ready = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>;
  const [line] = await Promise.race([
    ready,
    ended.then(() => {
      throw new Error('The issuer ended before it was ready.');
    }),
  ]);
  const { issuerBase } = JSON.parse(line) as { readonly issuerBase: string };
  return {
    address: issuerBase,
    caFile: tls.caFile,
    close: async () => {
      // It ends with its stdin.
      child.stdin.end();
      await ended;
      await rm(dataDir, { recursive: true, force: true });
    },
  };
};

const createCertificates = async (folder: string): Promise<{ readonly caFile: string }> => {
  const module = pathToFileURL(join(local, 'certificates', 'authority.ts')).href;
  const script = `const { createAuthority } = await import(${JSON.stringify(module)});
console.log(JSON.stringify(await createAuthority(${JSON.stringify(folder)})));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  return JSON.parse(stdout) as { readonly caFile: string };
};
