import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface StoredKeys {
  masterKey: string;
  functionKey: string;
  systemKey: string;
}

/** The keys of a data folder: made on first start and kept, so that an address with a key stays good. */
export function storedKeys(dataDir: string): StoredKeys {
  const file = path.join(dataDir, 'keys.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as StoredKeys;
  const key = () => randomBytes(24).toString('base64url');
  const keys = { masterKey: key(), functionKey: key(), systemKey: key() };
  writeFileSync(file, JSON.stringify(keys, null, 2), { mode: 0o600 });
  return keys;
}
