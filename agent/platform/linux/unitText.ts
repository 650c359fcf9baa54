import { withoutBlanks } from './blanks.ts';

/** One line of a unit file, with what continues it. */
export interface UnitSetting {
  readonly section: string;
  readonly key: string;
  readonly value: string;
}

/** The settings of a unit file in their order; also of desktop entries and D-Bus service files, which look the same. */
export const parseUnit = (text: string): readonly UnitSetting[] => {
  const settings: UnitSetting[] = [];
  let section = '';
  let begun: string | undefined;
  for (const line of text.split('\n').map((one) => one.replace(/\r$/, ''))) {
    // A comment within a continued line does not end it.
    if (/^\s*[#;]/.test(line)) continue;
    const whole = begun === undefined ? line : `${begun} ${withoutBlanks(line)}`;
    if (whole.endsWith('\\')) {
      begun = withoutBlanks(whole.slice(0, -1));
      continue;
    }
    begun = undefined;
    const heading = /^\s*\[(.*)\]\s*$/.exec(whole);
    const at = whole.indexOf('=');
    if (heading !== null) section = heading[1] ?? '';
    else if (at > 0)
      settings.push({
        section,
        key: withoutBlanks(whole.slice(0, at)),
        value: withoutBlanks(whole.slice(at + 1)),
      });
  }
  return settings;
};

/** The values of a key as systemd takes a list: an empty one forgets those before it. */
export const listOf = (settings: readonly UnitSetting[], section: string, key: string): readonly string[] => {
  let values: string[] = [];
  for (const setting of settings) {
    if (setting.section !== section || setting.key !== key) continue;
    if (setting.value === '') values = [];
    else values.push(setting.value);
  }
  return values;
};

/** The value that counts: the last one. */
export const lastOf = (settings: readonly UnitSetting[], section: string, key: string): string | undefined =>
  listOf(settings, section, key).at(-1);

/** What systemd runs, without the letters before it that change how (`-`, `@`, `+`, `!`, `:`). */
export const commandOf = (value: string): string => value.replace(/^[-@+!:|]+/, '');
