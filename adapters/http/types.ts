/**
 * The few members of web servers that hawser uses, as structural types: the package depends on nobody's.
 *
 * @module
 */

import type { NodeSocket } from "../node/types.ts";

/** A request of `node:http`. */
export interface HttpRequestLike {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  /** Names and values by turns, as they were sent. */
  readonly rawHeaders: readonly string[];
}

/** A socket that `node:http` hands over. */
export interface UpgradedSocket extends NodeSocket {
  /** With TLS. */
  readonly encrypted?: boolean;
  setTimeout?(delayMs: number): unknown;
}

/** A server of `node:http` or `node:https`. */
export interface HttpServerLike {
  // deno-lint-ignore no-explicit-any
  on(event: "upgrade", listener: (request: any, socket: any, head: any) => void): unknown;
  // deno-lint-ignore no-explicit-any
  off(event: "upgrade", listener: (request: any, socket: any, head: any) => void): unknown;
  listenerCount(event: "upgrade"): number;
  address(): unknown;
}

/** A `Request` as `Bun.serve` and `Deno.serve` have it. */
export interface FetchRequestLike {
  readonly method: string;
  readonly url: string;
  readonly headers: { forEach(visit: (value: string, name: string) => void): void };
}

/** The server of `Bun.serve`. */
export interface BunServerLike {
  readonly hostname?: string | undefined;
  // deno-lint-ignore no-explicit-any
  upgrade(request: any, options?: any): boolean;
  // deno-lint-ignore no-explicit-any
  requestIP(request: any): { readonly address: string; readonly port: number } | null;
}

/** What `Deno.serve` tells of a request besides the request. */
export interface DenoInfoLike {
  readonly remoteAddr: unknown;
}

/** A WebSocket of `Bun.serve`. */
export interface BunSocketLike {
  readonly data: unknown;
  binaryType?: string;
  send(message: Uint8Array): number;
  ping(payload: Uint8Array): number;
  pause?(): void;
  resume?(): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
  getBufferedAmount?(): number;
}

/** The options `websocket` of `Bun.serve` that serve hawser's sockets. */
export interface BunHandlers {
  // deno-lint-ignore no-explicit-any
  open(socket: any): void;
  // deno-lint-ignore no-explicit-any
  message(socket: any, message: any): void;
  // deno-lint-ignore no-explicit-any
  drain(socket: any): void;
  // deno-lint-ignore no-explicit-any
  ping(socket: any, payload: any): void;
  // deno-lint-ignore no-explicit-any
  pong(socket: any, payload: any): void;
  // deno-lint-ignore no-explicit-any
  close(socket: any, code: number, reason: string): void;
  readonly maxPayloadLength: number;
  readonly backpressureLimit: number;
  readonly idleTimeout: number;
  readonly sendPings: boolean;
  readonly perMessageDeflate: boolean;
}

/** A WebSocket of `Deno.upgradeWebSocket`. */
export interface DenoSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: { readonly message?: string }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  send(message: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

/** The global `Response`, if the program's types have one. */
export type ResponseLike = typeof globalThis extends { Response: { prototype: infer Found } } ? Found
  : unknown;

/** The globals of the runtimes that serve by `fetch`. */
export interface ServeGlobals {
  readonly Response: new (
    body: string | null,
    init: { readonly status: number; readonly headers?: Readonly<Record<string, string>> },
  ) => ResponseLike;
  readonly Deno?: {
    upgradeWebSocket?(
      request: FetchRequestLike,
      options: { readonly idleTimeout: number },
    ): {
      readonly socket: DenoSocketLike;
      readonly response: ResponseLike & { readonly headers: { set(name: string, value: string): void } };
    };
  };
}
