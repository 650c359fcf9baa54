import { readFileSync } from 'node:fs';

const namesIn = (file: string): Map<number, string> => {
  const names = new Map<number, string>();
  let content = '';
  try {
    content = readFileSync(file, 'utf8');
  } catch {
    // Numbers are shown instead of names.
  }
  for (const line of content.split('\n')) {
    const [name, , id] = line.split(':');
    // The first name of an id counts, as for the system's own tools.
    if (name !== undefined && id !== undefined && /^\d+$/.test(id) && !names.has(Number(id))) {
      names.set(Number(id), name);
    }
  }
  return names;
};

let users: Map<number, string> | undefined;
let groups: Map<number, string> | undefined;

/** Name of a local user, or the number as text. */
export const userName = (id: number): string => {
  users ??= namesIn('/etc/passwd');
  return users.get(id) ?? String(id);
};

/** Name of a local group, or the number as text. */
export const groupName = (id: number): string => {
  groups ??= namesIn('/etc/group');
  return groups.get(id) ?? String(id);
};
