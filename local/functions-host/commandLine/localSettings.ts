import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe } from '../log.ts';

/** What local.settings.json of an app says; empty when there is none. */
export interface LocalSettings {
  values: Record<string, string>;
  /** `Host.LocalHttpPort`. */
  port?: number;
  /** `Host.CORS`: origins separated by commas. */
  cors?: string;
  corsCredentials: boolean;
  warnings: string[];
}

const FILE = 'local.settings.json';
type Json = Record<string, unknown>;

/** @throws when the file is encrypted, is not JSON, or holds a setting that is not text. */
export function readLocalSettings(appRoot: string): LocalSettings {
  const file = path.join(appRoot, FILE);
  if (!existsSync(file)) return { values: {}, corsCredentials: false, warnings: [] };
  const root = parse(file);
  if (root.IsEncrypted === true) {
    throw new Error(
      `${FILE} is encrypted ("IsEncrypted": true), which only Azure Functions Core Tools can read. Decrypt it with "func settings decrypt" first.`,
    );
  }
  const host = section(root, 'Host');
  const { LocalHttpPort: port, CORS: cors } = host;
  if (port !== undefined && !(Number.isInteger(port) && Number(port) >= 0 && Number(port) <= 65_535)) {
    throw new Error(`${FILE}: Host.LocalHttpPort must be a port number, it is ${JSON.stringify(port)}.`);
  }
  if (cors !== undefined && typeof cors !== 'string') {
    throw new Error(`${FILE}: Host.CORS must be text: "*", or origins separated by commas.`);
  }
  return {
    values: Object.fromEntries(Object.entries(section(root, 'Values')).map(setting)),
    ...(port !== undefined && { port: Number(port) }),
    ...(cors !== undefined && { cors }),
    corsCredentials: host.CORSCredentials === true,
    warnings: Object.keys(root)
      .filter((key) => !['IsEncrypted', 'Values', 'Host'].includes(key))
      .map((key) => `${FILE}: "${key}" is not read here; put settings under "Values".`),
  };
}

function parse(file: string): Json {
  try {
    const root: unknown = JSON.parse(readFileSync(file, 'utf8').replace(/^\uFEFF/, ''));
    if (typeof root !== 'object' || root === null || Array.isArray(root)) throw new Error('it is no object');
    return root as Json;
  } catch (error) {
    throw new Error(`${file} cannot be read: ${describe(error)}`);
  }
}

function section(root: Json, name: string): Json {
  const value = root[name] ?? {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new Error(`${FILE}: "${name}" must be an object.`);
  return value as Json;
}

/** Numbers and booleans become text, as in the environment; anything deeper would reach the app as nonsense. */
function setting([name, value]: [string, unknown]): [string, string] {
  if (typeof value === 'object' && value !== null) {
    throw new Error(`${FILE}: the setting '${name}' must be text. Settings are environment variables.`);
  }
  return [name, String(value ?? '')];
}
