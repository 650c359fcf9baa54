/** App settings as the host reads them: `%name%` expansion and connections. */
export type Settings = Readonly<Record<string, string>>;

/**
 * Replaces every `%NAME%` by the setting of that name.
 * @throws when a setting is missing; the text names `where` it is needed.
 */
export function expandSettings(text: string, settings: Settings, where: string): string {
  return text.replace(/%([^%\s]+)%/g, (_match, name: string) => {
    const value = lookUp(settings, name);
    if (value === undefined)
      throw new Error(`${where}: the app setting '${name}' does not exist. Add it to the settings.`);
    return value;
  });
}

/** Settings are environment variables on Azure and looked up by the host without regard to case. */
function lookUp(settings: Settings, name: string): string | undefined {
  const found =
    settings[name] ?? Object.entries(settings).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
  return found === '' ? undefined : found;
}

export type Connection =
  { kind: 'connectionString'; value: string } | { kind: 'identity'; endpoint: string; clientId?: string };

/**
 * Resolves the `connection` of a trigger: setting `X` is a connection string, `X__<identityKey>` an endpoint used with
 * the managed identity (`X__clientId` picks a user-assigned one).
 * @throws when neither setting exists.
 */
export function resolveConnection(
  settings: Settings,
  name: string,
  identityKey: 'fullyQualifiedNamespace' | 'accountEndpoint',
  where: string,
): Connection {
  const value = lookUp(settings, name);
  if (value !== undefined) return { kind: 'connectionString', value };
  const endpoint = lookUp(settings, `${name}__${identityKey}`);
  if (endpoint === undefined) {
    throw new Error(
      `${where}: the connection '${name}' does not exist. Set '${name}' to a connection string or '${name}__${identityKey}' to use the managed identity.`,
    );
  }
  const clientId = lookUp(settings, `${name}__clientId`);
  return { kind: 'identity', endpoint, ...(clientId !== undefined && { clientId }) };
}
