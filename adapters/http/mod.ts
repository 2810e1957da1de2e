/**
 * Sockets behind a web server: ZeroMQ over WebSocket on the port of `node:http` (on any runtime), `Bun.serve`
 * or `Deno.serve`, beside ordinary requests.
 *
 * @module
 */

export {
  WebSocketListener,
  webSocketListener,
  type WebSocketListenerOptions,
} from "./web_socket_listener.ts";
export type {
  BunHandlers,
  BunServerLike,
  DenoInfoLike,
  FetchRequestLike,
  HttpServerLike,
  ResponseLike,
} from "./types.ts";
export type { WebSocketRequest } from "../../src/transport_options.ts";
export { MisuseError } from "../../src/errors.ts";
