/**
 * The internals of a socket: its pattern, endpoints, sessions, options and events. The public classes are
 * thin shells around it.
 *
 * @module
 */

import { NO_BYTES } from "../bytes/bytes.ts";
import type { EngineInit } from "../engine/engine.ts";
import { DEFAULT_LIMITS } from "../engine/limits.ts";
import type { Pattern, PatternEvents, PatternInit, PatternOptions } from "../pattern/pattern.ts";
import type { KnownPeer, Peer, Pipe } from "../pattern/pipe/pipe.ts";
import type { Runtime } from "../session/runtime.ts";
import type { SocketEvent, SocketEventType } from "../session/events.ts";
import type { Session, SessionOptions, SessionOwner } from "../session/owner.ts";
import type { TlsOptions } from "../transport_options.ts";
import { nullMechanism } from "../zmtp/mechanism/null.ts";
import type { SocketType } from "../zmtp/socket_type.ts";
import {
  type CallOptions,
  refusedWait,
  WAIT_OPTIONS,
  type WaitOptions,
  wholeNumber,
} from "./call_options.ts";
import type { Context } from "./context.ts";
import { Endpoints, type EndpointsOwner } from "./endpoints.ts";
import { Observer } from "./observer.ts";
import { checkOption, defaultOptions, optionBytes, type OptionName, type OptionValues } from "./options.ts";
import { Receiver } from "./receiver.ts";
import { Sender } from "./sender.ts";
import { closedError, WaitList } from "./wait_list.ts";

/** Options of a socket's `ready`. */
export interface ReadyOptions extends WaitOptions {
  /** Number of connected peers to wait for. Default 1. */
  readonly peers?: number;
}

const READY_OPTIONS: CallOptions<keyof ReadyOptions> = { ...WAIT_OPTIONS, peers: wholeNumber("peers", 0) };

/** The shortest wait before reconnecting, whatever the option says, because an attempt costs both sides. */
const RECONNECT_MS_MIN = 10;

/** The internals that every public socket class wraps. */
export class SocketCore implements EndpointsOwner, PatternEvents {
  readonly type: SocketType;
  readonly id: number;
  readonly context: Context;
  readonly runtime: Runtime;
  readonly options: OptionValues = defaultOptions();
  readonly pattern: Pattern;
  readonly sender: Sender;
  readonly receiver: Receiver;
  readonly observer: Observer;
  readonly endpoints: Endpoints;
  readonly patternOptions: PatternOptions;
  closed = false;
  /** Set by the log before the first endpoint is made. */
  allocatorFor: SessionOwner["allocatorFor"];
  readonly #peers: Map<number, KnownPeer> = new Map();
  readonly #peerWaits: WaitList<number, void>;
  readonly #drops: Map<Pipe | undefined, { count: number; why: string }> = new Map();
  readonly #ended: Promise<void>;
  #whenClosed: () => void = () => {};
  #stranded: Error | undefined;
  #sessionOptions: SessionOptions | undefined;
  #end: () => void = () => {};

  /** `makePattern`: the type's own pattern, or another that speaks the same protocol on the wire. */
  constructor(
    type: SocketType,
    context: Context,
    options: Readonly<Record<string, unknown>>,
    makePattern: (init: PatternInit) => Pattern,
  ) {
    this.type = type;
    this.context = context;
    this.runtime = context.runtime;
    this.id = this.runtime.nextSocketId();
    for (const [name, value] of Object.entries(options)) {
      if (name === "context" || value === undefined) continue;
      (this.options as unknown as Record<string, unknown>)[name] = this.#checked(name, value);
    }
    this.patternOptions = makePatternOptions(this.options);
    this.pattern = makePattern({
      events: this,
      options: this.patternOptions,
      random: (into) => this.runtime.host.random(into),
      later: (run) => this.runtime.scheduler.afterTurn({ callbackEnded(): void {}, turnEnded: run }),
      shared: this.runtime,
    });
    this.sender = new Sender(this.pattern, this.options, this.runtime);
    this.receiver = new Receiver(this.pattern, this.options, this.runtime);
    this.observer = Observer.create(this.runtime);
    this.endpoints = new Endpoints(this);
    this.#peerWaits = new WaitList(this.runtime);
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    context.add(this);
  }

  #checked(name: string, value: unknown): unknown {
    return checkOption(this.type, name, value, this.context.transportOptions);
  }

  /** Sets an option. Throws `MisuseError` and changes nothing if the value is not allowed. */
  setOption(name: OptionName, value: unknown): void {
    if (this.closed) throw closedError();
    (this.options as unknown as Record<string, unknown>)[name] = this.#checked(name, value);
    this.#sessionOptions = undefined;
    Object.assign(this.patternOptions, makePatternOptions(this.options));
    if (name.endsWith("HighWaterMark") || name.endsWith("HighWaterMarkBytes")) this.endpoints.marksChanged();
    this.readable();
    this.writable();
  }

  /** See `renewTls` of `Socket`. */
  async renewTls(tls: TlsOptions | undefined): Promise<void> {
    const before = this.options.tls;
    if (tls === undefined) this.assertOpen();
    else this.setOption("tls", tls);
    try {
      await this.endpoints.renewTls();
    } catch (error) {
      if (tls !== undefined && !this.closed) this.setOption("tls", before);
      throw error;
    }
  }

  /** Closes at once; queued messages may still leave during the linger time. */
  close(): void {
    if (this.closed) return;
    this.pattern.closing();
    this.closed = true;
    this.sender.close();
    this.receiver.close();
    this.pattern.close();
    this.#peerWaits.rejectAll(closedError());
    this.#whenClosed();
    this.endpoints.close(this.options.linger);
  }

  /** Sets the function that runs when the socket is closed, directly or with its context. */
  whenClosed(run: () => void): void {
    this.#whenClosed = run;
  }

  /** Resolves when the socket is closed and no longer holds anything. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** Called when the last endpoint and session are gone. */
  finish(): void {
    this.#peers.clear();
    this.#flushDrops();
    this.emit({ type: "end", address: "" });
    // Last, when nothing waits for this socket any longer: from here on it does not keep the process alive.
    this.context.remove(this);
    this.#end();
  }

  get peers(): readonly Peer[] {
    return Array.from(this.#peers.values(), ({ peer }) => peer);
  }

  /** Resolves when `options.peers` peers (default 1) are connected. */
  waitForPeers(options?: ReadyOptions): Promise<void> {
    if (this.closed) return Promise.reject(closedError());
    const refused = refusedWait("ready", options, READY_OPTIONS);
    if (refused !== undefined) return Promise.reject(refused);
    const count = options?.peers ?? 1;
    if (this.#peers.size >= count) return Promise.resolve();
    if (this.#stranded !== undefined) return Promise.reject(this.#stranded);
    return this.#peerWaits.wait(count, options);
  }

  // What the pattern reports.

  readable(): void {
    this.receiver.pump();
  }

  writable(): void {
    this.sender.pump();
  }

  dropped(pipe: Pipe | undefined, why: string, count = 1): void {
    const drop = this.#drops.get(pipe);
    if (drop !== undefined) {
      drop.count += count;
      return;
    }
    this.#drops.set(pipe, { count, why });
    if (this.#drops.size === 1) {
      this.runtime.scheduler.afterTurn({ callbackEnded(): void {}, turnEnded: () => this.#flushDrops() });
    }
  }

  // What sessions need.

  /** One object for all endpoints, replaced when an option changes. */
  get sessionOptions(): SessionOptions {
    return this.#sessionOptions ??= this.#makeSessionOptions();
  }

  #makeSessionOptions(): SessionOptions {
    const { reconnectInterval, reconnectMaxInterval, immediate, conflate, handshakesMax } = this.options;
    return {
      engineInit: this.#makeEngineInit(),
      reconnectIntervalMs: reconnectInterval < 0 ? -1 : Math.max(reconnectInterval, RECONNECT_MS_MIN),
      reconnectIntervalMaxMs: reconnectMaxInterval,
      immediate,
      conflate,
      handshakesMax,
    };
  }

  #makeEngineInit(): EngineInit {
    const { options } = this;
    const { heartbeatInterval, heartbeatTimeout } = options;
    return {
      socketType: this.type,
      identity: options.routingId === null ? NO_BYTES : optionBytes(options.routingId),
      properties: Object.entries(options.metadata).map(([name, value]) =>
        [name, optionBytes(value)] as const
      ),
      mechanism: nullMechanism,
      limits: {
        ...DEFAULT_LIMITS,
        frameBytesMax: options.maxMessageSize === -1 ? Number.MAX_SAFE_INTEGER : options.maxMessageSize,
        messageBytesMax: options.messageBytesMax,
        messageFramesMax: options.messageFramesMax,
        pendingBytesMax: options.pendingBytesMax,
        subscriptionsMax: options.subscriptionsMax,
        subscriptionBytesMax: options.subscriptionBytesMax,
      },
      timings: {
        handshakeMs: options.handshakeInterval,
        heartbeatIntervalMs: heartbeatInterval,
        heartbeatTimeoutMs: heartbeatTimeout === -1 ? heartbeatInterval : heartbeatTimeout,
        heartbeatTtlMs: options.heartbeatTimeToLive,
      },
      pendingTotal: this.runtime.pendingTotal,
      random: (into) => this.runtime.host.random(into),
      memory: this.runtime.host.memory,
    };
  }

  emit(event: SocketEvent): void {
    const { host } = this.runtime;
    if (host.trace !== undefined) {
      host.trace({ kind: "event", socketType: this.type, socketId: this.id, event });
    }
    this.observer.emit(event);
  }

  joined(address: string, known: KnownPeer): void {
    this.#peers.set(known.id, known);
    for (const waiter of this.#peerWaits) if (this.#peers.size >= waiter.task) waiter.resolve();
    if (this.#tells("handshake")) this.emit({ type: "handshake", address, peer: known.peer });
  }

  left(address: string, known: KnownPeer | undefined, error: Error | undefined): void {
    if (known !== undefined) this.#peers.delete(known.id);
    if (this.#tells("disconnect")) this.emit({ type: "disconnect", address, peer: known?.peer, error });
  }

  /** Whether an event of this kind would reach anyone. */
  #tells(type: SocketEventType): boolean {
    const { host } = this.runtime;
    return this.observer.wants(type) || (host.trace !== undefined && host.traces?.() !== false);
  }

  traceState(address: string, state: string): void {
    const { host } = this.runtime;
    if (host.trace === undefined) return;
    host.trace({ kind: "state", socketType: this.type, socketId: this.id, address, state });
  }

  sessionClosed(session: Session, failure?: Error): void {
    this.endpoints.sessionClosed(session, failure);
  }

  /**
   * Rejects calls that wait, and later calls that would wait, because no peer could ever serve them. See
   * {@link EndpointsOwner.strand}.
   */
  strand(failure: Error | undefined): void {
    if (this.#stranded === failure) return;
    this.#stranded = failure;
    this.sender.strand(failure);
    this.receiver.strand(failure);
    if (failure !== undefined) this.#peerWaits.rejectAll(failure);
  }

  /** Throws `ERR_CLOSED` if the socket is closed. */
  assertOpen(): void {
    if (this.closed) throw closedError();
  }

  #flushDrops(): void {
    const drops = [...this.#drops];
    this.#drops.clear();
    for (const [pipe, { count, why }] of drops) {
      const address = pipe?.peer?.endpoint ?? "";
      this.emit({ type: "drop", address, peer: pipe?.peer, error: new Error(`Dropped: ${why}`), count });
    }
  }
}

/** Most pattern options are socket options of the same name. */
function makePatternOptions(options: OptionValues): PatternOptions {
  return {
    ...options,
    sendMark: { messages: options.sendHighWaterMark, bytes: options.sendHighWaterMarkBytes },
    receiveMark: { messages: options.receiveHighWaterMark, bytes: options.receiveHighWaterMarkBytes },
    welcomeMessage: options.welcomeMessage === null ? undefined : optionBytes(options.welcomeMessage),
  };
}
