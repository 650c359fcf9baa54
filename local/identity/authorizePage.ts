import { createHash } from 'node:crypto';
import { escapeHtml, page, userOptions } from './page.ts';
import type { Tenant } from './seed.ts';

/** The page where a person who was sent here by an application says who they are. There are no passwords here. */
export function authorizePage(
  tenant: Tenant,
  parameters: URLSearchParams,
  preselected: string | undefined,
): string {
  const hidden = hiddenFields([...parameters]);
  return page(
    `Sign in to ${tenant.name}`,
    `<p>The application ${escapeHtml(parameters.get('client_id') ?? '')} asks who you are.</p>
<form method="post">
${hidden}
<label for="user">Sign in as</label>
<select id="user" name="user">${userOptions(tenant, preselected)}</select>
<button>Continue</button>
</form>`,
  );
}

const sendAtOnce = 'document.forms[0].submit()';

/** Source for a content security policy that lets the page below send itself, and no other script run. */
export const sendAtOnceSource = `'sha256-${createHash('sha256').update(sendAtOnce).digest('base64')}'`;

/** The page that carries an answer back to the application in a form. */
export function formPostPage(to: string, fields: URLSearchParams): string {
  return page(
    'Signed in',
    `<form method="post" action="${escapeHtml(to)}">
${hiddenFields([...fields])}
<button>Go on</button>
</form>
<script>${sendAtOnce}</script>`,
  );
}

const hiddenFields = (fields: readonly (readonly [string, string])[]): string =>
  fields
    .map(([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`)
    .join('');
