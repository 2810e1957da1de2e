/**
 * What hawser needs from outside: byte streams, listeners, and a host that provides time, randomness and
 * turns of the event loop. The core calls nothing else; an adapter or the simulator implements these
 * interfaces.
 *
 * @module
 */

import type { HttpInfo, TlsInfo, TlsOptions, WebSocketOptions } from "./transport_options.ts";

/**
 * A byte stream that is opening or open. A custom transport must implement three methods (`write`,
 * `setPaused`, `close`) and nothing else.
 *
 * The core's side of the contract: before `handlers.open` it calls only `setReferenced` and `close("abort")`,
 * so it never writes or flushes before then; while memory is lent, and from inside a write, it neither writes
 * nor calls `close("flush")`; chunks are never empty; after `close("flush")` it calls only `close("abort")`,
 * and after `close("abort")` or `handlers.close` nothing. A transport that breaks its own side is aborted:
 * the connection ends with a `PeerError` `ERR_TRANSPORT` that names the rule, and a connecting socket opens
 * another one.
 */
export interface Transport {
  /**
   * Hands over `chunk`.
   *
   * Returns `true` when all of it was taken and its memory is free again (the speculative write succeeded).
   * Returns `false` when the memory is *lent*: the transport keeps it until it calls `handlers.drain()`, and
   * nothing more is written before that. Never throws; a failed stream returns `false` and later calls
   * `handlers.close`. If a write throws nevertheless, what it was given counts as not handed over.
   */
  write(chunk: Uint8Array): boolean;
  /** Optional gather write with the same contract. Without it, large bodies go out as separate writes. */
  writev?(chunks: readonly Uint8Array[]): boolean;
  /** Pauses or resumes reading. Returns whether this transport can pause at all, `true` or `false`. */
  setPaused(paused: boolean): boolean;
  /**
   * Optional speculative read: synchronously delivers what has already arrived. Returns whether anything had.
   */
  pull?(): boolean;
  /**
   * `"flush"`: sends what was taken, then ends the stream; resumes input and discards it until the peer's
   * end, so that a paused stream still closes. Nothing is lent then, so no drain is due. `"abort"`: closes at
   * once; may follow a flush (linger ran out), and may come while memory is lent. `handlers.close` follows in
   * either case, after an abort without a cause; the core waits at most five seconds for it.
   */
  close(mode: "flush" | "abort"): void;
  /** Optional: whether this stream keeps the process alive. */
  setReferenced?(on: boolean): void;
}

/**
 * The callbacks through which a transport reports. None is called before `dial` has returned; each states its
 * place in the order. They never throw, and do nothing after `close`.
 */
export interface TransportHandlers {
  /** The stream is open. Called once, first. Both addresses are strings. */
  open(info: TransportInfo): void;
  /**
   * Bytes arrived. The callee owns `chunk` from then on: its memory must never be reused. An empty chunk
   * means nothing.
   */
  data(chunk: Uint8Array): void;
  /**
   * Optional to call: where the next bytes belong, if they are the rest of a large body. A transport that
   * reads into the beginning of this memory, and gives `data` exactly what it filled, saves a copy. It may
   * read elsewhere instead. The answer holds until the next `data`, so ask before each read; `undefined`
   * means that the bytes may go anywhere.
   */
  bodyMemory?(): Uint8Array | undefined;
  /** All of the lent chunk was taken. Called once after each `write` that returned `false`, and only then. */
  drain(): void;
  /** The peer finished sending. The other direction stays open until the core calls `close`, as it will. */
  end(): void;
  /**
   * Optional to call: `count` whole messages that arrived were dropped, because the application is too slow
   * and this transport cannot pause. The socket reports them with a `drop` event.
   */
  dropped?(count: number, why: string): void;
  /**
   * The stream is closed. Called once, last, when no lent memory is in use any longer. `cause` says why, if
   * neither side wanted it: a failed dial and a peer's abort have one. A `MisuseError` with
   * the code `ERR_PERMISSION` as the cause says that this process may not open the stream at all: it is not
   * tried again.
   */
  close(cause?: unknown): void;
}

/** The two ends of an opened stream, as endpoints (`tcp://127.0.0.1:5555`), and what is known of the peer. */
export interface TransportInfo {
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** If the stream is encrypted with TLS. */
  readonly tls?: TlsInfo | undefined;
  /** If the stream began as an HTTP request. */
  readonly http?: HttpInfo | undefined;
}

/**
 * Starts opening a stream and returns the transport at once, never a promise. What it throws is the cause of
 * the failed attempt.
 */
export type Dial = (handlers: TransportHandlers) => Transport;

/**
 * Attaches handlers to a stream that a peer opened, and returns its transport at once, as a {@link Dial}
 * does. `open` follows, after it has returned. Used at most once, and before the {@link Accept} that it was
 * given to has returned; if it is used later, the stream was refused, and gets `close` with a cause, without
 * `open`.
 */
export type Attach = (handlers: TransportHandlers) => Transport;

/**
 * Takes or refuses a stream that a peer opened: takes it by calling `attach` before it returns, refuses it by
 * not doing so. A refused stream is aborted.
 */
export type Accept = (attach: Attach) => void;

/**
 * Starts listening. Resolves when the address is bound. Rejects with a `MisuseError` when it cannot be:
 * `ERR_ADDRESS_IN_USE` if somebody listens there, `ERR_ADDRESS` or `ERR_PERMISSION` otherwise. `accept` is
 * called once per incoming stream. `failed` reports a failed accept; the listener continues.
 */
export type Listen = (accept: Accept, failed: (cause: unknown) => void) => Promise<Listener>;

/** A bound listener. */
export interface Listener {
  /** The bound endpoint, with the port or path that the system chose. */
  readonly address: string;
  /** Stops listening; accepted streams live on. Resolves when the address is free again. */
  close(): Promise<void>;
  /** Optional: whether this listener keeps the process alive. */
  setReferenced?(on: boolean): void;
  /**
   * Optional: uses other options for connections that are accepted from now on: a renewed certificate.
   * Rejects with a `MisuseError`, and changes nothing, if they cannot be used.
   */
  renew?(options: StreamOptions): Promise<void>;
}

/** The implementation of one scheme (`tcp`, `ipc`, …). */
export interface TransportFactory {
  /**
   * Prepares a connection to `address`, a whole endpoint (`tcp://host:port`). Throws a `MisuseError` with the
   * code `ERR_ENDPOINT` for an endpoint that cannot be parsed, and for nothing else: whatever else is wrong
   * is the cause of a `close`. The `Dial` may be called any number of times, once per attempt.
   */
  dial(address: string, options: StreamOptions): Dial;
  /** Prepares listening at `address`. Throws as `dial` does. The `Listen` is called at most once. */
  listen(address: string, options: StreamOptions): Listen;
}

/** Socket options that concern transports. An omitted field means the default of the system or transport. */
export interface StreamOptions {
  /** The maximum number of connections that wait to be accepted. */
  readonly backlog?: number;
  /** Give up opening after this many milliseconds. 0 or omitted: the system's own limit. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds that a handshake may take. The core sees to it once it was offered the stream. */
  readonly handshakeTimeoutMs?: number;
  /** Whether TCP keep-alive is on. Default: the system's. */
  readonly tcpKeepalive?: boolean;
  /** Milliseconds of silence before the first TCP keep-alive probe, where the runtime can set it. */
  readonly tcpKeepaliveIdleMs?: number;
  /** Whether `*` includes IPv6. `false` also restricts connections to host names to IPv4. */
  readonly ipv6?: boolean;
  /** For transports that encrypt with TLS. */
  readonly tls?: TlsOptions | undefined;
  /** For transports that begin with an HTTP request. */
  readonly webSocket?: WebSocketOptions | undefined;
  /** The security mechanism that the socket will use. Default `"NULL"`. */
  readonly mechanism?: string;
  /** Largest size of an incoming frame, in bytes: a transport with frames of its own need not read more. */
  readonly frameBytesMax?: number;
}

/** Time, randomness and turns of the event loop. Implemented only by adapters and the simulator. */
export interface Host {
  /** Monotonic time in milliseconds. */
  nowMs(): number;
  /** Unix time in milliseconds; may jump. */
  wallMs(): number;
  /**
   * Runs `run` once after `delayMs`; the returned function cancels it. `referenced`: whether the wait keeps
   * the process alive.
   */
  schedule(delayMs: number, run: () => void, referenced: boolean): () => void;
  /** Runs `run` at the end of the current callback. */
  microtask(run: () => void): void;
  /**
   * Runs `run` after the current callback and after every promise reaction that it leads to, so that what a
   * chain of awaits sends leaves together. If omitted, `microtask` is used, which may run in the middle.
   */
  afterReactions?(run: () => void): void;
  /** Runs `run` at the end of the current turn of the event loop. */
  turn(run: () => void): void;
  /** Fills `into` with unpredictable bytes. */
  random(into: Uint8Array): void;
  /** Keeps the process alive while on. Cheap to call. A switch, not a counter: a host serves one context. */
  keepAlive(on: boolean): void;
  /**
   * Optional: calls `listener` whenever the machine, or a page, may be back from a sleep or from being
   * offline: who waits to reconnect does so at once. The returned function ends that.
   */
  wakes?(listener: () => void): () => void;
  /** Surfaces an error of the application as an uncaught one. Default: it is thrown in a microtask. */
  reportError?(error: unknown): void;
  /**
   * Allocates memory with arbitrary content, where that is faster than zeroed memory. The caller overwrites
   * all of it.
   */
  memory?(bytes: number): Uint8Array;
  /** Native CRC-32 (zlib's polynomial), where there is one. */
  crc32?(bytes: Uint8Array, seed: number): number;
  /**
   * Receives every event and state change of every socket. Must not throw. If omitted, nothing is recorded.
   */
  trace?(record: TraceRecord): void;
  /** Whether {@link trace} would do anything now. If omitted, it is called whatever happens. */
  traces?(): boolean;
}

/** Something that happened to a socket, for tools that observe a program from outside. */
export type TraceRecord = TracedEvent | TracedState;

/** An event of a socket. */
export interface TracedEvent {
  readonly kind: "event";
  /** The type as peers see it, such as `"PUSH"`. */
  readonly socketType: string;
  /** Identifies the socket within its context. */
  readonly socketId: number;
  /** The event that listeners of the socket's `events` receive. */
  readonly event: { readonly type: string; readonly address: string };
}

/** A state change of a connecting endpoint: `dialing`, `handshaking`, `ready`, `backoff`, … */
export interface TracedState {
  readonly kind: "state";
  readonly socketType: string;
  readonly socketId: number;
  readonly address: string;
  readonly state: string;
}

/** A host and the transports of one runtime. */
export interface Adapter {
  readonly name: string;
  readonly host: Host;
  /** Factories by scheme, without `://`. */
  readonly transports: ReadonlyMap<string, TransportFactory>;
}

/** What the runtime provides to contexts that are given nothing else. The core imports it as `#platform`. */
export interface Platform {
  /** Creates a host. Each context has its own. */
  createHost(): Host;
  /** Loads the transports. Called when the first endpoint needs one. */
  loadAdapter(): Adapter | Promise<Adapter>;
  /** The schemes that {@link loadAdapter} provides, known before it is called. */
  readonly schemes: readonly string[];
  /** What contexts can do besides connecting: src/socket/features.ts. */
  readonly features: Readonly<Record<string, unknown>>;
  /** Optional: what is allowed, besides `null`, as the socket options that only transports use, by name. */
  readonly transportOptions?: Readonly<
    Record<string, { readonly allowed: string; allows(value: unknown): boolean }>
  >;
  /** Optional: writes the line that `console.log` shows for an object, where the console asks for one. */
  readonly lineOf?: (name: string, facts: Readonly<Record<string, unknown>>) => string;
  /** Optional: throws for an endpoint that cannot be parsed, before its transport is loaded. */
  checkEndpoint?(address: string, role: "bind" | "connect"): void;
}

/** The part of an `AbortSignal` that the core uses. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}
