import type { Driver } from '../listed.ts';
import { toolText, unknownOutput } from '../tool.ts';

const kextstat = '/usr/sbin/kextstat';
const systemextensionsctl = '/usr/bin/systemextensionsctl';

/** Lines of kextstat, which kmutil prints since macOS 11: numbers and addresses, then name, version and what it needs. */
export const parseKextstat = (text: string): readonly Driver[] => {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const heading = lines.findIndex((line) =>
    /^\s*Index\s+Refs\s+Address\s+Size\s+Wired\s+Name \(Version\)/.test(line),
  );
  if (heading === -1) throw unknownOutput(kextstat, text);
  return lines.slice(heading + 1).map((line) => {
    const [, size, name, version] =
      /^\s*\d+\s+\d+\s+(?:0x[0-9a-f]+|0)\s+(0x[0-9a-f]+|0)\s+(?:0x[0-9a-f]+|0)\s+(\S+) \(([^)]*)\)(?: [0-9A-F-]{36})?(?: <[\d ]*>)?\s*$/.exec(
        line,
      ) ?? [];
    if (name === undefined || version === undefined) throw unknownOutput(kextstat, line);
    return { name, displayName: 'kernel extension', state: 'loaded', version, size: Number(size) };
  });
};

/** Output of `systemextensionsctl list`: per category a heading and lines parted by tabs. */
export const parseSystemExtensions = (text: string): readonly Driver[] => {
  const [count, ...lines] = text.split('\n');
  const wanted = /^(\d+) extension\(s\)$/.exec(count ?? '')?.[1];
  if (wanted === undefined) throw unknownOutput(systemextensionsctl, count ?? 'nothing');
  const found: Driver[] = [];
  let category = '';
  for (const line of lines) {
    const begun = /^--- (\S+)/.exec(line)?.[1];
    if (begun !== undefined) category = begun;
    else if (line.trim() !== '' && !line.startsWith('enabled\tactive\tteamID')) {
      const [, enabled, team, name, version, displayName, state] =
        /^(\*?)\t\*?\t([^\t]*)\t(\S+) \(([^)]*)\)\t(.*?)\s*\[([^\]]+)\]\s*$/.exec(line) ?? [];
      if (name === undefined || team === undefined) throw unknownOutput(systemextensionsctl, line);
      found.push({
        name,
        displayName: `${displayName} (${category})`,
        state: state ?? null,
        startMode: enabled === '*' ? 'enabled' : 'disabled',
        version: version ?? null,
        signer: team === '' ? null : `team ${team}`,
      });
    }
  }
  if (found.length !== Number(wanted))
    throw unknownOutput(
      systemextensionsctl,
      `${wanted} extensions, of which ${found.length} were understood`,
    );
  return found;
};

/** Kernel extensions that are loaded, and system extensions in whatever state. */
export async function* macosDrivers(): AsyncGenerator<Driver> {
  yield* parseKextstat(await toolText({ file: kextstat, args: [] }));
  yield* parseSystemExtensions(await toolText({ file: systemextensionsctl, args: ['list'] }));
}
