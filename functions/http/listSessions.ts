import { sessionStatus } from '../../contracts/http.ts';
import { DomainError } from '../../domain/domainError.ts';
import { sessionView } from '../../domain/views/index.ts';
import type { Services } from '../services.ts';
import { json, numberFromQuery, type Route, signedIn } from './route.ts';

/** Newest first. `before` is the `next` of the page before. A view: it may be moments behind. */
export const listSessions = (services: Services): Route => ({
  name: 'listSessions',
  method: 'GET',
  path: 'sessions',
  handle: signedIn(services.tokens, ['Basic', 'History.Read'], async ({ request, caller }) => {
    const status = request.query.get('status');
    if (status !== null && !sessionStatus.safeParse(status).success) {
      throw new DomainError('QUERY_INVALID', `status must be one of ${sessionStatus.options.join(', ')}.`);
    }
    const limit = numberFromQuery(request, 'limit', { least: 1, most: 200, otherwise: 50 });
    const { rows, next } = await services.views.list(sessionView, caller.tenantId, '', {
      before: request.query.get('before'),
      limit,
    });
    return json(200, {
      sessions: status === null ? rows : rows.filter((row) => row.status === status),
      next,
    });
  }),
});
