/**
 * The few members of `node:net` that hawser uses, as structural types, because the published package must not
 * depend on `@types/node`.
 *
 * @module
 */

/** A socket of `node:net`. */
export interface NodeSocket {
  readonly writableLength: number;
  readonly errored: unknown;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  write(chunk: Uint8Array, written?: (error?: unknown) => void): boolean;
  cork(): void;
  uncork(): void;
  end(): unknown;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
  ref(): unknown;
  unref(): unknown;
  setNoDelay(on: boolean): unknown;
  setKeepAlive(on: boolean, initialDelayMs?: number): unknown;
  /** Not documented: the native handle, and the server that counts this connection. */
  _handle?: NodeHandle | null | undefined;
  _server?: unknown;
  server?: unknown;
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  on(event: "error", listener: (cause: unknown) => void): unknown;
  on(event: "connect" | "end" | "close", listener: () => void): unknown;
}

/** A socket's native handle, which is not documented. */
export interface NodeHandle {
  readonly reading?: boolean;
  readonly useUserBuffer?: unknown;
}

/** The option `onread` of a socket: it reads into `buffer()` and then calls `callback`. */
export interface NodeOnRead {
  readonly buffer: () => Uint8Array;
  readonly callback: (length: number) => boolean;
}

/** A server of `node:net`. */
export interface NodeServer {
  on(event: "connection", listener: (socket: NodeSocket) => void): unknown;
  on(event: "error", listener: (cause: unknown) => void): unknown;
  on(event: "listening", listener: () => void): unknown;
  listen(options: NodeListenOptions): unknown;
  address(): { readonly address: string; readonly port: number } | string | null;
  close(): unknown;
  ref(): unknown;
  unref(): unknown;
}

/** Where a socket connects to. */
export interface NodeConnectOptions {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly family?: number;
  readonly allowHalfOpen?: boolean;
  readonly highWaterMark?: number;
  readonly onread?: NodeOnRead;
}

/** The options of a socket over a handle. */
export interface NodeSocketOptions {
  readonly handle: NodeHandle;
  readonly allowHalfOpen: boolean;
  readonly highWaterMark: number;
  readonly onread: NodeOnRead;
}

/** Where a server listens. */
export interface NodeListenOptions {
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly backlog?: number;
}

/** The module `node:net`. */
export interface NodeNet {
  connect(options: NodeConnectOptions): NodeSocket;
  createServer(options: NodeServerOptions): NodeServer;
  readonly Socket: new (options: NodeSocketOptions) => NodeSocket;
}

/** The options of a server. */
export interface NodeServerOptions {
  readonly allowHalfOpen: boolean;
  readonly highWaterMark: number;
  readonly pauseOnConnect?: boolean;
}
