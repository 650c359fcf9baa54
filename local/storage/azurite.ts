import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** The part of Azurite's blob server that is used here. */
export interface BlobServer {
  start(): Promise<void>;
  /** Saves what is in memory and lets go of the port. */
  close(): Promise<void>;
  /** Such as `https://127.0.0.1:10000`. */
  getHttpServerAddress(): string;
}

interface BlobServerOptions {
  readonly dataDir: string;
  readonly port: number;
  readonly certFile: string;
  readonly keyFile: string;
}

/** Azurite is CommonJS without types; these two constructors are all that is called. Its version is pinned. */
const require = createRequire(import.meta.url);
const { default: AzuriteBlobServer } = require('azurite/dist/src/blob/BlobServer') as {
  default: new (configuration: unknown) => BlobServer;
};
const { default: AzuriteBlobConfiguration } = require('azurite/dist/src/blob/BlobConfiguration') as {
  default: new (...positional: unknown[]) => unknown;
};

/** The arguments are positional and many; named here so that none slips. Telemetry is off unless it is initialised. */
export function createBlobServer({ dataDir, port, certFile, keyFile }: BlobServerOptions): BlobServer {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const host = '127.0.0.1';
  const keepAliveSeconds = 5;
  const extents = [
    { locationId: 'Default', locationPath: join(dataDir, '__blobstorage__'), maxConcurrency: 10 },
  ];
  const [accessLog, accessLogStream, debugLog, debugLogFile, loose] = [
    false,
    undefined,
    false,
    undefined,
    false,
  ];
  const skipApiVersionCheck = true;
  const password = '';
  const oauth = 'basic';
  return new AzuriteBlobServer(
    new AzuriteBlobConfiguration(
      host,
      port,
      keepAliveSeconds,
      join(dataDir, '__azurite_db_blob__.json'),
      join(dataDir, '__azurite_db_blob_extent__.json'),
      extents,
      accessLog,
      accessLogStream,
      debugLog,
      debugLogFile,
      loose,
      skipApiVersionCheck,
      certFile,
      keyFile,
      password,
      oauth,
    ),
  );
}
