import type { Cloud } from './cloud.ts';

/** The part of the cloud that tokens come from. */
type Issuer = Pick<Cloud, 'authority' | 'tenants' | 'apiScope' | 'publicClientId'>;

const ask = async (url: string, form: Readonly<Record<string, string>>): Promise<Record<string, unknown>> => {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form) });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(`${url}: ${String(answer['error_description'] ?? answer['error'])}`);
  return answer;
};

/** Remembers a token until shortly before it expires. */
const remembering = (fetchToken: () => Promise<Record<string, unknown>>): (() => Promise<string>) => {
  let known: { readonly token: string; readonly until: number } | undefined;
  return async () => {
    if (known === undefined || known.until < performance.now()) {
      const answer = await fetchToken();
      known = {
        token: String(answer['access_token']),
        until: performance.now() + (Number(answer['expires_in']) - 60) * 1000,
      };
    }
    return known.token;
  };
};

const tenantOf = (issuer: Issuer, name: string): Cloud['tenants'][number] => {
  const tenant = issuer.tenants.find((candidate) => candidate.name === name);
  if (tenant === undefined) throw new Error(`The seed has no tenant ${name}.`);
  return tenant;
};

/** Signs in as a client application of the seed. */
export const applicationToken = (
  issuer: Issuer,
  tenantName = 'contoso',
  application = 'automation',
): (() => Promise<string>) => {
  const tenant = tenantOf(issuer, tenantName);
  const client = tenant.applications.find(({ name }) => name === application);
  if (client === undefined) throw new Error(`The seed has no application ${application} in ${tenantName}.`);
  return remembering(() =>
    ask(`${issuer.authority}/${tenant.id}/oauth2/v2.0/token`, {
      grant_type: 'client_credentials',
      client_id: client.clientId,
      client_secret: client.secret,
      scope: issuer.apiScope,
    }),
  );
};

/** Signs in as a user of the seed, by device code, which the user approves at once. */
export const userToken = (issuer: Issuer, user: string, tenantName = 'contoso'): (() => Promise<string>) => {
  const tenant = tenantOf(issuer, tenantName);
  const base = `${issuer.authority}/${tenant.id}`;
  return remembering(async () => {
    const invitation = await ask(`${base}/oauth2/v2.0/devicecode`, {
      client_id: issuer.publicClientId,
      scope: issuer.apiScope,
    });
    const approved = await fetch(`${base}/device/approve`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user_code: invitation['user_code'], user }),
    });
    if (!approved.ok) throw new Error(`${user} cannot sign in: ${await approved.text()}`);
    return ask(`${base}/oauth2/v2.0/token`, {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      client_id: issuer.publicClientId,
      device_code: String(invitation['device_code']),
    });
  });
};
