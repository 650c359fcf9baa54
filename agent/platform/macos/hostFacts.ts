import { readFileSync } from 'node:fs';
import { release } from 'node:os';

/** Where the system keeps its own version; a list of properties in XML. */
const versionFile = '/System/Library/CoreServices/SystemVersion.plist';

export const macosVersion = (content = readFileSync(versionFile, 'utf8'), kernel = release()): string => {
  const value = (key: string): string | undefined =>
    new RegExp(`<key>${key}</key>\\s*<string>([^<]*)</string>`).exec(content)?.[1];
  const version = value('ProductUserVisibleVersion') ?? value('ProductVersion');
  if (version === undefined) throw new Error(`${versionFile} names no version of the system.`);
  return `${value('ProductName') ?? 'macOS'} ${version} (${value('ProductBuildVersion') ?? 'unknown build'}), Darwin ${kernel}`;
};
