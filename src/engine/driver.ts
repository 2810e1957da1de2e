/**
 * Joins an engine, a transport and a host: the one place where callbacks, writes and timers meet, shared by every
 * runtime. Adapters never see the engine.
 *
 * Handlers may be called from inside the driver's own calls (Bun does it): what comes then waits until the current
 * entry is done.
 *
 * Nothing that a transport does is believed: a rule of the contract that it breaks is named in the reason of
 * the close, its stream is cut, and nothing is thrown out of a handler (transport_rules.ts).
 *
 * @module
 */

import type { Dial, Transport, TransportHandlers, TransportInfo } from "../ports.ts";
import { next } from "../state_table.ts";
import type { Engine } from "./engine.ts";
import type { EngineEvent } from "./engine_events.ts";
import type { InboundSource, OutboundListener } from "./link.ts";
import type { Scheduler, Task } from "./scheduler.ts";
import {
  FLUSH_TRANSITIONS,
  type FlushInput,
  type FlushState,
  STREAM_TRANSITIONS,
  type StreamInput,
  type StreamState,
} from "./states.ts";
import {
  brokenRule,
  closeQuietly,
  disown,
  isBytes,
  isTransport,
  isTransportInfo,
  type TransportRule,
} from "./transport_rules.ts";

/** What a driver tells the session that owns it. */
export interface DriverEvents {
  /** The stream is open. */
  opened(info: TransportInfo): void;
  /** Everything the engine reports, in order. */
  engine(event: EngineEvent): void;
  /** The transport is closed and no memory is lent any more. Once, last. */
  gone(cause: unknown): void;
}

/** How long a stream that is being closed in order may take before it is cut. */
const CLOSE_MS = 1_000;

/**
 * How long a transport that was cut may take to say that it has closed, before nobody waits for it any more.
 */
const ABANDON_MS = 5_000;

/** One connection in motion. */
export class Driver implements Task, OutboundListener, InboundSource {
  readonly #engine: Engine;
  readonly #scheduler: Scheduler;
  readonly #events: DriverEvents;
  #transport: Transport | undefined;
  #stream: StreamState = "dialing";
  #flush: FlushState = "idle";
  /** How the connection ended, as far as the engine is concerned. */
  #closed: EngineEvent & { readonly type: "closed" } | undefined;
  /** What was told last, and calls of ours that are running. */
  #busy = false;
  #writing = false;
  #paused = false;
  #turnArranged = false;
  /** A handler was called while `dial` ran. */
  #heardEarly = false;
  /** The transport has told its close, which may wait for its turn. */
  #closeTold = false;
  /** Handler calls that came while the driver was busy, or from inside a write. */
  #deferred: (() => void)[] = [];
  /** Chunks of a gather write that a transport without `writev` still has to take. */
  #rest: readonly Uint8Array[] | undefined;
  #restAt = 0;
  #timerAtMs = Infinity;
  #cancelTimer: (() => void) | undefined;
  #cancelCut: (() => void) | undefined;

  constructor(engine: Engine, scheduler: Scheduler, events: DriverEvents) {
    this.#engine = engine;
    this.#scheduler = scheduler;
    this.#events = events;
    engine.onNews = () => scheduler.afterCallback(this);
  }

  /**
   * Opens the stream. What `dial` throws is the cause of {@link DriverEvents.gone}, which may come from
   * inside.
   */
  start(dial: Dial): void {
    this.#engine.started(this.#nowMs());
    let transport: unknown;
    this.#busy = true;
    try {
      if (typeof dial !== "function") throw dial;
      transport = dial(this.#handlers());
    } catch (error) {
      this.#busy = false;
      disown(error);
      return this.#transportClosed(typeof dial === "function" ? error : brokenRule("dialReturns"));
    }
    this.#busy = false;
    if (!isTransport(transport)) {
      disown(transport);
      return this.#transportClosed(brokenRule("dialReturns"));
    }
    this.#transport = transport;
    this.#go("dialled");
    if (this.#heardEarly) this.#broke("dialQuiet");
    // What keeps the process alive is decided by the context, for all its connections at once.
    else this.#setReferenced(transport);
    this.#settle();
  }

  /** Ends the connection; `flush` lets what is queued leave first. `gone` follows. */
  close(mode: "flush" | "abort"): void {
    if (this.#stream === "gone") return;
    this.#engine.close(this.#nowMs());
    if (mode === "abort" || this.#stream === "opening") this.#cut();
    this.#settle();
    // A peer that takes nothing any more must not hold for ever what is over.
    if (this.#stream === "open") this.#armCut();
  }

  /** The pipe has room again, or a body allocator has memory. */
  resumeDecoding(): void {
    if (this.#stream === "gone") return;
    this.#engine.resumeDecoding(this.#nowMs());
    if (this.#busy) return;
    // Each chunk that comes out of it is dealt with by itself, so that a pull stops at the pending bound.
    if (this.#mayWrite && this.#engine.wantsRead) this.#pull();
    this.#settle();
  }

  /** Tells the peer of a subscription, once `ahead` segments of the pipe have gone out. */
  subscribe(topic: Uint8Array, on: boolean, ahead = 0): void {
    this.#engine.subscribe(topic, on, ahead);
    if (this.#engine.hasUrgentOutput) this.queued();
  }

  // What the pipe reports.

  queued(): void {
    if (this.#stream !== "open") return;
    const before = this.#flush;
    this.#flushOn("queued");
    if (before === "idle") this.#scheduler.afterCallback(this);
  }

  writeNow(): void {
    if (this.#stream !== "open" || this.#writing || this.#flush === "blocked") return;
    this.#flushOn("full");
    this.#pump();
    // Whoever sends must not meet the consequences of it inside that very call.
    if (this.#hasNews) this.#scheduler.afterCallback(this);
  }

  memoryReused(): void {
    if (this.#stream === "gone") return;
    // Whoever receives must not meet the consequences of it inside that very call.
    this.#deferred.push(() => this.#broke("dataMemory"));
    this.#scheduler.afterCallback(this);
  }

  // What the scheduler reports.

  callbackEnded(): void {
    const due = this.#flush === "soon";
    this.#flushOn("callbackEnded");
    if (due) this.#pumpAndSettle();
    else if (this.#hasNews) this.#settle();
  }

  turnEnded(): void {
    this.#turnArranged = false;
    const due = this.#flush === "gathering" || this.#flush === "soon";
    this.#flushOn("turnEnded");
    if (due) this.#pumpAndSettle();
  }

  // What the transport reports.

  #handlers(): TransportHandlers {
    return {
      open: (info) => this.#enter(() => this.#opened(info)),
      data: (chunk) => {
        if (this.#mustWait) return this.#deferReceive(chunk);
        this.#busy = true;
        this.#receive(chunk);
        this.#busy = false;
        this.#settle();
      },
      drain: () => this.#enter(() => this.#drained()),
      end: () =>
        this.#enter(() => {
          if (this.#stream === "opening") this.#broke("openFirst");
          else this.#engine.receiveEnd(this.#nowMs());
        }),
      close: (cause) => {
        // Whenever we come to deal with it: nothing is written any more.
        this.#closeTold = this.#stream !== "dialing";
        this.#enter(() => this.#transportClosed(cause));
      },
    };
  }

  #opened(info: TransportInfo): void {
    if (this.#stream === "cut" || this.#stream === "gone") return;
    if (this.#stream !== "opening") return this.#broke("openOnce");
    if (!isTransportInfo(info)) return this.#broke("openInfo");
    this.#go("opened");
    this.#events.opened(info);
  }

  #receive(chunk: Uint8Array): void {
    if (this.#stream === "opening") return this.#broke("openFirst");
    if (!isBytes(chunk)) return this.#broke("dataBytes");
    this.#engine.receive(chunk, this.#nowMs());
  }

  /** Until its turn comes the transport may use the memory again, which must not pass for a chunk without bytes. */
  #deferReceive(chunk: Uint8Array): void {
    const bytes = isBytes(chunk) ? chunk.length : 0;
    this.#defer(() => bytes > 0 && chunk.length !== bytes ? this.#broke("dataMemory") : this.#receive(chunk));
  }

  #drained(): void {
    if (this.#stream === "opening") return this.#broke("openFirst");
    if (!this.#engine.inFlight) return this.#mayWrite ? this.#broke("drainLent") : undefined;
    if (this.#rest !== undefined && !this.#writeRest()) return;
    this.#engine.drained(this.#nowMs());
    this.#flushOn("drained");
    this.#pump();
  }

  /** A rule of the contract was broken: the stream cannot be trusted any more. */
  #broke(rule: TransportRule, cause?: unknown): void {
    if (this.#stream === "gone") return;
    this.#engine.transportFailed(brokenRule(rule, cause), this.#nowMs());
    this.#cut();
  }

  #enter(run: () => void): void {
    if (this.#mustWait) return this.#defer(run);
    this.#busy = true;
    run();
    this.#busy = false;
    this.#settle();
  }

  /** Whether a handler call must wait: until the driver is free, and behind those that wait already. */
  get #mustWait(): boolean {
    return this.#busy || this.#writing || this.#deferred.length > 0;
  }

  #defer(run: () => void): void {
    if (this.#stream === "dialing") {
      this.#heardEarly = true;
      return;
    }
    this.#deferred.push(run);
    if (!this.#writing) this.#settle();
  }

  #transportClosed(cause: unknown): void {
    if (this.#stream === "gone") return;
    this.#engine.transportFailed(cause, this.#nowMs());
    this.#drainEvents();
    this.#go("gone");
    this.#deferred = [];
    this.#cancelTimer?.();
    this.#cancelCut?.();
    this.#engine.abandon();
    this.#events.gone(cause);
  }

  /** Answers everything the engine has to say until nothing is left, then brings the pause and the timer up to date. */
  #settle(): void {
    if (this.#busy || this.#stream === "gone" || this.#stream === "dialing") return;
    this.#busy = true;
    this.#settleEvents();
    this.#busy = false;
    if (this.#mayWrite) this.#updatePaused();
    if (this.#isGone) return;
    // Only of a transport that broke a rule just now.
    if (this.#hasNews) return this.#settle();
    this.#armTimer();
  }

  #settleEvents(): void {
    for (;;) {
      this.#drainEvents();
      if (this.#stream === "open" && this.#engine.hasUrgentOutput) this.#pump();
      this.#finishClosing();
      const deferred = this.#deferred.shift();
      if (deferred !== undefined) deferred();
      else if (!this.#engine.hasEvents) return;
    }
  }

  #drainEvents(): void {
    for (let event = this.#engine.pollEvent(); event !== undefined; event = this.#engine.pollEvent()) {
      if (event.type === "closed") this.#closed = event;
      this.#events.engine(event);
    }
  }

  #pumpAndSettle(): void {
    this.#pump();
    this.#settle();
  }

  /** Whether something happened that nobody has dealt with: handler calls inside a write, events of the engine. */
  get #hasNews(): boolean {
    return this.#deferred.length > 0 || this.#engine.hasEvents;
  }

  get #isGone(): boolean {
    return this.#stream === "gone";
  }

  /**
   * Whether the transport may be written to. Never before `open`, and never after it was told or has told a
   * close.
   */
  get #mayWrite(): boolean {
    return this.#stream === "open" && !this.#closeTold;
  }

  /** Writes until nothing is left or the transport keeps what it got. Entering it twice does nothing. */
  #pump(): void {
    if (this.#writing) return;
    this.#writing = true;
    while (this.#mayWrite) {
      const chunks = this.#engine.pollTransmit();
      if (chunks === undefined) break;
      const taken = this.#write(chunks);
      this.#engine.transmitted(taken, this.#nowMs());
      if (!taken) {
        this.#flushOn("lent");
        break;
      }
    }
    this.#writing = false;
  }

  #write(chunks: readonly Uint8Array[]): boolean {
    if (chunks.length === 1 || this.#transport!.writev !== undefined) return this.#handOver(chunks);
    this.#rest = chunks;
    this.#restAt = 0;
    return this.#writeRest();
  }

  #writeRest(): boolean {
    const chunks = this.#rest!;
    while (this.#restAt < chunks.length) {
      if (!this.#mayWrite) return false;
      if (!this.#handOver(chunks, this.#restAt++)) return false;
    }
    this.#rest = undefined;
    return true;
  }

  /**
   * One call of `write` or `writev`: `chunks`, or the one `at`. `false` also where the transport broke a
   * rule.
   */
  #handOver(chunks: readonly Uint8Array[], at?: number): boolean {
    const transport = this.#transport!;
    let taken: unknown;
    try {
      if (at !== undefined) taken = transport.write(chunks[at]!);
      else if (chunks.length === 1) taken = transport.write(chunks[0]!);
      else taken = transport.writev!(chunks);
    } catch (error) {
      let before = 0;
      for (let i = 0; i < (at ?? 0); i++) before += chunks[i]!.length;
      this.#engine.refused(before);
      this.#broke("writeThrows", error);
      return false;
    }
    if (typeof taken === "boolean") return taken;
    disown(taken);
    this.#broke("writeAnswers");
    return false;
  }

  /** Once the engine is done, the transport is closed: in order where something may still leave, else at once. */
  #finishClosing(): void {
    if (this.#stream !== "open" && this.#stream !== "opening") return;
    if (this.#engine.state === "closing") {
      if (this.#stream === "opening") return this.#cut();
      this.#pump();
      if (this.#engine.inFlight || this.#engine.hasOutput) return;
      this.#engine.flushed();
      return this.#closeInOrder();
    }
    if (this.#engine.state !== "closed") return;
    const reason = this.#closed?.reason;
    const refused = reason?.kind === "peer" && (!this.#closed!.handshaken || this.#engine.hasUrgentOutput);
    // Who read a greeting must be told ours, even when the answer is no (RFC 37), and a refusal tells why.
    if (refused) this.#pump();
    const orderly = refused || reason?.kind === "remote";
    if (orderly && this.#stream === "open" && !this.#engine.inFlight) this.#closeInOrder();
    else this.#cut();
  }

  #closeInOrder(): void {
    if (this.#stream !== "open") return;
    this.#go("finish");
    this.#armCut();
    this.#closeTransport("flush");
  }

  #armCut(): void {
    this.#cancelCut ??= this.#scheduler.host.schedule(CLOSE_MS, () => {
      this.#cut();
      this.#settle();
    }, false);
  }

  #cut(): void {
    if (this.#stream === "cut" || this.#stream === "gone" || this.#stream === "dialing") return;
    this.#go("cut");
    this.#cancelCut?.();
    this.#cancelCut = this.#scheduler.host.schedule(
      ABANDON_MS,
      () => this.#transportClosed(undefined),
      false,
    );
    if (!this.#closeTold) this.#closeTransport("abort");
  }

  // Calls of the transport that must not throw, and may.

  #closeTransport(mode: "flush" | "abort"): void {
    if (mode === "abort") return closeQuietly(this.#transport!);
    try {
      disown(this.#transport!.close(mode));
    } catch (error) {
      this.#broke("neverThrows", error);
    }
  }

  #setReferenced(transport: Transport): void {
    try {
      transport.setReferenced?.(false);
    } catch (error) {
      this.#broke("neverThrows", error);
    }
  }

  #pull(): void {
    try {
      disown(this.#transport!.pull?.());
    } catch (error) {
      this.#broke("neverThrows", error);
    }
  }

  #updatePaused(): void {
    const paused = !this.#engine.wantsRead;
    if (paused === this.#paused) return;
    this.#paused = paused;
    let canPause: unknown;
    try {
      canPause = this.#transport!.setPaused(paused);
    } catch (error) {
      return this.#broke("neverThrows", error);
    }
    if (typeof canPause !== "boolean") {
      disown(canPause);
      return this.#broke("pauseAnswers");
    }
    if (paused) this.#engine.canPause = canPause;
  }

  /** A later deadline needs no new timer: the one that is set fires early, does nothing, and is set again. */
  #armTimer(): void {
    const deadlineMs = this.#engine.pollTimeoutMs();
    if (deadlineMs >= this.#timerAtMs || deadlineMs === Infinity) return;
    this.#cancelTimer?.();
    this.#timerAtMs = deadlineMs;
    // Whole milliseconds: a timer that fires a trifle early must not be set again for a trifle, over and over.
    const delayMs = Math.ceil(Math.max(0, deadlineMs - this.#nowMs()));
    this.#cancelTimer = this.#scheduler.host.schedule(delayMs, () => {
      this.#timerAtMs = Infinity;
      if (this.#stream === "gone") return;
      this.#engine.handleTimeout(this.#nowMs());
      this.#settle();
    }, false);
  }

  #go(input: StreamInput): void {
    this.#stream = next(STREAM_TRANSITIONS, this.#stream, input);
  }

  #flushOn(input: FlushInput): void {
    this.#flush = next(FLUSH_TRANSITIONS, this.#flush, input);
    // Whoever wrote in this turn, or gathers, must hear of its end.
    if ((this.#flush === "hot" || this.#flush === "gathering") && !this.#turnArranged) {
      this.#turnArranged = true;
      this.#scheduler.afterTurn(this);
    }
  }

  #nowMs(): number {
    return this.#scheduler.host.nowMs();
  }
}
