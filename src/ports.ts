/**
 * What the outside must supply: byte streams, listeners, and a host that knows time, chance and turns of
 * the event loop. The core calls these and nothing else; an adapter or the simulator implements them.
 *
 * @module
 */

/**
 * A byte stream that is being opened or is open. The author of a custom transport writes three methods
 * (`write`, `setPaused`, `close`) and nothing else.
 *
 * The core keeps its side: it calls nothing but `setReferenced` and `close("abort")` before `handlers.open`,
 * so it never writes or flushes before then; it never writes while memory is lent, from inside a write, or
 * after `close`. A transport that breaks its own side is aborted: the connection ends with a `PeerError`
 * `ERR_TRANSPORT` that names the rule, and a connecting socket makes another one.
 */
export interface Transport {
  /**
   * Hand over `chunk`.
   *
   * `true`: all of it was taken and its memory is free again (the speculative write succeeded).
   * `false`: the memory is *lent*: the transport keeps it until it calls `handlers.drain()`, and nothing more
   * is written before that. Never throws; a failed stream answers `false` and later calls `handlers.close`.
   * What a write that throws all the same was given counts as not handed over.
   */
  write(chunk: Uint8Array): boolean;
  /** Optional gather write with the same contract. Without it, large bodies go out as separate writes. */
  writev?(chunks: readonly Uint8Array[]): boolean;
  /** Read backpressure. Returns whether this transport can pause at all, `true` or `false`. */
  setPaused(paused: boolean): boolean;
  /** Optional speculative read: deliver, now and synchronously, what has already arrived. `true` if anything was. */
  pull?(): boolean;
  /**
   * `"flush"`: after a lent chunk's drain, what was written leaves, then the stream ends; input is resumed and
   * discarded until the peer's end, so that a paused stream still closes. `"abort"`: at once; may follow a
   * flush (linger ran out). `handlers.close` follows in either case; after an abort nobody waits for it
   * longer than five seconds.
   */
  close(mode: "flush" | "abort"): void;
  /** Optional: whether this stream keeps the process alive. */
  setReferenced?(on: boolean): void;
}

/**
 * What a transport reports. None is called before `dial` has returned; see each for its place in the order.
 * They never throw, and do nothing after `close`.
 */
export interface TransportHandlers {
  /** Once, first. Both addresses are strings. */
  open(info: TransportInfo): void;
  /** Bytes arrived. The callee owns `chunk` from here on: its memory must never be reused. */
  data(chunk: Uint8Array): void;
  /** Once after each `write` that returned `false`, and after no other: all of the lent chunk was taken. */
  drain(): void;
  /** The peer finished sending. The other direction stays open until the core calls `close`, which it does. */
  end(): void;
  /**
   * Once, last, when no lent memory is in use any more. A `MisuseError` with the code `ERR_PERMISSION` as the cause says that this
   * process may not open the stream at all: it is not tried again.
   */
  close(cause?: unknown): void;
}

/** The two ends of an opened stream, as endpoints (`tcp://127.0.0.1:5555`). */
export interface TransportInfo {
  readonly localAddress: string;
  readonly remoteAddress: string;
}

/**
 * Begins to open a stream and returns the transport at once, never a promise. What it throws is the cause of
 * a failed attempt.
 */
export type Dial = (handlers: TransportHandlers) => Transport;

/**
 * Begins to listen. Resolves when the address is bound, rejects when it cannot be. `accept` is called once per
 * incoming stream with a `Dial` that attaches handlers to it, before `accept` returns. `failed` reports a failed accept; the listener goes on.
 */
export type Listen = (
  address: string,
  accept: (attach: Dial) => void,
  failed: (cause: unknown) => void,
) => Promise<Listener>;

/** A bound listener. */
export interface Listener {
  /** The real endpoint, with the port or path that the system chose. */
  readonly address: string;
  /** Stops listening; accepted streams live on. Resolves when the address is free again. */
  close(): Promise<void>;
  /** Optional: whether this listener keeps the process alive. */
  setReferenced?(on: boolean): void;
}

/** One scheme (`tcp`, `ipc`, …) as an adapter offers it. */
export interface TransportFactory {
  /** `address` is the whole endpoint, `tcp://host:port`. Throws `MisuseError` for one that cannot be parsed. */
  dial(address: string, options: StreamOptions): Dial;
  /** Like `dial`, for the listening side. */
  listen(address: string, options: StreamOptions): Listen;
}

/** Socket options that reach the operating system. Every field may be missing: the system's default. */
export interface StreamOptions {
  /** Connections waiting to be accepted. */
  readonly backlog?: number;
  /** Give up opening after this many milliseconds. 0 or missing: the system's own limit. */
  readonly connectTimeoutMs?: number;
  /** TCP keep-alive. Missing: the system's default. */
  readonly tcpKeepalive?: boolean;
  /** Milliseconds of silence before the first TCP keep-alive probe, where the runtime can set it. */
  readonly tcpKeepaliveIdleMs?: number;
  /** Whether `*` means IPv6 too. `false` also keeps connects to host names on IPv4. */
  readonly ipv6?: boolean;
}

/** Time, chance and turns of the event loop. Only an adapter or the simulator implements it. */
export interface Host {
  /** Monotonic milliseconds. */
  nowMs(): number;
  /** Unix milliseconds; may jump. */
  wallMs(): number;
  /** Runs `run` once after `delayMs`; the answer cancels. `referenced`: whether the wait keeps the process alive. */
  schedule(delayMs: number, run: () => void, referenced: boolean): () => void;
  /** Runs at the end of the current callback. */
  microtask(run: () => void): void;
  /** Runs at the end of the current turn of the event loop. */
  turn(run: () => void): void;
  /** Fills `into` with unpredictable bytes. */
  random(into: Uint8Array): void;
  /** Holds the process alive while on. Cheap to call often. A switch, not a counter: a host serves one context. */
  keepAlive(on: boolean): void;
  /** Lets an error of the application's own code surface as one that nobody caught. Missing: it is thrown in a microtask. */
  reportError?(error: unknown): void;
  /** Memory with any content, where that is faster than zeroed memory. The caller overwrites all of it. */
  memory?(bytes: number): Uint8Array;
  /** Native CRC-32 (zlib's polynomial), where there is one. */
  crc32?(bytes: Uint8Array, seed: number): number;
  /**
   * Hears of every event and state of every socket. Must not throw. Missing: nobody watches, and nothing is
   * made for it.
   */
  trace?(record: TraceRecord): void;
}

/** Something that happened to a socket, for those who watch a program from outside. */
export type TraceRecord = TracedEvent | TracedState;

/** An event of a socket. */
export interface TracedEvent {
  readonly kind: "event";
  /** The type as peers see it, `"PUSH"`. */
  readonly socketType: string;
  /** Tells the sockets of a context apart. */
  readonly socketId: number;
  /** What listeners of the socket's `events` get. */
  readonly event: { readonly type: string; readonly address: string };
}

/**
 * An endpoint that connects went from one state to another: `dialing`, `handshaking`, `ready`, `backoff`, …
 */
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
  /** By scheme, without `://`. */
  readonly transports: ReadonlyMap<string, TransportFactory>;
}

/** What the core takes from the runtime for contexts that are given nothing else. It imports it as `#platform`. */
export interface Platform {
  /** A host of its own for each context. */
  createHost(): Host;
  /** Fetches the transports. Asked when the first endpoint needs one. */
  loadAdapter(): Promise<Adapter>;
  /** The schemes that {@link loadAdapter} brings, known before it is asked. */
  readonly schemes: readonly string[];
}

/** The part of an `AbortSignal` that the core uses. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}
