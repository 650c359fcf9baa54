import { OAuthError } from './oauthError.ts';
import type { Seed } from './seed.ts';

/** What a token is for. */
export interface Resource {
  readonly kind: 'api' | 'storage' | 'azure';
  readonly audience: string;
}

/** A resource with what was asked for there. */
export interface RequestedResource extends Resource {
  /** Delegated permissions, for `scp`. */
  readonly permissions: readonly string[];
}

const signInScopes = new Set(['openid', 'profile', 'email', 'offline_access']);
const storageResource = 'https://storage.azure.com';

/** Finds the resource that a space-separated `scope` asks for: exactly one, beside the sign-in scopes. */
export function resourceOfScope(seed: Seed, scope: string): RequestedResource {
  const wanted = scope.split(/\s+/).filter((part) => part !== '' && !signInScopes.has(part));
  const first = wanted[0];
  if (first === undefined) {
    throw new OAuthError(400, 'invalid_scope', 70011, `The scope "${scope}" names no resource.`);
  }
  const [resource, ...others] = [...new Set(wanted.map((part) => part.slice(0, part.lastIndexOf('/'))))];
  if (others.length > 0) {
    throw new OAuthError(400, 'invalid_scope', 28000, 'A request may name the scopes of one resource only.');
  }
  const found = findResource(seed, resource ?? '');
  const permissions = wanted.map((part) => part.slice(part.lastIndexOf('/') + 1));
  const unknown = permissions.find(
    (permission) =>
      permission !== '.default' && !(found.kind === 'api' && seed.api.scopes.includes(permission)),
  );
  if (unknown !== undefined) {
    throw new OAuthError(
      400,
      'invalid_scope',
      65005,
      `The resource ${resource} has no permission "${unknown}".`,
    );
  }
  const all = found.kind === 'api' ? seed.api.scopes : ['user_impersonation'];
  return { ...found, permissions: permissions.includes('.default') ? all : [...new Set(permissions)] };
}

/** Finds a resource by identifier URI, client id or, for Azure's and for loopback services, https address. */
export function findResource(seed: Seed, identifier: string): Resource {
  const name = identifier.replace(/\/+$/, '');
  if (name === seed.api.identifierUri || name === seed.api.clientId) {
    return { kind: 'api', audience: seed.api.clientId };
  }
  if (name === storageResource || /^https:\/\/[a-z0-9]+\.blob\.core\.windows\.net$/.test(name)) {
    return { kind: 'storage', audience: name };
  }
  if (
    seed.azureResources.includes(name) ||
    /^https:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(name)
  ) {
    return { kind: 'azure', audience: name };
  }
  throw new OAuthError(
    400,
    'invalid_resource',
    500011,
    `The resource principal named ${name} was not found.`,
  );
}
