/**
 * The few members of `Bun` that hawser uses, as structural types.
 *
 * @module
 */

/** The `data` of a socket, to which everything that Bun reports of it is passed. */
export interface BunOwner {
  /** Called when the socket was connected or accepted. */
  connected(socket: BunSocket): void;
  received?(chunk: Uint8Array): void;
  drained?(): void;
  ended?(): void;
  lost?(cause: unknown): void;
}

/** A socket: TCP or unix. */
export interface BunSocket {
  /** What we set; until the socket is open, what was passed to `connect` or `listen`. */
  data: BunOwner | undefined;
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  /**
   * Returns how many bytes were taken: 0 when there is no room, -1 when the socket is closed. Always pass the
   * last two arguments: an offset alone throws (oven-sh/bun#42997).
   */
  write(chunk: Uint8Array, offset: number, length: number): number;
  /** Ends our direction. */
  shutdown(): void;
  /**
   * Closes both directions at once, which is not graceful: see oven-sh/bun#35947. The `close` handler runs
   * inside the call.
   */
  end(): void;
  pause(): void;
  resume(): void;
  ref(): void;
  unref(): void;
  setNoDelay(on: boolean): unknown;
  setKeepAlive(on: boolean, initialDelayMs?: number): unknown;
}

/** The handlers that Bun calls. One object serves every socket. */
export interface BunHandlers {
  readonly binaryType: "uint8array";
  open(socket: BunSocket): void;
  data(socket: BunSocket, chunk: Uint8Array): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, cause?: unknown): void;
  error(socket: BunSocket, cause: unknown): void;
}

/** A listener: TCP or unix. */
export interface BunListener {
  readonly hostname: string;
  readonly port: number;
  /** Without an argument, accepted sockets stay open. */
  stop(closeConnections?: boolean): void;
  ref(): void;
  unref(): void;
}

/** Where to connect to, or to listen. */
export type BunTarget = { readonly hostname: string; readonly port: number } | { readonly unix: string };

/** How to connect to a target or to listen at it. */
export interface BunSetup {
  readonly socket: BunHandlers;
  readonly allowHalfOpen: true;
  readonly data: BunOwner;
}

/** The `Bun` namespace. */
export interface BunApi {
  connect(setup: BunTarget & BunSetup): Promise<BunSocket>;
  listen(setup: BunTarget & BunSetup): BunListener;
}

/** Returns the `Bun` namespace, looked up on use, so that any runtime may load the adapter. */
export function bunApi(): BunApi {
  const { Bun } = globalThis as unknown as { readonly Bun?: BunApi };
  if (Bun === undefined) throw new Error("The Bun adapter needs Bun; this runtime has its own adapter");
  return Bun;
}
