/**
 * The one door to rhea. Its own typings describe a client and leave out what a server needs, so the parts in use are
 * described here, internals included. The version is pinned: what is marked "internal" may change in any release.
 */
import rhea from 'rhea';

export interface Typed {
  readonly type: { readonly typecode: number };
  readonly value: unknown;
  readonly descriptor?: Typed;
}

interface Reader {
  position: number;
  read(): Typed;
  remaining(): number;
}

interface Writer {
  write(value: Typed): void;
  toBuffer(): Buffer;
}

interface Types {
  readonly Reader: new (buffer: Buffer) => Reader;
  readonly Writer: new () => Writer;
  Null(): Typed;
  True(): Typed;
  Ubyte(value: number): Typed;
  Uint(value: number): Typed;
  Int(value: number): Typed;
  Long(value: number | Buffer): Typed;
  Timestamp(value: number): Typed;
  List32(items: readonly Typed[]): Typed;
  Map32(keysAndValues: readonly Typed[]): Typed;
  wrap(value: unknown): Typed;
  wrap_string(value: string): Typed;
  wrap_symbol(value: string): Typed;
  wrap_ulong(value: number): Typed;
  wrap_uuid(value: Buffer): Typed;
  wrap_map(value: object): Typed;
  wrap_array(values: readonly unknown[], typecode: number): Typed;
  unwrap(value: unknown): unknown;
  described_nc(descriptor: Typed, value: Typed): Typed;
}

export interface AmqpError {
  readonly condition: string;
  readonly description?: string;
  readonly info?: Readonly<Record<string, unknown>>;
}

interface Outcome {
  described(): unknown;
}

export interface DecodedMessage {
  readonly message_id?: unknown;
  readonly correlation_id?: unknown;
  readonly reply_to?: string;
  readonly application_properties?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
}

export interface Delivery {
  readonly id: number;
  remote_settled: boolean;
  settled: boolean;
  readonly remote_state?: {
    readonly undeliverable_here?: boolean;
    readonly message_annotations?: Readonly<Record<string, unknown>>;
    readonly error?: AmqpError;
  };
  update(settled: boolean, state: unknown): void;
  accept(): void;
  reject(error: AmqpError): void;
}

export interface Terminus {
  readonly address?: string;
  readonly filter?: Readonly<Record<string, unknown>>;
}

interface Link {
  readonly name: string;
  readonly session: Session;
  readonly connection: Connection;
  readonly source?: Terminus;
  readonly target?: Terminus;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly snd_settle_mode?: number;
  readonly rcv_settle_mode?: number;
  /** Internal: the attach frame about to be sent. */
  readonly local: {
    readonly attach: {
      source: unknown;
      target: unknown;
      max_message_size?: number;
      snd_settle_mode?: number;
      rcv_settle_mode?: number;
      properties?: unknown;
    };
  };
  /** Internal. */
  readonly state: { local_open: boolean; open_requests: number };
  set_source(fields: Terminus): void;
  set_target(fields: Terminus): void;
  open(): void;
  close(error?: AmqpError): void;
  is_open(): boolean;
  is_remote_open(): boolean;
}

/** The broker's receiving end of a client's sender. */
export interface ReceiverLink extends Link {
  /** Internal: the transfer whose last frame has not come yet. */
  readonly _incomplete?: unknown;
}

/** The broker's sending end of a client's receiver. */
export interface SenderLink extends Link {
  credit: number;
  delivery_count: number;
  /** Internal. */
  readonly _draining: boolean;
  /** Internal. */
  _get_drain(): boolean;
  send(message: Buffer, tag: Buffer, format: number): Delivery;
  send(message: object): Delivery;
  set_drained(drained: boolean): void;
}

interface TransferFrame {
  readonly payload?: Buffer;
  readonly performative: { message_format?: number; readonly handle: number };
}

export interface Session {
  /** Internal: links take over this connection object when they are made. */
  connection: Connection;
  readonly outgoing: { available(): number };
  /** Internal. */
  on_transfer(frame: TransferFrame): void;
  /** Internal. */
  _get_link(frame: TransferFrame): ReceiverLink;
  /** Internal. */
  _process(): void;
}

export interface Socket {
  destroy(): void;
  on(event: string, listener: (...values: never[]) => void): unknown;
}

export interface Connection {
  readonly socket?: Socket;
  /** Internal: size of the frame that is being collected. */
  readonly frame_size?: number;
  /** Internal. */
  readonly state: { need_open(): boolean; need_close(): boolean; has_settled(): boolean };
  /** Internal. */
  registered: boolean;
  accept(socket: unknown): unknown;
  close(error?: AmqpError): void;
  eof(): void;
  is_closed(): boolean;
  on(event: string, listener: (context: EventContext) => void): unknown;
  /** Internal from here on. */
  input(bytes: Buffer): void;
  create_session(bufferSize?: unknown): Session;
  remove_session(session: Session): void;
  dispatch(name: string, ...values: unknown[]): boolean;
  _context(context?: object): object;
  _register(): void;
  _process(): void;
  _write_open(): void;
  _write_close(): void;
  _write_frame(channel?: number, frame?: unknown, payload?: Buffer): void;
}

export interface EventContext {
  readonly connection: Connection;
  readonly session: Session;
  readonly receiver: ReceiverLink;
  readonly sender: SenderLink;
  readonly delivery: Delivery;
  /** A buffer when the transfer's format is not 0. */
  readonly message: DecodedMessage | Buffer;
  readonly format?: number;
}

export interface Container {
  readonly sasl_server_mechanisms: { enable_anonymous(): void };
  create_connection(options: object): Connection;
  on(event: string, listener: (context: EventContext) => void): unknown;
}

interface Library {
  readonly types: Types;
  readonly message: {
    accepted(): Outcome;
    rejected(fields: { error: AmqpError }): Outcome;
  };
  create_container(options: object): Container;
}

const library = rhea as unknown as Library;
export const { types } = library;
export const acceptedState = (): unknown => library.message.accepted().described();
export const rejectedState = (error: AmqpError): unknown => library.message.rejected({ error }).described();
export const createContainer = (options: object): Container => library.create_container(options);
