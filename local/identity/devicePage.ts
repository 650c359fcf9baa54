import { escapeHtml, page, userOptions } from './page.ts';
import type { Tenant } from './seed.ts';

/** The page where a person enters a code and says who they are. There are no passwords here. */
export function devicePage(tenant: Tenant, userCode: string, notice: string): string {
  return page(
    `Sign in to ${tenant.name}`,
    `<p role="status">${escapeHtml(notice)}</p>
<form method="post">
<label for="user_code">Code shown by the program</label>
<input id="user_code" name="user_code" required autocomplete="off" value="${escapeHtml(userCode)}">
<label for="user">Sign in as</label>
<select id="user" name="user">${userOptions(tenant)}</select>
<button>Continue</button>
</form>`,
  );
}
