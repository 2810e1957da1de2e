/**
 * The base classes of all sockets, of those that send, of those that receive, and of those that do both. The
 * concrete types are in types/.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import type { PatternClass } from "../pattern/pattern.ts";
import type { Message, Peer } from "../pattern/pipe/pipe.ts";
import type { TlsOptions } from "../transport_options.ts";
import type { SocketType } from "../zmtp/socket_type.ts";
import { callFault, type CallOption, checkValue, show, type WaitOptions } from "./call_options.ts";
import { isPlainObject } from "../arguments.ts";
import { Context, sharedContext } from "./context.ts";
import { nameAs, showAs } from "../inspect.ts";
import type { MessageInput } from "./message.ts";
import type { Observer } from "./observer.ts";
import { checkOption, OPTION_NAMES, type OptionName, readOption } from "./options.ts";
import { type ReadyOptions, SocketCore } from "./socket_core.ts";

/** The context that a socket belongs to. If omitted, the shared one. */
export interface ContextOption {
  readonly context?: Context;
}

/** A summary of a socket, as `toJSON` returns it. */
export interface SocketSummary {
  readonly type: SocketType;
  /** Endpoints that the socket is bound to. */
  readonly bound: readonly string[];
  /** Endpoints that the socket is connected to or is trying to reach. */
  readonly connected: readonly string[];
  /** Number of connected peers. */
  readonly peers: number;
  /** Messages that were sent but not yet taken by a transport. */
  readonly queued: number;
  readonly closed: boolean;
}

const CONTEXT: CallOption = { allowed: "a Context", allows: (value) => value instanceof Context };

/** The base class of all sockets: endpoints, peers and events. */
export abstract class Socket {
  /** @internal For hawser's own classes. */
  protected readonly core: SocketCore;

  /**
   * @throws {MisuseError} `ERR_OPTION` for an option that is unknown or not allowed, `ERR_CLOSED` for a
   * closed context.
   */
  constructor(type: SocketType, pattern: PatternClass, options: object & ContextOption = {}) {
    if (!isPlainObject(options)) {
      throw new MisuseError(
        "ERR_OPTION",
        `Cannot use ${show(options)} as the options of a ${type} socket: allowed is a plain object`,
      );
    }
    const { context } = options as ContextOption;
    if (context !== undefined) checkValue("context", context, CONTEXT);
    this.core = new SocketCore(type, context ?? sharedContext(), options, (init) => new pattern(init));
  }

  /** The type as peers see it, such as `"PUSH"`. */
  get type(): SocketType {
    return this.core.type;
  }

  /** The context that the socket belongs to. */
  get context(): Context {
    return this.core.context;
  }

  /** Whether {@link close} was called. */
  get closed(): boolean {
    return this.core.closed;
  }

  /**
   * The real endpoint of the last `bind` (with the port the system chose), or of the last `connect`; `null`
   * before either.
   */
  get lastEndpoint(): string | null {
    return this.core.endpoints.last;
  }

  /** The events of the socket's endpoints and peers. */
  get events(): Observer {
    return this.core.observer;
  }

  /** The connected peers. */
  get peers(): readonly Peer[] {
    return this.core.peers;
  }

  /**
   * Binds to an endpoint and accepts connections: `tcp://127.0.0.1:5555`, `tcp://*:0` (any interface, a free
   * port), `ipc:///path`, `ipc://@name` (Linux, abstract), `inproc://name`. Resolves with the real endpoint,
   * including the port or path that the system chose, which others can connect to.
   *
   * @throws {MisuseError} (rejects) `ERR_ENDPOINT`, `ERR_ADDRESS_IN_USE`, `ERR_ADDRESS`, `ERR_PERMISSION`,
   * `ERR_CLOSED`. The socket is unchanged then.
   */
  bind(address: string): Promise<string> {
    return this.core.endpoints.bind(address);
  }

  /**
   * Stops accepting on a bound endpoint (the one that `bind` resolved with); accepted connections stay open.
   * Rejects with `ERR_NOT_BOUND` if the socket is not bound to it.
   */
  unbind(address: string): Promise<void> {
    return this.core.endpoints.unbind(address);
  }

  /**
   * Connects to an endpoint, and reconnects whenever the connection is lost. Returns at once; the peer need
   * not be running yet. If the runtime lacks the permission to connect, the failure is final: the event
   * `connect:delay` reports it (`ERR_PERMISSION`), then `close` follows. Once the socket has no other
   * endpoint, its calls reject with the same error instead of waiting, until another is bound or connected.
   *
   * Connecting a Dealer, Subscriber, Publisher or Request again to the same endpoint does nothing, as in
   * libzmq; the other types make another connection.
   *
   * @throws {MisuseError} `ERR_ENDPOINT`, `ERR_CLOSED`
   */
  connect(address: string, options?: undefined): void {
    const fault = options === undefined ? undefined : callFault("connect", options, {});
    if (fault !== undefined) throw fault;
    this.core.endpoints.connect(address);
  }

  /** Ends the connections made by `connect(address)`. @throws {MisuseError} `ERR_NOT_BOUND` */
  disconnect(address: string): void {
    this.core.endpoints.disconnect(address);
  }

  /**
   * Resolves when `peers` peers (default 1) are connected and have completed the handshake.
   *
   * @throws {MisuseError} (rejects) `ERR_CLOSED`, `ERR_AGAIN`, `ERR_ABORTED`, `ERR_OPTION`
   */
  ready(options?: ReadyOptions): Promise<void> {
    return this.core.waitForPeers(options);
  }

  /**
   * Uses a new certificate for connections over `tls://` and `wss://` that are accepted or made from now on,
   * without closing those that exist or the listener. With `tls`, sets the option `tls`; without it, files
   * are read again. When it rejects, running listeners keep what they have.
   *
   * @throws {MisuseError} (rejects) `ERR_CERTIFICATE_KEY`, `ERR_OPTION`, `ERR_CLOSED`
   */
  renewTls(tls?: TlsOptions): Promise<void> {
    return this.core.renewTls(tls);
  }

  /**
   * Closes the socket and returns at once. Waiting operations are rejected (`ERR_CLOSED`); queued messages
   * may still leave during the linger time.
   */
  close(): void {
    this.core.close();
  }

  /** The fields that `JSON.stringify` shows; `console.log` shows them on one line. */
  toJSON(): SocketSummary {
    const { type, endpoints, peers, sender, closed } = this.core;
    return {
      type,
      bound: endpoints.bound,
      connected: endpoints.connected,
      peers: peers.length,
      queued: endpoints.queuedMessages + sender.waiting,
      closed,
    };
  }

  /** Same as {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes the socket and waits until everything is gone, at most for the linger time. For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return this.core.ended;
  }
}

/** The methods of every socket that sends. */
export interface SendMethods {
  /** Whether `trySend` is worth a try. */
  readonly writable: boolean;
  /**
   * Sends a message: one frame, or several as an array. Resolves when it is queued for a peer, and waits
   * while no peer has room. Many sends may be pending; they are served in order.
   *
   * @throws {MisuseError} (rejects) `ERR_MESSAGE`, `ERR_CLOSED`, `ERR_AGAIN`, `ERR_WAITERS`, `ERR_ABORTED`,
   * `ERR_OPTION`
   */
  send(message: MessageInput, options?: WaitOptions): Promise<void>;
  /**
   * Sends a message if it can be queued now. Otherwise returns false, and `waitWritable` resolves when it is
   * worth another try. Creates no promise.
   */
  trySend(message: MessageInput): boolean;
  /** Resolves when `trySend` is worth a try. @throws {MisuseError} (rejects) as {@link send} */
  waitWritable(options?: WaitOptions): Promise<void>;
}

/** A socket that sends. Sockets that also receive are instances of it too. */
export abstract class SendingSocket extends Socket implements SendMethods {
  get writable(): boolean {
    return !this.core.closed && this.core.pattern.canSend;
  }

  send(message: MessageInput, options?: WaitOptions): Promise<void> {
    return this.core.sender.send(message, options);
  }

  trySend(message: MessageInput): boolean {
    return this.core.sender.trySend(message);
  }

  waitWritable(options?: WaitOptions): Promise<void> {
    return this.core.sender.waitWritable(options);
  }
}

/** A socket that receives. Sockets that also send are instances of it too. */
export abstract class ReceivingSocket extends Socket {
  /** Whether `tryReceive` is worth a try. */
  get readable(): boolean {
    return !this.core.closed && this.core.pattern.canReceive;
  }

  /**
   * Returns the next message as an array of frames. Frames are views into received chunks: keeping a small
   * frame keeps its whole chunk in memory. `frame.slice()` makes a separate copy.
   *
   * @throws {MisuseError} (rejects) `ERR_CLOSED`, `ERR_AGAIN`, `ERR_ABORTED`, `ERR_OPTION`
   */
  receive(options?: WaitOptions): Promise<Message> {
    return this.core.receiver.receive(options);
  }

  /** Returns the next message, or `undefined` when there is none now. */
  tryReceive(): Message | undefined {
    return this.core.receiver.tryReceive();
  }

  /** Returns the messages that have arrived, at most `max` (default 1 000), possibly none. */
  receiveMany(max = 1_000): Message[] {
    return this.core.receiver.receiveMany(max);
  }

  /** Resolves when `tryReceive` is worth a try. */
  waitReadable(options?: WaitOptions): Promise<void> {
    return this.core.receiver.waitReadable(options);
  }

  /**
   * Iterates over what has arrived, in arrays of 1 to `max` messages (default 1 000), until the socket
   * closes. Waits at most `receiveTimeout` for each.
   */
  batches(max = 1_000): AsyncIterableIterator<Message[]> {
    return this.core.receiver.batches(max);
  }

  /** Iterates over every message until the socket closes. Waits at most `receiveTimeout` for each. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message> {
    return this.core.receiver.messages();
  }
}

/** A socket that sends and receives. */
export abstract class DuplexSocket extends ReceivingSocket {}
export interface DuplexSocket extends SendMethods {}

// A class can extend only one base, so the other's members are copied over unchanged.
for (const name of ["writable", "send", "trySend", "waitWritable"] satisfies (keyof SendMethods)[]) {
  Object.defineProperty(
    DuplexSocket.prototype,
    name,
    Object.getOwnPropertyDescriptor(SendingSocket.prototype, name)!,
  );
}

// To the compiler a DuplexSocket is a SendingSocket, because it has all of its members. `instanceof` must
// agree.
Object.defineProperty(SendingSocket, Symbol.hasInstance, {
  value(this: unknown, value: unknown): boolean {
    const isInstance = (kind: unknown): boolean => Function.prototype[Symbol.hasInstance].call(kind, value);
    return isInstance(this) || (this === SendingSocket && isInstance(DuplexSocket));
  },
});

/**
 * Refuses properties that a socket does not have. Without it a misspelled option, or one of zeromq.js that
 * would decide who may connect (`plainServer`), becomes an ordinary property that does nothing. It is at the
 * end of the prototype chain, so only unknown names reach it; class fields of subclasses are defined, and do
 * not.
 */
Object.setPrototypeOf(
  Socket.prototype,
  new Proxy({}, {
    set(_target, name, value, receiver): boolean {
      // Symbols are other libraries' own. Some compilers do not define declared fields, but assign them.
      if (typeof name === "symbol" || name === "core") {
        return Reflect.defineProperty(receiver, name, { value, writable: true, configurable: true });
      }
      checkOption((receiver as Socket).type, name, value);
      return false;
    },
  }),
);

showAs(Socket.prototype, "Socket", (socket) => {
  const { bound, connected, peers, queued, closed } = socket.toJSON();
  return {
    bound: bound.length > 0 ? bound : undefined,
    connected: connected.length > 0 ? connected : undefined,
    peers,
    queued: socket instanceof SendingSocket ? queued : undefined,
    closed: closed ? true : undefined,
  };
});

/** Defines the options of a socket type as properties of its class, and the name under which it is shown. */
export function defineOptions(prototype: Socket, name: string, type: SocketType): void {
  nameAs(prototype, name);
  for (const option of OPTION_NAMES[type]) {
    Object.defineProperty(prototype, option, {
      get(this: { core: SocketCore }): unknown {
        return readOption(option as OptionName, this.core.options[option]);
      },
      set(this: { core: SocketCore }, value: unknown): void {
        this.core.setOption(option as OptionName, value);
      },
      configurable: true,
      enumerable: true,
    });
  }
}
