import type { AmqpError, Connection, ReceiverLink, SenderLink, Session } from './rhea.ts';

export interface ConnectionLimits {
  /** Largest frame a peer may send, in bytes. */
  readonly maxFrameSize: number;
  /** Bytes of one unfinished transfer after which the peer is cut off. */
  readonly maxTransferSize: number;
}

/**
 * Format given to transfers that rhea shall hand over undecoded. Format 0 would arrive decoded, its bytes lost, and
 * those bytes have to be stored as they are.
 */
export const undecodedFormat = 0xffff_fffe;

const cutOffAfterMs = 200;

/**
 * Makes a server connection of rhea fit for a broker. Call before `accept`.
 * @param takesUndecoded whether transfers on the link are wanted as raw bytes.
 */
export function prepareConnection(
  connection: Connection,
  limits: ConnectionLimits,
  takesUndecoded: (link: ReceiverLink) => boolean,
): void {
  boundFrames(connection, limits);
  const dirty = new Set<Session>();
  const createSession = connection.create_session;
  connection.create_session = (bufferSize) => {
    const session = createSession.call(connection, bufferSize);
    session.connection = markingDirty(connection, session, dirty);
    guardTransfers(connection, session, limits, takesUndecoded);
    return session;
  };
  processDirtyOnly(connection, dirty);
}

/** Ends a connection. Any other condition leaves the SDK's client dead: it never notices and never reconnects. */
export function forceClose(connection: Connection, description: string): void {
  connection.close({ condition: 'amqp:connection:forced', description });
  setTimeout(() => connection.socket?.destroy(), cutOffAfterMs).unref();
}

/** Stops `open` of an attach that was just received: the answer is sent later, by `link.open()`. */
export function holdBackAttach(link: SenderLink): void {
  link.state.local_open = false;
  link.state.open_requests -= 1;
}

/** A refused link is attached without source and target, and detached at once. */
export function refuseAttach(link: SenderLink | ReceiverLink, error: AmqpError): void {
  link.local.attach.source = undefined;
  link.local.attach.target = undefined;
  link.open();
  link.close(error);
}

/** rhea would collect a frame of any size that a peer announces. */
function boundFrames(connection: Connection, limits: ConnectionLimits): void {
  const input = connection.input;
  connection.input = (bytes) => {
    if (connection.is_closed()) return;
    input.call(connection, bytes);
    if ((connection.frame_size ?? 0) > limits.maxFrameSize) {
      forceClose(connection, `A frame is larger than the agreed ${limits.maxFrameSize} bytes.`);
      connection.socket?.destroy();
    }
  };
}

/** rhea gathers the frames of one transfer without any bound. */
function guardTransfers(
  connection: Connection,
  session: Session,
  limits: ConnectionLimits,
  takesUndecoded: (link: ReceiverLink) => boolean,
): void {
  const onTransfer = session.on_transfer;
  const collected = new WeakMap<ReceiverLink, number>();
  let overflowed = false;
  session.on_transfer = (frame) => {
    if (overflowed) return;
    const link = session._get_link(frame);
    const size = (link._incomplete ? (collected.get(link) ?? 0) : 0) + (frame.payload?.length ?? 0);
    if (size > limits.maxTransferSize) {
      overflowed = true;
      forceClose(connection, `A message is far larger than the link allows (over ${size} bytes so far).`);
      return;
    }
    collected.set(link, size);
    if (!frame.performative.message_format && takesUndecoded(link)) {
      frame.performative.message_format = undecodedFormat;
    }
    onTransfer.call(session, frame);
  };
}

/**
 * rhea walks every session and link of a connection in each turn, which is slow with thousands of them. Each session
 * gets a view of its connection that notes who asked for processing, and only those are walked.
 */
function markingDirty(connection: Connection, session: Session, dirty: Set<Session>): Connection {
  const view = Object.create(connection) as Connection;
  view._register = () => {
    dirty.add(session);
    connection._register();
  };
  // These change or hand out the connection itself, so they must run on it and not on the view.
  view._write_frame = (channel, frame, payload) => connection._write_frame(channel, frame, payload);
  view._context = (context) => connection._context(context);
  view.dispatch = (name, ...values) => connection.dispatch(name, ...values);
  view.remove_session = (other) => {
    dirty.delete(other);
    connection.remove_session(other);
  };
  view.close = (error) => connection.close(error);
  return view;
}

function processDirtyOnly(connection: Connection, dirty: Set<Session>): void {
  connection._process = () => {
    connection.registered = false;
    do {
      if (connection.state.need_open()) connection._write_open();
      for (const session of dirty) {
        dirty.delete(session);
        session._process();
      }
      if (connection.state.need_close()) connection._write_close();
    } while (!connection.state.has_settled());
  };
}
