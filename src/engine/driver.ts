/**
 * Connects an engine, a transport and a host: the one place where callbacks, writes and timers meet, shared
 * by every runtime. Adapters never see the engine.
 *
 * Handlers may be called from inside the driver's own calls (Bun does it): such a call waits until the
 * current entry is done.
 *
 * Transports are not trusted: when one breaks a rule of the contract, the reason for the close names the
 * rule, its stream is cut, and nothing is thrown out of a handler (transport_rules.ts).
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

/** What a driver reports to the session that owns it. */
export interface DriverEvents {
  /** The stream is open. */
  opened(info: TransportInfo): void;
  /** Everything the engine reports, in order. */
  engine(event: EngineEvent): void;
  /** The transport dropped messages that it could not keep back. */
  dropped(count: number, why: string): void;
  /** The transport has closed and no memory is lent, or it is no longer waited for. Called once, last. */
  gone(cause: unknown): void;
}

/** Milliseconds that an orderly close may take before the stream is cut. */
const CLOSE_MS = 1_000;

/** Milliseconds that a transport may take to report its close after it was cut; then it is given up. */
const ABANDON_MS = 5_000;

/**
 * An accepted connection's greeting waits for as many turns of the event loop: most peers have sent theirs by
 * then, and it leaves in one write with what answers it. In one turn the stream begins to be read, in the
 * next one what has arrived is delivered.
 */
const GREETING_TURNS = 2;

/** Drives one connection: its engine, its transport and its timers. */
export class Driver implements Task, OutboundListener, InboundSource {
  /** @internal Together with {@link deadlineReached}, what makes it a `Timed` of the deadlines. */
  deadlineIndex = -1;
  readonly #engine: Engine;
  readonly #scheduler: Scheduler;
  readonly #events: DriverEvents;
  #transport: Transport | undefined;
  #stream: StreamState = "dialing";
  #flush: FlushState = "idle";
  /** How the connection ended, as far as the engine is concerned. */
  #closed: EngineEvent & { readonly type: "closed" } | undefined;
  /** Which of our calls are running, and what was last reported or arranged. */
  #busy = false;
  #writing = false;
  #paused = false;
  #turnArranged = false;
  /** How many turns our greeting still waits for the peer's. */
  #greetingTurns = 0;
  /** A handler was called while `dial` ran. */
  #heardEarly = false;
  /** The transport has reported its close, which may still wait to be handled. */
  #closeTold = false;
  /** Handler calls that arrived while the driver was busy, or from inside a write. */
  #deferred: (() => void)[] | undefined;
  /** Chunks of a gather write that a transport without `writev` still has to take. */
  #rest: readonly Uint8Array[] | undefined;
  #restAt = 0;
  /** When the stream is cut, or given up if it was cut. */
  #cutAtMs: number | undefined;

  constructor(engine: Engine, scheduler: Scheduler, events: DriverEvents) {
    this.#engine = engine;
    this.#scheduler = scheduler;
    this.#events = events;
    engine.listener = this;
  }

  /** @internal Call before {@link start} for an accepted stream: its peer speaks first, if it can. */
  accepts(): void {
    this.#greetingTurns = GREETING_TURNS;
  }

  /**
   * Opens the stream. What `dial` throws is the cause of {@link DriverEvents.gone}, which may be called
   * before this returns.
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
    // The context decides what keeps the process alive, for all its connections at once.
    else this.#setReferenced(transport);
    this.#settle();
  }

  /** Ends the connection; `flush` lets what is queued leave first. `gone` follows. */
  close(mode: "flush" | "abort"): void {
    if (this.#stream === "gone") return;
    this.#engine.close(this.#nowMs());
    if (mode === "abort" || this.#stream === "opening") this.#cut();
    this.#settle();
    // A peer that no longer takes anything must not keep a finished connection forever.
    if (this.#stream === "open") this.#cutAfter(CLOSE_MS);
  }

  /** The pipe has room again, or a body allocator has memory. */
  resumeDecoding(): void {
    if (this.#stream === "gone") return;
    this.#engine.resumeDecoding(this.#nowMs());
    if (this.#busy) return;
    // Each chunk that a pull delivers is handled by itself, so that the pull stops at the pending bound.
    if (this.#mayWrite && this.#engine.wantsRead) this.#pull();
    this.#settle();
  }

  /** Tells the peer of a subscription (`on`) or cancellation after the pipe's next `ahead` segments. */
  subscribe(topic: Uint8Array, on: boolean, ahead = 0): void {
    this.#engine.subscribe(topic, on, ahead);
    if (this.#engine.hasUrgentOutput) this.queued();
  }

  // What the pipe reports.

  queued(): void {
    if (this.#stream !== "open") return;
    const before = this.#flush;
    this.#flushOn(this.#scheduler.wroteInTurn ? "queuedLate" : "queued");
    if (before !== "idle") return;
    if (this.#flush === "late") this.#scheduler.afterBurst(this);
    else this.#scheduler.afterCallback(this);
  }

  writeNow(): void {
    if (this.#stream !== "open" || this.#writing || this.#flush === "blocked") return;
    this.#flushOn("full");
    this.#pump();
    // A caller that sends must not meet the consequences inside that very call.
    if (this.#hasNews) this.#scheduler.afterCallback(this);
  }

  memoryReused(): void {
    if (this.#stream === "gone") return;
    // A caller that receives must not meet the consequences inside that very call.
    this.#postpone(() => this.#broke("dataMemory"));
    this.#scheduler.afterCallback(this);
  }

  /** @internal What the engine reports outside any call. */
  news(): void {
    this.#scheduler.afterCallback(this);
  }

  // What the scheduler reports.

  callbackEnded(): void {
    const due = this.#flush === "soon";
    this.#flushOn("callbackEnded");
    if (due) this.#pumpAndSettle();
    else if (this.#hasNews) this.#settle();
  }

  burstEnded(): void {
    const due = this.#flush === "late";
    this.#flushOn("burstEnded");
    if (due) this.#pumpAndSettle();
  }

  turnEnded(): void {
    this.#turnArranged = false;
    if (this.#greetingTurns > 0) this.#awaitGreeting(this.#greetingTurns - 1);
    const due = this.#flush === "gathering" || this.#flush === "soon";
    this.#flushOn("turnEnded");
    if (due) this.#pumpAndSettle();
  }

  /** @internal What {@link Scheduler.deadlines} report. */
  deadlineReached(): void {
    if (this.#stream === "gone") return;
    const nowMs = this.#nowMs();
    if (this.#cutAtMs !== undefined && nowMs >= this.#cutAtMs) {
      if (this.#stream === "cut") return this.#transportClosed(undefined);
      this.#cut();
    } else {
      this.#engine.handleTimeout(nowMs);
    }
    this.#settle();
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
      // Bytes that wait to be handled come before those that are read next.
      bodyMemory: () => this.#mayWrite && !this.#mustWait ? this.#engine.bodyMemory : undefined,
      drain: () => this.#enter(() => this.#drained()),
      end: () =>
        this.#enter(() => {
          if (this.#stream === "opening") this.#broke("openFirst");
          else this.#engine.receiveEnd(this.#nowMs());
        }),
      dropped: (count, why) => this.#enter(() => this.#events.dropped(count, why)),
      close: (cause) => {
        // Nothing is written from here on, whenever the close itself is handled.
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
    if (this.#greetingTurns > 0) this.#awaitGreeting(this.#greetingTurns);
  }

  #awaitGreeting(turns: number): void {
    this.#greetingTurns = turns;
    if (turns > 0) this.#scheduler.afterTurn(this);
    else this.#settle();
  }

  #receive(chunk: Uint8Array): void {
    if (this.#stream === "opening") return this.#broke("openFirst");
    if (!isBytes(chunk)) return this.#broke("dataBytes");
    this.#greetingTurns = 0;
    this.#engine.receive(chunk, this.#nowMs());
  }

  /**
   * Until its turn comes the transport may use the memory again, which must not pass for a chunk without
   * bytes.
   */
  #deferReceive(chunk: Uint8Array): void {
    const bytes = isBytes(chunk) ? chunk.length : 0;
    this.#defer(() => bytes > 0 && chunk.length !== bytes ? this.#broke("dataMemory") : this.#receive(chunk));
  }

  #drained(): void {
    if (this.#stream === "opening") return this.#broke("openFirst");
    if (!this.#engine.inFlight) return this.#mayWrite ? this.#broke("drainLent") : undefined;
    if (this.#rest !== undefined && !this.#writeRest()) return;
    // To be asked first: the drain makes room below the mark.
    const pressed = this.#engine.outputPresses;
    this.#engine.drained(this.#nowMs());
    this.#flushOn("drained");
    // A transport that reports every write late does so within the turn of the write. If each report were
    // followed by a write, it would hold no more than was sent meanwhile.
    if (pressed || !this.#scheduler.wroteInTurn) this.#pump();
    else if (this.#engine.hasOutput) this.#flushOn("queued");
  }

  /** The transport broke a rule of the contract: its stream can no longer be trusted. */
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

  /** Whether a handler call must wait until the driver is free and earlier calls are handled. */
  get #mustWait(): boolean {
    return this.#busy || this.#writing || this.#hasDeferred;
  }

  #defer(run: () => void): void {
    if (this.#stream === "dialing") {
      this.#heardEarly = true;
      return;
    }
    this.#postpone(run);
    if (!this.#writing) this.#settle();
  }

  #postpone(run: () => void): void {
    if (this.#deferred === undefined) this.#deferred = [run];
    else this.#deferred.push(run);
  }

  #transportClosed(cause: unknown): void {
    if (this.#stream === "gone") return;
    this.#engine.transportFailed(cause, this.#nowMs());
    this.#drainEvents();
    this.#go("gone");
    this.#deferred = undefined;
    this.#scheduler.deadlines.remove(this);
    this.#engine.abandon();
    this.#events.gone(cause);
  }

  /** Handles everything the engine reports until nothing is left, then updates the pause and the timer. */
  #settle(): void {
    if (this.#busy || this.#stream === "gone" || this.#stream === "dialing") return;
    this.#busy = true;
    this.#settleEvents();
    this.#busy = false;
    if (this.#mayWrite) this.#updatePaused();
    if (this.#isGone) return;
    // Only if the transport broke a rule just now.
    if (this.#hasNews) return this.#settle();
    this.#armTimer();
  }

  #settleEvents(): void {
    for (;;) {
      this.#drainEvents();
      if (this.#stream === "open" && this.#engine.hasUrgentOutput && this.#greetingTurns === 0) this.#pump();
      this.#finishClosing();
      const deferred = this.#deferred?.shift();
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

  /** Whether anything is not handled yet: handler calls from inside a write, events of the engine. */
  get #hasNews(): boolean {
    return this.#hasDeferred || this.#engine.hasEvents;
  }

  get #hasDeferred(): boolean {
    return this.#deferred !== undefined && this.#deferred.length > 0;
  }

  get #isGone(): boolean {
    return this.#stream === "gone";
  }

  /** Whether the transport may be written to: never before `open`, never after a close from either side. */
  get #mayWrite(): boolean {
    return this.#stream === "open" && !this.#closeTold;
  }

  /** Writes until nothing is left or the transport keeps what it got. Does nothing when re-entered. */
  #pump(): void {
    if (this.#writing) return;
    this.#writing = true;
    while (this.#mayWrite) {
      const chunks = this.#engine.pollTransmit();
      if (chunks === undefined) break;
      this.#scheduler.wrote();
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

  /** Calls `write` or `writev` once, with `chunks` or the one `at`. `false` also if it broke a rule. */
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

  /** Closes the transport once the engine is done: in order if something may still leave, else at once. */
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
    // A peer whose greeting we read must get ours even when we refuse it (RFC 37), and a refusal says why.
    if (refused) this.#pump();
    const orderly = refused || reason?.kind === "remote";
    if (orderly && this.#stream === "open" && !this.#engine.inFlight) this.#closeInOrder();
    else this.#cut();
  }

  #closeInOrder(): void {
    if (this.#stream !== "open") return;
    this.#go("finish");
    this.#cutAfter(CLOSE_MS);
    this.#closeTransport("flush");
  }

  #cutAfter(ms: number): void {
    if (this.#cutAtMs !== undefined) return;
    this.#cutAtMs = this.#nowMs() + ms;
    this.#armTimer();
  }

  #cut(): void {
    if (this.#stream === "cut" || this.#stream === "gone" || this.#stream === "dialing") return;
    this.#go("cut");
    this.#cutAtMs = undefined;
    this.#cutAfter(ABANDON_MS);
    if (!this.#closeTold) this.#closeTransport("abort");
  }

  // Methods of the transport that must not throw, but may.

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

  /**
   * A later deadline is left where it is: the current one comes early, does nothing, and is set again. Only
   * one that is no longer wanted is removed, so that an idle connection has none.
   */
  #armTimer(): void {
    const { deadlines } = this.#scheduler;
    const deadlineMs = Math.min(this.#engine.pollTimeoutMs(), this.#cutAtMs ?? Infinity);
    if (deadlineMs === Infinity) deadlines.remove(this);
    else if (deadlineMs < deadlines.of(this)) deadlines.set(this, deadlineMs);
  }

  #go(input: StreamInput): void {
    this.#stream = next(STREAM_TRANSITIONS, this.#stream, input);
  }

  #flushOn(input: FlushInput): void {
    this.#flush = next(FLUSH_TRANSITIONS, this.#flush, input);
    // A connection that wrote in this turn, or gathers, must learn of the turn's end.
    if ((this.#flush === "hot" || this.#flush === "gathering") && !this.#turnArranged) {
      this.#turnArranged = true;
      this.#scheduler.afterTurn(this);
    }
  }

  #nowMs(): number {
    return this.#scheduler.host.nowMs();
  }
}
