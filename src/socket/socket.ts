/**
 * The base classes of all sockets: endpoints and events; sending; receiving; both. The concrete types are in sockets.ts.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import type { Message, Peer } from "../pattern/pipe.ts";
import type { SocketType } from "../zmtp/socket_type.ts";
import {
  callFault,
  type CallOption,
  checkValue,
  isPlainObject,
  show,
  type WaitOptions,
} from "./call_options.ts";
import { Context, sharedContext } from "./context.ts";
import { nameAs, showAs } from "../inspect.ts";
import type { MessageInput } from "./message.ts";
import type { Observer } from "./observer.ts";
import { OPTION_NAMES, type OptionName, readOption } from "./options.ts";
import { type ReadyOptions, SocketCore } from "./socket_core.ts";

/** The context that a socket lives in; missing: the shared one. */
export interface ContextOption {
  readonly context?: Context;
}

/** What a socket says of itself. */
export interface SocketSummary {
  readonly type: SocketType;
  /** Endpoints that it is bound to, and that it is connected to or tries to be. */
  readonly bound: readonly string[];
  readonly connected: readonly string[];
  /** How many peers are there. */
  readonly peers: number;
  /** Messages that were sent and that no transport has taken. */
  readonly queued: number;
  readonly closed: boolean;
}

const CONTEXT: CallOption = { allowed: "a Context", allows: (value) => value instanceof Context };

/** What every socket can do. */
export abstract class Socket {
  /** @internal For hawser's own classes. */
  protected readonly core: SocketCore;

  /** @throws {MisuseError} `ERR_OPTION` for an option that is unknown or not allowed, `ERR_CLOSED` for a closed context. */
  constructor(type: SocketType, options: object & ContextOption = {}) {
    if (!isPlainObject(options)) {
      throw new MisuseError(
        "ERR_OPTION",
        `Cannot take ${show(options)} for the options of a ${type} socket: allowed is a plain object`,
      );
    }
    const { context } = options as ContextOption;
    if (context !== undefined) checkValue("context", context, CONTEXT);
    this.core = new SocketCore(type, context ?? sharedContext(), options);
  }

  /** The type as peers see it, `"PUSH"`. */
  get type(): SocketType {
    return this.core.type;
  }

  /** The context that the socket lives in. */
  get context(): Context {
    return this.core.context;
  }

  /** Whether {@link close} was called. */
  get closed(): boolean {
    return this.core.closed;
  }

  /** The real endpoint of the last `bind` (with the port the system chose), or of the last `connect`; `null` before. */
  get lastEndpoint(): string | null {
    return this.core.endpoints.last;
  }

  /** What happens to the socket's endpoints and peers. */
  get events(): Observer {
    return this.core.observer;
  }

  /** The peers that are there. */
  get peers(): readonly Peer[] {
    return this.core.peers;
  }

  /**
   * Binds to an endpoint and accepts connections: `tcp://127.0.0.1:5555`, `tcp://*:0` (any interface, a free port),
   * `ipc:///path`, `ipc://@name` (Linux, abstract), `inproc://name`. Resolves with the real endpoint, with
   * the port or path that the system chose: what others connect to.
   *
   * @throws {MisuseError} (rejects) `ERR_ENDPOINT`, `ERR_ADDRESS_IN_USE`, `ERR_ADDRESS`, `ERR_PERMISSION`, `ERR_CLOSED`. The socket
   * is as before.
   */
  bind(address: string): Promise<string> {
    return this.core.endpoints.bind(address);
  }

  /**
   * Stops accepting on a bound endpoint (what `bind` resolved with); accepted connections live on. Rejects
   * with `ERR_NOT_BOUND`.
   */
  unbind(address: string): Promise<void> {
    return this.core.endpoints.unbind(address);
  }

  /**
   * Connects to an endpoint, now and whenever the connection is lost. Returns at once; the peer need not be there yet.
   * Where the runtime was started without the permission for it, that is final: the event `connect:delay` tells
   * (`ERR_PERMISSION`), then `close`, and once the socket has no other endpoint its calls reject with the same error
   * instead of waiting, until another is bound or connected.
   * A Dealer, Subscriber, Publisher or Request that is connected to an endpoint already stays as it is, as in libzmq; the other
   * types make another connection.
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
   * Resolves when `peers` peers (default 1) are there, handshake done.
   *
   * @throws {MisuseError} (rejects) `ERR_CLOSED`, `ERR_ABORTED`
   */
  ready(options?: ReadyOptions): Promise<void> {
    return this.core.waitForPeers(options);
  }

  /** Closes. Returns at once: waiting operations are rejected (`ERR_CLOSED`), queued messages may leave for the linger time. */
  close(): void {
    this.core.close();
  }

  /** What `JSON.stringify` shows of a socket; `console.log` shows it in a line. */
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

  /** As {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes and waits until everything is gone, at most the linger time. For `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return this.core.ended;
  }
}

/** What every socket that sends can do, whatever else it can. */
export interface SendMethods {
  /** Whether `trySend` is worth a try. */
  readonly writable: boolean;
  /**
   * Sends a message: one frame, or several as an array. Resolves when it is queued for a peer; waits while nobody has room.
   * Many sends may be in flight; they are served in order.
   *
   * @throws {MisuseError} (rejects) `ERR_MESSAGE`, `ERR_CLOSED`, `ERR_AGAIN`, `ERR_WAITERS`, `ERR_ABORTED`,
   * `ERR_OPTION`
   */
  send(message: MessageInput, options?: WaitOptions): Promise<void>;
  /**
   * Sends a message if it can be queued now; false: nothing happened, `waitWritable` tells when to try
   * again. Makes no promise.
   */
  trySend(message: MessageInput): boolean;
  /** Resolves when `trySend` is worth a try. @throws {MisuseError} (rejects) as {@link send} */
  waitWritable(options?: WaitOptions): Promise<void>;
}

/** A socket that sends. Those that also receive are instances of it, too. */
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

/** A socket that receives. Those that also send are instances of it, too. */
export abstract class ReceivingSocket extends Socket {
  /** Whether `tryReceive` is worth a try. */
  get readable(): boolean {
    return !this.core.closed && this.core.pattern.canReceive;
  }

  /**
   * The next message, as an array of frames. Frames are views of what arrived: a small one that is kept keeps its whole
   * chunk alive; `frame.slice()` makes a copy of its own.
   *
   * @throws {MisuseError} (rejects) `ERR_CLOSED`, `ERR_AGAIN`, `ERR_ABORTED`
   */
  receive(options?: WaitOptions): Promise<Message> {
    return this.core.receiver.receive(options);
  }

  /** The next message if one is there. */
  tryReceive(): Message | undefined {
    return this.core.receiver.tryReceive();
  }

  /** What is there, at most `max` messages (default 1 000); perhaps none. */
  receiveMany(max = 1_000): Message[] {
    return this.core.receiver.receiveMany(max);
  }

  /** Resolves when `tryReceive` is worth a try. */
  waitReadable(options?: WaitOptions): Promise<void> {
    return this.core.receiver.waitReadable(options);
  }

  /** What is there, in arrays of 1 to `max` messages, again and again until the socket closes. Waits for `receiveTimeout`. */
  batches(max = 1_000): AsyncIterableIterator<Message[]> {
    return this.core.receiver.batches(max);
  }

  /** Every message, until the socket closes. Waits for `receiveTimeout`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message> {
    return this.core.receiver.messages();
  }
}

/** A socket that does both. */
export abstract class DuplexSocket extends ReceivingSocket {}
export interface DuplexSocket extends SendMethods {}

// A class has one base; the other's members are its very functions.
for (const name of ["writable", "send", "trySend", "waitWritable"] satisfies (keyof SendMethods)[]) {
  Object.defineProperty(
    DuplexSocket.prototype,
    name,
    Object.getOwnPropertyDescriptor(SendingSocket.prototype, name)!,
  );
}

// To the compiler a socket that does both is a SendingSocket, for it has all of its members; `instanceof` says the same.
Object.defineProperty(SendingSocket, Symbol.hasInstance, {
  value(this: unknown, value: unknown): boolean {
    const isInstance = (kind: unknown): boolean => Function.prototype[Symbol.hasInstance].call(kind, value);
    return isInstance(this) || (this === SendingSocket && isInstance(DuplexSocket));
  },
});

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

/** Gives a class its options as properties, and its name. */
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
