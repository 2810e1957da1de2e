/**
 * hawser: ZeroMQ sockets over ZMTP 3.1 in pure TypeScript, for Node, Deno and Bun.
 *
 * ```ts
 * import { Pull, Push } from "hawser";
 *
 * const pull = new Pull();
 * const endpoint = await pull.bind("tcp://127.0.0.1:0");
 * const push = new Push();
 * push.connect(endpoint);
 * await push.send(["hello", "world"]);
 * const [hello, world] = await pull.receive();
 * console.log(new TextDecoder().decode(hello), new TextDecoder().decode(world));
 * push.close();
 * pull.close();
 * ```
 *
 * @module
 */

export { Context, type ContextOptions } from "./src/socket/context.ts";
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
  Request,
  type RequestSocketOptions,
  type RetryOptions,
  Router,
  type RouterSocketOptions,
  Subscriber,
  type SubscriberOptions,
  XPublisher,
  type XPublisherOptions,
  XSubscriber,
  type XSubscriberOptions,
} from "./src/socket/sockets.ts";
export { Proxy, type ProxyFlow, type ProxyStatistics } from "./src/socket/proxy.ts";
export {
  type ContextOption,
  DuplexSocket,
  ReceivingSocket,
  SendingSocket,
  type SendMethods,
  Socket,
  type SocketSummary,
} from "./src/socket/socket.ts";
export { type Features, type Inproc, inproc, type Listening, listening } from "./src/socket/features.ts";
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
export type { Message, Peer } from "./src/pattern/pipe/pipe.ts";
export type { SocketType } from "./src/zmtp/socket_type.ts";
export { type EventListener, Observer } from "./src/socket/observer.ts";
export type {
  DisconnectEvent,
  DropEvent,
  EndpointEvent,
  FailureEvent,
  HandshakeEvent,
  RetryEvent,
  SocketEvent,
  SocketEvents,
  SocketEventType,
} from "./src/session/events.ts";
export type { WaitOptions } from "./src/socket/call_options.ts";
export type { ReadyOptions } from "./src/socket/socket_core.ts";
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
  Accept,
  Adapter,
  Attach,
  Dial,
  Host,
  Listen,
  Listener,
  StreamOptions,
  TracedEvent,
  TracedState,
  TraceRecord,
  Transport,
  TransportFactory,
  TransportHandlers,
  TransportInfo,
} from "./src/ports.ts";
export type {
  HttpInfo,
  PeerCertificate,
  Pem,
  TlsInfo,
  TlsOptions,
  WebSocketOptions,
  WebSocketRequest,
} from "./src/transport_options.ts";
