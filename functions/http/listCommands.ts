import { commandState } from '../../contracts/http.ts';
import { DomainError } from '../../domain/domainError.ts';
import { sessionStream } from '../../domain/session/index.ts';
import { jobView } from '../../domain/views/index.ts';
import type { Services } from '../services.ts';
import { findSession } from './findSession.ts';
import { json, numberFromQuery, type Route, signedIn } from './route.ts';
import { asCommandResource } from './sessionResource.ts';

/** Commands of a session, newest first. A view: it may be moments behind. */
export const listCommands = (services: Services): Route => ({
  name: 'listCommands',
  method: 'GET',
  path: 'sessions/{sessionId}/commands',
  handle: signedIn(services.tokens, ['Basic', 'History.Read'], async (signed) => {
    const { sessionId } = await findSession(services, signed);
    const { request, caller } = signed;
    const state = request.query.get('state');
    if (state !== null && !commandState.safeParse(state).success) {
      throw new DomainError('QUERY_INVALID', `state must be one of ${commandState.options.join(', ')}.`);
    }
    const limit = numberFromQuery(request, 'limit', { least: 1, most: 500, otherwise: 100 });
    const { rows, next } = await services.views.list(jobView, caller.tenantId, sessionStream(sessionId), {
      before: request.query.get('before'),
      limit,
    });
    const commands = rows.filter((row) => state === null || row.state === state).map(asCommandResource);
    return json(200, { commands, next });
  }),
});
