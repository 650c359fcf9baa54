import { existsSync } from 'node:fs';
import { toolRecords } from '../tool.ts';

/** The properties of one unit, by name. A property may come several times. */
export type UnitProperties = ReadonlyMap<string, readonly string[]>;

/** What systemd itself looks at to know whether it runs the system. */
export const isSystemdRunning = (): boolean => existsSync('/run/systemd/system');

const places = ['/usr/bin/systemctl', '/bin/systemctl'];

/** Runs `systemctl`, which asks systemd over its socket and changes nothing with the arguments used here. */
const systemctl = (...args: readonly string[]): AsyncGenerator<Buffer> =>
  toolRecords({
    file: places.find((place) => existsSync(place)) ?? '/usr/bin/systemctl',
    args: ['--no-pager', '--no-ask-password', '--full', ...args],
  });

/** Every unit that is loaded and every unit file there is, by name. */
export const unitNames = async (type: string): Promise<readonly string[]> => {
  const names = new Set<string>();
  for (const args of [
    ['list-units', '--all', '--plain', '--no-legend', `--type=${type}`],
    ['list-unit-files', '--no-legend', `--type=${type}`],
  ]) {
    for await (const line of systemctl(...args)) {
      // systemd writes what is odd in a name as `\x20`, so a name holds no blank.
      const name = line.toString('latin1').trim().split(/\s+/)[0] ?? '';
      if (name.endsWith(`.${type}`)) names.add(name);
    }
  }
  return [...names].sort();
};

const unitsAtOnce = 100;

/** The properties of units; a template has none, because only its instances are units. */
export async function* unitProperties(
  names: readonly string[],
  properties: readonly string[],
): AsyncGenerator<UnitProperties> {
  const units = names.filter((name) => !/@\.[a-z]+$/.test(name));
  for (let start = 0; start < units.length; start += unitsAtOnce) {
    const some = units.slice(start, start + unitsAtOnce);
    yield* parseShow(systemctl('show', '--all', `--property=${properties.join(',')}`, '--', ...some));
  }
}

/** An empty line stands between two units. */
export async function* parseShow(lines: AsyncIterable<Buffer>): AsyncGenerator<UnitProperties> {
  let unit = new Map<string, string[]>();
  for await (const line of lines) {
    const text = line.toString('latin1');
    const at = text.indexOf('=');
    if (text === '') {
      if (unit.size > 0) yield unit;
      unit = new Map();
    } else if (at > 0) {
      const name = text.slice(0, at);
      unit.set(name, [...(unit.get(name) ?? []), text.slice(at + 1)]);
    }
  }
  if (unit.size > 0) yield unit;
}

/** The value of a property, or null where it is empty. */
export const propertyOf = (unit: UnitProperties, name: string): string | null => {
  const value = unit.get(name)?.[0];
  return value === undefined || value === '' ? null : value;
};

/** `{ path=… ; argv[]=… ; ignore_errors=… … }` as systemd shows a command. */
export const parseExec = (
  value: string | null,
): { readonly path: string; readonly command: string } | undefined => {
  const parts = /^\{ path=(.*?) ; argv\[\]=(.*) ; (?:ignore_errors|flags)=/s.exec(value ?? '');
  return parts === null ? undefined : { path: parts[1] ?? '', command: parts[2] ?? '' };
};

/** `Tue 2026-11-24 18:00:00 UTC`: the agent asks in that time zone. Null for none. */
export const parseSystemdTime = (value: string | null): string | null => {
  const parts = /(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.(\d{3})\d*)? UTC$/.exec(value ?? '');
  return parts === null ? null : `${parts[1]}T${parts[2]}.${parts[3] ?? '000'}Z`;
};
