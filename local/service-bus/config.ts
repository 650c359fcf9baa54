import { readFile } from 'node:fs/promises';

export type Right = 'Send' | 'Listen' | 'Manage';

export interface SharedAccessRule {
  readonly name: string;
  readonly key: string;
  /** A second valid key, for rotation. */
  readonly secondaryKey?: string;
  readonly rights: readonly Right[];
}

/** A queue that is created when it is missing. Durations in seconds; absent ones take the service's defaults. */
export interface DeclaredQueue {
  readonly name: string;
  readonly requiresSession?: boolean;
  readonly lockDurationSeconds?: number;
  readonly maxDeliveryCount?: number;
  readonly defaultTtlSeconds?: number;
  /** Switches duplicate detection on. */
  readonly duplicateDetectionWindowSeconds?: number;
  readonly deadLetteringOnMessageExpiration?: boolean;
}

export interface NamespaceConfig {
  readonly name: string;
  /** TLS port on 127.0.0.1; 0 takes a free one. */
  readonly port: number;
  readonly rules: readonly SharedAccessRule[];
  readonly queues?: readonly DeclaredQueue[];
}

export interface EntraConfig {
  readonly issuers: readonly string[];
  /** Exactly one of the two says where the issuer's keys are. */
  readonly jwksUrl?: string;
  readonly jwksFile?: string;
  /** Rights of a principal (by its object id) on every namespace. */
  readonly principals: Readonly<Record<string, readonly Right[]>>;
}

export interface BrokerConfig {
  readonly dataDir: string;
  /** FULL (default) survives a power cut, NORMAL survives the death of the process. */
  readonly synchronous?: 'FULL' | 'NORMAL';
  readonly tls: { readonly certFile: string; readonly keyFile: string };
  readonly namespaces: readonly NamespaceConfig[];
  readonly entra?: EntraConfig;
}

/** Throws an Error that names the first setting that does not fit. */
export function checkConfig(config: BrokerConfig): void {
  const refuse = (text: string): never => {
    throw new Error(`The configuration of the Service Bus broker does not fit: ${text}`);
  };
  if (!config.dataDir) refuse('dataDir is missing.');
  if (!config.tls?.certFile || !config.tls.keyFile) refuse('tls.certFile and tls.keyFile are needed.');
  if (config.synchronous !== undefined && !['FULL', 'NORMAL'].includes(config.synchronous)) {
    refuse(`synchronous is '${config.synchronous}' but must be FULL or NORMAL.`);
  }
  if (!Array.isArray(config.namespaces) || config.namespaces.length === 0) refuse('namespaces is empty.');
  const names = config.namespaces.map((namespace) => namespace.name);
  if (new Set(names).size < names.length) refuse('two namespaces have the same name.');
  for (const namespace of config.namespaces) {
    if (!/^[a-z0-9][a-z0-9-]*$/i.test(namespace.name)) {
      refuse(`the namespace name '${namespace.name}' may hold letters, digits and hyphens only.`);
    }
    if (!Number.isInteger(namespace.port)) refuse(`${namespace.name} has no port (0 takes a free one).`);
    for (const rule of namespace.rules) {
      if (!rule.name || !rule.key) refuse(`a rule of ${namespace.name} lacks its name or key.`);
      if (!rule.rights.every(isRight))
        refuse(`rule ${rule.name} has a right other than Send, Listen, Manage.`);
    }
  }
  const { entra } = config;
  if (entra && (entra.jwksUrl === undefined) === (entra.jwksFile === undefined)) {
    refuse('entra needs either jwksUrl or jwksFile.');
  }
  for (const [oid, rights] of Object.entries(entra?.principals ?? {})) {
    if (!rights.every(isRight)) refuse(`principal ${oid} has a right other than Send, Listen, Manage.`);
  }
}

export const isRight = (value: unknown): value is Right =>
  value === 'Send' || value === 'Listen' || value === 'Manage';

/** Reads the PEM files. */
export async function readTls(
  tls: BrokerConfig['tls'],
): Promise<{ readonly cert: Buffer; readonly key: Buffer }> {
  const [cert, key] = await Promise.all([readFile(tls.certFile), readFile(tls.keyFile)]);
  return { cert, key };
}
