import type { Tenant } from './seed.ts';
import { userPrincipalName } from './seed.ts';

/** The page where a person enters a code and says who they are. There are no passwords here. */
export function devicePage(tenant: Tenant, userCode: string, notice: string): string {
  const options = tenant.users
    .map((user) => {
      const rights = user.roles.length === 0 ? 'no roles' : user.roles.join(', ');
      return `<option value="${escape(user.name)}">${escape(user.displayName)} (${escape(userPrincipalName(tenant, user))}): ${escape(rights)}</option>`;
    })
    .join('');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sign in to ${escape(tenant.name)}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 4rem auto; padding: 0 1rem; }
label, select, input, button { display: block; font: inherit; }
select, input { width: 100%; box-sizing: border-box; margin: 0 0 1rem; padding: .4rem; }
input { text-transform: uppercase; letter-spacing: .2em; }
</style>
<h1>Sign in to ${escape(tenant.name)}</h1>
<p role="status">${escape(notice)}</p>
<form method="post">
<label for="user_code">Code shown by the program</label>
<input id="user_code" name="user_code" required autocomplete="off" value="${escape(userCode)}">
<label for="user">Sign in as</label>
<select id="user" name="user">${options}</select>
<button>Continue</button>
</form>
</html>
`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
