import { invalidArgument } from '../brokerError.ts';
import { parseMessage } from '../codec/message.ts';
import { toNumber } from '../codec/values.ts';
import type { Right } from '../config.ts';
import type { Session } from '../engine/model.ts';
import type { Disposition, Queue } from '../engine/queue.ts';
import type { Reply } from './replies.ts';
import { type Typed, types } from './rhea.ts';

export type RequestBody = Readonly<Record<string, unknown>>;

export interface Operation {
  readonly right: Right;
  /** Throws BrokerError. `heldSession` gives a session that the caller holds. */
  perform(queue: Queue, body: RequestBody, heldSession: (id: string) => Session): Reply;
}

export const settleOperation = 'com.microsoft:update-disposition';
const timestampCode = 0x83;
const longCode = 0x81;
const longestPeek = 1000;
const settlesOnReceive = 0;

export const ok = (body: RequestBody): Reply => ({ status: 200, description: 'OK', body });
export const noContent: Reply = { status: 204, description: 'No Content' };

/** What `$management` does with messages, locks and sessions. */
export const messageOperations: Readonly<Record<string, Operation>> = {
  'com.microsoft:renew-lock': {
    right: 'Listen',
    perform: (queue, body) => {
      const expirations = lockTokens(body).map((token) => queue.renew(token));
      return ok({ expirations: types.wrap_array(expirations, timestampCode) });
    },
  },
  [settleOperation]: {
    right: 'Listen',
    perform: (queue, body, heldSession) => {
      const disposition = dispositionOf(body);
      const sessionId = body['session-id'];
      if (typeof sessionId === 'string') heldSession(sessionId);
      for (const token of lockTokens(body)) queue.settle(token, disposition);
      return ok({});
    },
  },
  'com.microsoft:peek-message': {
    right: 'Listen',
    perform: (queue, body) => {
      const sessionId = body['session-id'];
      const found = queue.peek(
        toNumber(body['from-sequence-number'] ?? 1),
        Math.min(toNumber(body['message-count'] ?? 1), longestPeek),
        typeof sessionId === 'string' ? sessionId : undefined,
      );
      return found.length === 0 ? noContent : ok({ messages: found.map((message) => ({ message })) });
    },
  },
  'com.microsoft:receive-by-sequence-number': {
    right: 'Listen',
    perform: (queue, body, heldSession) => {
      const sessionId = body['session-id'];
      const session = typeof sessionId === 'string' ? heldSession(sessionId) : undefined;
      const deletes = toNumber(body['receiver-settle-mode'] ?? 1) === settlesOnReceive;
      const handed = queue.receiveDeferred(sequenceNumbers(body), deletes, session);
      return ok({
        messages: handed.map(({ encoded, lockToken }) => ({
          message: encoded,
          ...(lockToken ? { 'lock-token': types.wrap_uuid(lockToken) } : {}),
        })),
      });
    },
  },
  'com.microsoft:schedule-message': {
    right: 'Send',
    perform: (queue, body) => {
      const messages = (Array.isArray(body.messages) ? body.messages : []) as RequestBody[];
      const encoded = messages.map(({ message }) => {
        if (!Buffer.isBuffer(message)) throw invalidArgument('Each of the messages must be encoded.');
        return parseMessage(message);
      });
      return ok({ 'sequence-numbers': longs(queue.enqueue(encoded)) });
    },
  },
  'com.microsoft:cancel-scheduled-message': {
    right: 'Send',
    perform: (queue, body) => {
      queue.cancelScheduled(sequenceNumbers(body));
      return ok({});
    },
  },
  'com.microsoft:renew-session-lock': {
    right: 'Listen',
    perform: (queue, body, heldSession) => {
      const session = heldSession(String(body['session-id']));
      return ok({ expiration: types.Timestamp(queue.sessions?.renew(session) ?? 0) });
    },
  },
  'com.microsoft:get-session-state': {
    right: 'Listen',
    perform: (_queue, body, heldSession) => {
      const { state } = heldSession(String(body['session-id']));
      return ok({ 'session-state': state ?? types.Null() });
    },
  },
  'com.microsoft:set-session-state': {
    right: 'Listen',
    perform: (queue, body, heldSession) => {
      const { id } = heldSession(String(body['session-id']));
      queue.setSessionState(id, sessionState(body['session-state']));
      return ok({});
    },
  },
  'com.microsoft:get-message-sessions': {
    right: 'Listen',
    perform: (queue, body) => {
      if (!queue.sessions) throw invalidArgument(`The entity '${queue.address}' does not require sessions.`);
      const after = body['last-updated-time'];
      const moment = after instanceof Date ? after.getTime() : toNumber(after ?? 0);
      const skip = toNumber(body.skip ?? 0);
      const ids = queue.sessions.updatedAfter(moment).slice(skip, skip + toNumber(body.top ?? 100));
      return ids.length === 0 ? noContent : ok({ skip: types.Int(skip + ids.length), 'sessions-ids': ids });
    },
  },
};

/** The SDK says "no state" with the JSON text `null`. */
function sessionState(given: unknown): Buffer | undefined {
  if (given === undefined || given === null) return undefined;
  if (!Buffer.isBuffer(given)) throw invalidArgument('session-state must be binary or null.');
  return given.equals(Buffer.from('null')) ? undefined : Buffer.from(given);
}

const longs = (values: readonly number[]): Typed => types.wrap_array(values, longCode);

function sequenceNumbers(body: RequestBody): number[] {
  const numbers = body['sequence-numbers'];
  if (!Array.isArray(numbers) || numbers.length === 0) {
    throw invalidArgument('sequence-numbers must be an array of longs.');
  }
  return numbers.map(toNumber);
}

export function lockTokens(body: RequestBody): Buffer[] {
  const tokens = body['lock-tokens'];
  if (!Array.isArray(tokens) || tokens.length === 0 || !tokens.every((token) => Buffer.isBuffer(token))) {
    throw invalidArgument('lock-tokens must be an array of uuids.');
  }
  return tokens as Buffer[];
}

function dispositionOf(body: RequestBody): Disposition {
  const properties = (body['properties-to-modify'] ?? {}) as RequestBody;
  const status = body['disposition-status'];
  switch (status) {
    case 'completed':
      return { kind: 'complete' };
    case 'abandoned':
      return { kind: 'abandon', properties };
    case 'defered': // The protocol spells it so.
      return { kind: 'defer', properties };
    case 'suspended': {
      const reason = body['deadletter-reason'];
      const description = body['deadletter-description'];
      return {
        kind: 'dead-letter',
        ...(typeof reason === 'string' ? { reason } : {}),
        ...(typeof description === 'string' ? { description } : {}),
        properties,
      };
    }
    default:
      throw invalidArgument(`The disposition-status '${String(status)}' is not known.`);
  }
}
