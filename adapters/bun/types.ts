/**
 * The few members of `Bun` that hawser uses, as structural types.
 *
 * @module
 */

/** What hangs on a socket, and is told what Bun reports of it. */
export interface BunOwner {
  /** The socket is there: it was connected, or accepted. */
  connected(socket: BunSocket): void;
  received?(chunk: Uint8Array): void;
  drained?(): void;
  ended?(): void;
  lost?(cause: unknown): void;
}

/** A socket: TCP or unix. */
export interface BunSocket {
  /** What we hung on it; until it is open, what the `connect` or `listen` call said. */
  data: BunOwner | undefined;
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  /**
   * How many bytes were taken: 0 when there is no room, -1 when the socket is closed. Never leave out the last two
   * arguments: an offset alone throws (oven-sh/bun#42997).
   */
  write(chunk: Uint8Array, offset: number, length: number): number;
  /** Ends our direction. */
  shutdown(): void;
  /** Closes both directions at once. Not a graceful end: see oven-sh/bun#35947. Calls `close` inside the call. */
  end(): void;
  pause(): void;
  resume(): void;
  ref(): void;
  unref(): void;
  setNoDelay(on: boolean): unknown;
  setKeepAlive(on: boolean, initialDelayMs?: number): unknown;
}

/** What Bun calls. One object serves every socket. */
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
  /** Without an argument accepted sockets live on. */
  stop(closeConnections?: boolean): void;
  ref(): void;
  unref(): void;
}

/** Where to connect to, or to listen. */
export type BunTarget = { readonly hostname: string; readonly port: number } | { readonly unix: string };

/** What goes with a target. */
export interface BunSetup {
  readonly socket: BunHandlers;
  readonly allowHalfOpen: true;
  readonly data: BunOwner;
}

/** The namespace itself. */
export interface BunApi {
  connect(setup: BunTarget & BunSetup): Promise<BunSocket>;
  listen(setup: BunTarget & BunSetup): BunListener;
}

/** The `Bun` namespace, looked up when it is used, so that any runtime may load the adapter. */
export function bunApi(): BunApi {
  const { Bun } = globalThis as unknown as { readonly Bun?: BunApi };
  if (Bun === undefined) throw new Error("The Bun adapter needs Bun; this runtime has its own adapter");
  return Bun;
}
