import { readFile } from 'node:fs/promises';

/** The API whose tokens this issuer gives out. */
export interface Api {
  readonly name: string;
  readonly identifierUri: string;
  readonly clientId: string;
  /** Delegated permissions that a user's token carries in `scp`. */
  readonly scopes: readonly string[];
  readonly appRoles: readonly string[];
}

export interface User {
  readonly name: string;
  readonly displayName: string;
  readonly oid: string;
  readonly roles: readonly string[];
}

/** A confidential client; `oid` is its service principal in the tenant. */
export interface Application {
  readonly name: string;
  readonly clientId: string;
  readonly oid: string;
  readonly secret: string;
  /** Where sign-ins of this application may lead. */
  readonly redirectUris?: readonly string[];
  readonly roles: readonly string[];
}

export interface ManagedIdentity {
  readonly deployment: string;
  readonly name: string;
  readonly clientId: string;
  readonly oid: string;
}

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly domain: string;
  readonly users: readonly User[];
  readonly applications: readonly Application[];
  readonly managedIdentities: readonly ManagedIdentity[];
}

/** A client without a secret, known in every tenant. */
export interface PublicClient {
  readonly name: string;
  readonly clientId: string;
  readonly redirectUris?: readonly string[];
}

/** Everything the issuer knows. The file is the only place to change it. */
export interface Seed {
  readonly api: Api;
  readonly azureResources: readonly string[];
  readonly tenants: readonly Tenant[];
  readonly publicClients: readonly PublicClient[];
}

/** Reads and checks a seed. Throws with the file's name when a role, an id or a name does not fit. */
export async function readSeed(path: string): Promise<Seed> {
  const seed = JSON.parse(await readFile(path, 'utf8')) as Seed;
  const problem = findProblem(seed);
  if (problem !== undefined) throw new Error(`The identity seed ${path} is wrong: ${problem}`);
  return seed;
}

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function findProblem(seed: Seed): string | undefined {
  const seen = new Set<string>();
  const checkId = (id: string) => {
    if (!guid.test(id)) return `"${id}" is not a lower-case GUID.`;
    if (seen.has(id)) return `the id ${id} is used twice.`;
    seen.add(id);
    return undefined;
  };
  const ids = [
    seed.api.clientId,
    ...seed.publicClients.map((client) => client.clientId),
    ...seed.tenants.flatMap((tenant) => [
      tenant.id,
      ...tenant.users.map((user) => user.oid),
      ...[...tenant.applications, ...tenant.managedIdentities].flatMap((app) => [app.clientId, app.oid]),
    ]),
  ];
  for (const id of ids) {
    const problem = checkId(id);
    if (problem !== undefined) return problem;
  }
  for (const tenant of seed.tenants) {
    for (const { name, roles } of [...tenant.users, ...tenant.applications]) {
      const unknown = roles.find((role) => !seed.api.appRoles.includes(role));
      if (unknown !== undefined)
        return `${name} in ${tenant.name} has the role ${unknown}, which the API lacks.`;
    }
  }
  return undefined;
}

/** Finds a tenant by id, name or domain. */
export function findTenant(seed: Seed, key: string): Tenant | undefined {
  const wanted = key.toLowerCase();
  return seed.tenants.find(
    (tenant) => tenant.id === wanted || tenant.name === wanted || tenant.domain === wanted,
  );
}

/** Finds a user by short name, user principal name or object id. */
export function findUser(tenant: Tenant, key: string): User | undefined {
  return tenant.users.find(
    (user) => user.name === key || user.oid === key || userPrincipalName(tenant, user) === key,
  );
}

export function userPrincipalName(tenant: Tenant, user: User): string {
  return `${user.name}@${tenant.domain}`;
}
