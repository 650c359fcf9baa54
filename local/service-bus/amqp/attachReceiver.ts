import { BrokerError } from '../brokerError.ts';
import { dotNetTicks } from '../codec/values.ts';
import type { Deadlines } from '../engine/deadlines.ts';
import type { Session } from '../engine/model.ts';
import type { Queue } from '../engine/queue.ts';
import type { SessionDispatcher } from '../engine/sessionDispatcher.ts';
import { EntityReceiver, type ReceiverContext } from './entityReceiver.ts';
import { type SenderLink, type Terminus, types } from './rhea.ts';
import { holdBackAttach } from './serverConnection.ts';

const sessionFilter = 'com.microsoft:session-filter';
const defaultWaitMs = 60_000;
const longestWaitMs = 65_000;

/** Attaches a client's receiver. Throws BrokerError when it may not be. */
export function attachReceiver(
  link: SenderLink,
  path: string,
  queue: Queue,
  context: ReceiverContext,
): EntityReceiver {
  const { filter } = link.source ?? {};
  const wantsSession = filter !== undefined && filter !== null && sessionFilter in filter;
  const { sessions } = queue;
  if (!sessions) {
    if (wantsSession) {
      throw new BrokerError(
        'amqp:not-allowed',
        'A sessionful message receiver cannot be created on an entity that does not require sessions.',
      );
    }
    echoTermini(link, link.source?.filter);
    return new EntityReceiver(link, path, queue, context);
  }
  if (!wantsSession) {
    throw new BrokerError(
      'amqp:not-allowed',
      'It is not possible for an entity that requires sessions to create a non-sessionful message receiver.',
    );
  }
  const receiver = new EntityReceiver(link, path, queue, context);
  const id = filterValue(filter[sessionFilter]);
  if (id === undefined) waitForSession(link, receiver, sessions, context.deadlines);
  else {
    try {
      answerWithSession(link, sessions.accept(id, receiver));
    } catch (error) {
      receiver.gone(false);
      throw error;
    }
  }
  return receiver;
}

/** The next session may be long in coming, and the client takes no news but the answer to its attach. */
function waitForSession(
  link: SenderLink,
  receiver: EntityReceiver,
  sessions: SessionDispatcher,
  deadlines: Deadlines,
): void {
  holdBackAttach(link);
  const asked = Number(link.properties?.['com.microsoft:timeout'] ?? defaultWaitMs);
  const timeout = deadlines.schedule(Date.now() + Math.min(asked, longestWaitMs), () =>
    receiver.end(
      new BrokerError('com.microsoft:timeout', 'The operation did not complete within the allotted timeout.'),
    ),
  );
  let granted = false;
  const stopWaiting = sessions.acceptNext(receiver, (session) => {
    granted = true;
    timeout.cancel();
    receiver.sessionGranted();
    answerWithSession(link, session);
    link.open();
  });
  if (!granted) {
    receiver.waitsForSession(() => {
      timeout.cancel();
      stopWaiting();
    });
  }
}

function answerWithSession(link: SenderLink, session: Session): void {
  echoTermini(link, { [sessionFilter]: session.id });
  link.local.attach.properties = {
    'com.microsoft:locked-until-utc': types.Long(dotNetTicks(session.lockedUntil)),
  };
}

function echoTermini(link: SenderLink, filter: Terminus['filter'] | null): void {
  link.set_source({ address: link.source?.address ?? '', ...(filter ? { filter: { ...filter } } : {}) });
  link.set_target(link.target?.address === undefined ? {} : { address: link.target.address });
}

/** Null asks for whichever session comes next. */
function filterValue(filter: unknown): string | undefined {
  const value =
    typeof filter === 'object' && filter !== null && 'value' in filter
      ? (filter as { value: unknown }).value
      : filter;
  return typeof value === 'string' ? value : undefined;
}
