import * as z from 'zod';

/**
 * Everything that differs between deployments, as app settings. Identity-based connections follow the platform's own names
 * (`{connection}__accountEndpoint`, `{connection}__fullyQualifiedNamespace`), so that triggers and clients share them.
 */
const list = z.string().transform((value) =>
  value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);

const shardTable = z.strictObject({
  version: z.number().int().positive(),
  /** Buckets `from` to `to` (0 to 4095) are served by the namespace behind `connection`. */
  shards: z.array(
    z.strictObject({
      from: z.number().int(),
      to: z.number().int(),
      connection: z.string().regex(/^[A-Z][A-Z0-9_]*$/),
    }),
  ),
});
export type ShardTable = z.infer<typeof shardTable>;

const schema = z.object({
  COSMOS__accountEndpoint: z.url(),
  COSMOS_DATABASE: z.string().min(1),
  STORAGE__blobServiceUri: z.url(),
  /** JSON, {@link ShardTable}. */
  DEVICE_SHARDS: z.string().transform((value, context) => {
    try {
      return shardTable.parse(JSON.parse(value));
    } catch (error) {
      context.addIssue({ code: 'custom', message: `not a shard table: ${String(error)}` });
      return z.NEVER;
    }
  }),
  /** Base address of the identity provider, without tenant. */
  ENTRA_AUTHORITY: z.url(),
  /** Audiences that access tokens may carry. */
  API_AUDIENCES: list,
  ALLOWED_TENANTS: list,
  /** `https://{vault}/keys/{name}` or `file:///…`. */
  COMMAND_KEY: z.url(),
  /** The key before, while a rotation is on its way. */
  COMMAND_KEY_PREVIOUS: z.url().optional(),
  /** Client id of the user-assigned identity; absent for a system-assigned one. */
  AZURE_CLIENT_ID: z.string().optional(),
  HEARTBEAT_SECONDS: z.coerce.number().positive().default(900),
  /** Pause between two looks at the change feed, milliseconds. */
  FEED_POLL_MS: z.coerce.number().int().positive().default(1_000),
});

export interface Shard {
  readonly connection: string;
  readonly namespace: string;
  readonly listenRule: string;
  readonly listenKey: string;
  readonly sendRule: string;
  readonly sendKey: string;
}

export type Settings = Readonly<z.infer<typeof schema>> & { readonly shards: readonly Shard[] };

/** Throws one error that names every setting that is missing or wrong. */
export const readSettings = (environment: Readonly<Record<string, string | undefined>>): Settings => {
  const parsed = schema.safeParse(environment);
  const faults = parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  const required = (name: string): string => {
    const value = environment[name];
    if (value === undefined || value === '') faults.push(`${name}: missing`);
    return value ?? '';
  };
  const connections = parsed.success
    ? [...new Set(parsed.data.DEVICE_SHARDS.shards.map(({ connection }) => connection))]
    : [];
  const shards = connections.map((connection) => ({
    connection,
    namespace: required(`${connection}__fullyQualifiedNamespace`),
    listenRule: required(`${connection}_LISTEN_RULE`),
    listenKey: required(`${connection}_LISTEN_KEY`),
    sendRule: required(`${connection}_SEND_RULE`),
    sendKey: required(`${connection}_SEND_KEY`),
  }));
  if (!parsed.success || faults.length > 0) {
    throw new Error(
      `The app cannot start: ${faults.length} of its settings are missing or wrong.\n${faults.join('\n')}`,
    );
  }
  return { ...parsed.data, shards };
};
