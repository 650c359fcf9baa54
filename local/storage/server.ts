import { readFile } from 'node:fs/promises';
import { createBlobServer } from './azurite.ts';
import { makeContainers } from './containers.ts';

export interface StorageConfig {
  readonly dataDir: string;
  /** TLS port; 0 takes a free one. */
  readonly port: number;
  readonly tls: {
    readonly certFile: string;
    readonly keyFile: string;
    /** What vouches for the certificate; needed to make the containers. */
    readonly caFile: string;
  };
  readonly account: {
    /** 3 to 24 lower-case letters and digits. */
    readonly name: string;
    /** Base64. Allows everything, so only set-up code and tests should have it. */
    readonly key: string;
  };
  /** Made when missing. */
  readonly containers: readonly string[];
}

export interface RunningStorage {
  /** `https://localhost:PORT/ACCOUNT` */
  readonly blobEndpoint: string;
  close(): Promise<void>;
}

/**
 * Starts Azurite's blob service inside this process, so that nothing is left when the process dies.
 * One per process: Azurite takes its accounts from the process's environment.
 */
export async function startStorage(config: StorageConfig): Promise<RunningStorage> {
  const { account, tls } = config;
  checkAccount(account);
  process.env.AZURITE_ACCOUNTS = `${account.name}:${account.key}`;
  const server = createBlobServer({ dataDir: config.dataDir, port: config.port, ...tls });
  await server.start();
  try {
    const { port } = new URL(server.getHttpServerAddress());
    const blobEndpoint = `https://localhost:${port}/${account.name}`;
    await makeContainers(blobEndpoint, account, await readFile(tls.caFile, 'utf8'), config.containers);
    return { blobEndpoint, close: () => server.close() };
  } catch (error) {
    await server.close();
    throw error;
  }
}

function checkAccount({ name, key }: StorageConfig['account']): void {
  // Azurite would fall back to its well-known account without a word.
  if (!/^[a-z0-9]{3,24}$/.test(name)) {
    throw new Error(`The account name '${name}' must have 3 to 24 lower-case letters and digits.`);
  }
  if (!/^[A-Za-z0-9+/]{22,}={0,2}$/.test(key))
    throw new Error('The account key must be base64 of at least 16 bytes.');
}
