import type { Tenant } from './seed.ts';
import { userPrincipalName } from './seed.ts';

/** A whole page around its contents, which must be escaped already. */
export function page(title: string, contents: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escapeHtml(title)}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 4rem auto; padding: 0 1rem; }
label, select, input, button { display: block; font: inherit; }
select, input { width: 100%; box-sizing: border-box; margin: 0 0 1rem; padding: .4rem; }
input[name=user_code] { text-transform: uppercase; letter-spacing: .2em; }
</style>
<h1>${escapeHtml(title)}</h1>
${contents}
</html>
`;
}

export function userOptions(tenant: Tenant, preselected?: string): string {
  return tenant.users
    .map((user) => {
      const rights = user.roles.length === 0 ? 'no roles' : user.roles.join(', ');
      const selected = user.name === preselected ? ' selected' : '';
      return `<option value="${escapeHtml(user.name)}"${selected}>${escapeHtml(user.displayName)} (${escapeHtml(userPrincipalName(tenant, user))}): ${escapeHtml(rights)}</option>`;
    })
    .join('');
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
