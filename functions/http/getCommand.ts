import { DomainError } from '../../domain/domainError.ts';
import type { Services } from '../services.ts';
import { findSession } from './findSession.ts';
import { json, type Route, signedIn, uuidParameter } from './route.ts';
import { commandFromEvents } from './sessionResource.ts';

/** A command as its events tell it: never behind. */
export const getCommand = (services: Services): Route => ({
  name: 'getCommand',
  method: 'GET',
  path: 'sessions/{sessionId}/commands/{commandId}',
  handle: signedIn(services.tokens, ['Basic', 'History.Read'], async (signed) => {
    const { sessionId } = await findSession(services, signed);
    const commandId = uuidParameter(signed.request, 'commandId', 'COMMAND_UNKNOWN');
    const command = await commandFromEvents(services, signed.caller.tenantId, sessionId, commandId);
    if (command === undefined)
      throw new DomainError('COMMAND_UNKNOWN', 'There is no such command in this session.');
    return json(200, command);
  }),
});
