/**
 * hawser: ZeroMQ sockets over ZMTP 3.1 in pure TypeScript, for Node, Deno and Bun.
 *
 * ```ts
 * import { Pull, Push } from "hawser";
 *
 * const pull = new Pull();
 * await pull.bind("tcp://127.0.0.1:0");
 * const push = new Push();
 * push.connect(pull.lastEndpoint!);
 * await push.send(["hello", "world"]);
 * const [hello, world] = await pull.receive();
 * console.log(new TextDecoder().decode(hello), new TextDecoder().decode(world));
 * push.close();
 * pull.close();
 * ```
 *
 * @module
 */

import { detectHost, loadAdapter } from "./adapters/detect.ts";
import type { TransportFactory } from "./src/ports.ts";
import { Context as CoreContext, provideDefaultContext } from "./src/socket/context.ts";

/** Options of a {@link Context}. */
export interface ContextOptions {
  /** Transports by scheme, besides or in place of the runtime's tcp and ipc. */
  readonly transports?: Readonly<Record<string, TransportFactory>>;
  /** Bytes that wait undecoded over all connections, half-received messages included; see there. Default 256 MiB. */
  readonly pendingTotalBytesMax?: number;
  /** Bytes that wait to be sent over all connections; see docs/PROTOCOL.md, "Limits". Default 1 GiB. */
  readonly queuedTotalBytesMax?: number;
  /** Bytes that the topics of all subscribers take; see docs/PROTOCOL.md, "Limits". Default 1 GiB. */
  readonly subscriptionsTotalBytesMax?: number;
}

/** A place for sockets, on this runtime. Sockets of one context reach each other over `inproc://`. */
export class Context extends CoreContext {
  constructor(options: ContextOptions = {}) {
    super({ ...options, host: detectHost(), loadAdapter, schemes: ["tcp", "ipc"] });
  }
}

provideDefaultContext(() => new Context());

export {
  Dealer,
  type DealerOptions,
  Pair,
  type PairOptions,
  Publisher,
  type PublisherOptions,
  Pull,
  type PullOptions,
  Push,
  type PushOptions,
  Reply,
  type ReplyOptions,
  Router,
  type RouterSocketOptions,
  Subscriber,
  type SubscriberOptions,
  XPublisher,
  type XPublisherOptions,
  XSubscriber,
  type XSubscriberOptions,
} from "./src/socket/sockets.ts";
export { Request, type RequestSocketOptions, type RetryOptions } from "./src/socket/request.ts";
export { Proxy, type ProxyFlow, type ProxyStatistics } from "./src/socket/proxy.ts";
export {
  type ContextOption,
  DuplexSocket,
  ReceivingSocket,
  SendingSocket,
  Socket,
} from "./src/socket/socket.ts";
export type {
  ConflateOptions,
  PublishOptions,
  ReceiveOptions,
  RequestOptions,
  RouterOptions,
  RoutingIdOptions,
  SendOptions,
  SocketOptions,
  SubscribeOptions,
  XPublishOptions,
} from "./src/socket/options.ts";
export type { MessageInput, MessageLike } from "./src/socket/message.ts";
export type { Message, Peer } from "./src/pattern/pipe.ts";
export type { SocketType } from "./src/zmtp/socket_type.ts";
export { type EventListener, Observer } from "./src/socket/observer.ts";
export type { SocketEvent, SocketEventType } from "./src/session/events.ts";
export type { WaitOptions } from "./src/socket/wait_list.ts";
export {
  BugError,
  type HawserError,
  type MisuseCode,
  MisuseError,
  type PeerCode,
  PeerError,
} from "./src/errors.ts";
export type {
  AbortSignalLike,
  Adapter,
  Dial,
  Host,
  Listen,
  Listener,
  StreamOptions,
  Transport,
  TransportFactory,
  TransportHandlers,
  TransportInfo,
} from "./src/ports.ts";
