/**
 * Joins an engine, a transport and a host: the one place where callbacks, writes and timers meet, shared by every
 * runtime. Adapters never see the engine.
 *
 * Handlers may be called from inside the driver's own calls (Bun does it): what comes then waits until the current
 * entry is done.
 *
 * @module
 */

import type { Dial, Transport, TransportHandlers, TransportInfo } from "../ports.ts";
import type { Engine } from "./engine.ts";
import type { CloseReason, EngineEvent } from "./engine_events.ts";
import type { OutboundListener } from "./link.ts";
import type { Scheduler, Task } from "./scheduler.ts";
import { FLUSH_TRANSITIONS, type FlushInput, type FlushState } from "./states.ts";
import { next } from "../state_table.ts";

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

/** One connection in motion. */
export class Driver implements Task, OutboundListener {
  readonly #engine: Engine;
  readonly #scheduler: Scheduler;
  readonly #events: DriverEvents;
  #transport: Transport | undefined;
  #open = false;
  /** The transport has told its close. */
  #ended = false;
  #gone = false;
  /** The transport was told to close. */
  #closed = false;
  #reason: CloseReason | undefined;
  #handshaken = false;
  #busy = false;
  #writing = false;
  #paused = false;
  #flush: FlushState = "idle";
  #turnArranged = false;
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

  /** Opens the stream. Throws what `dial` throws. */
  start(dial: Dial): void {
    this.#transport = dial(this.#handlers());
    this.#engine.started(this.#nowMs());
    this.#armTimer();
    // What keeps the process alive is decided by the context, for all its connections at once.
    this.#transport.setReferenced?.(false);
  }

  /** Ends the connection; `flush` lets what is queued leave first. `gone` follows. */
  close(mode: "flush" | "abort"): void {
    if (this.#gone) return;
    this.#engine.close(this.#nowMs());
    if (mode === "abort" || !this.#open) this.#cut();
    this.#settle();
    // A peer that takes nothing any more must not hold for ever what is over.
    if (!this.#closed && !this.#gone) this.#armCut();
  }

  /** The pipe has room again, or a body allocator has memory. */
  restartInput(): void {
    if (this.#gone) return;
    this.#engine.restartInput(this.#nowMs());
    if (this.#busy) return;
    // Each chunk that comes out of it is dealt with by itself, so that a pull stops at the pending bound.
    if (this.#open && !this.#closed && this.#engine.wantsRead) this.#transport!.pull?.();
    this.#settle();
  }

  /** Tells the peer of a subscription. */
  subscribe(topic: Uint8Array, on: boolean): void {
    this.#engine.subscribe(topic, on);
    if (this.#engine.hasUrgentOutput) this.queued();
  }

  // What the pipe reports.

  queued(): void {
    if (!this.#open || this.#closed) return;
    const before = this.#flush;
    this.#go("queued");
    if (before === "idle") this.#scheduler.afterCallback(this);
  }

  full(): void {
    if (!this.#open || this.#closed || this.#writing || this.#flush === "blocked") return;
    this.#go("full");
    this.#pump();
    // Whoever sends must not meet the consequences of it inside that very call.
    if (this.#hasNews) this.#scheduler.afterCallback(this);
  }

  // What the scheduler reports.

  callbackEnded(): void {
    const due = this.#flush === "soon";
    this.#go("callbackEnded");
    if (due) this.#pumpAndSettle();
    else if (this.#hasNews) this.#settle();
  }

  turnEnded(): void {
    this.#turnArranged = false;
    const due = this.#flush === "gathering" || this.#flush === "soon";
    this.#go("turnEnded");
    if (due) this.#pumpAndSettle();
  }

  // What the transport reports.

  #handlers(): TransportHandlers {
    return {
      open: (info) =>
        this.#enter(() => {
          this.#open = true;
          this.#events.opened(info);
        }),
      data: (chunk) => {
        if (this.#mustWait) return this.#defer(() => this.#engine.receive(chunk, this.#nowMs()));
        this.#busy = true;
        this.#engine.receive(chunk, this.#nowMs());
        this.#busy = false;
        this.#settle();
      },
      drain: () => this.#enter(() => this.#drained()),
      end: () => this.#enter(() => this.#engine.receiveEnd(this.#nowMs())),
      close: (cause) => {
        // Whenever we come to deal with it: nothing is written any more.
        this.#ended = true;
        this.#enter(() => this.#transportClosed(cause));
      },
    };
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
    this.#deferred.push(run);
    if (!this.#writing) this.#settle();
  }

  #drained(): void {
    if (this.#rest !== undefined && !this.#writeRest()) return;
    this.#engine.drained();
    this.#go("drained");
    if (this.#open) this.#pump();
  }

  #transportClosed(cause: unknown): void {
    if (this.#gone) return;
    this.#engine.transportFailed(cause, this.#nowMs());
    this.#drainEvents();
    this.#gone = true;
    this.#closed = true;
    this.#open = false;
    this.#cancelTimer?.();
    this.#cancelCut?.();
    this.#engine.abandon();
    this.#events.gone(cause);
  }

  /** Answers everything the engine has to say until nothing is left, then brings the pause and the timer up to date. */
  #settle(): void {
    if (this.#busy || this.#gone) return;
    this.#busy = true;
    for (;;) {
      this.#drainEvents();
      if (this.#open && !this.#closed && this.#engine.hasUrgentOutput) this.#pump();
      this.#finishClosing();
      const deferred = this.#deferred.shift();
      if (deferred !== undefined) deferred();
      else if (!this.#engine.hasEvents) break;
    }
    this.#busy = false;
    if (this.#gone) return;
    this.#updatePaused();
    this.#armTimer();
  }

  #drainEvents(): void {
    for (let event = this.#engine.pollEvent(); event !== undefined; event = this.#engine.pollEvent()) {
      if (event.type === "closed") {
        this.#reason = event.reason;
        this.#handshaken = event.handshaken;
      }
      this.#events.engine(event);
    }
  }

  #pumpAndSettle(): void {
    if (this.#open && !this.#closed) this.#pump();
    this.#settle();
  }

  /** Whether something happened that nobody has dealt with: handler calls inside a write, events of the engine. */
  get #hasNews(): boolean {
    return this.#deferred.length > 0 || this.#engine.hasEvents;
  }

  /** Writes until nothing is left or the transport keeps what it got. Entering it twice does nothing. */
  #pump(): void {
    if (this.#writing) return;
    this.#writing = true;
    while (!this.#ended) {
      const chunks = this.#engine.pollTransmit();
      if (chunks === undefined) break;
      const taken = this.#write(chunks);
      this.#engine.transmitted(taken);
      if (!taken) {
        this.#go("lent");
        break;
      }
    }
    this.#writing = false;
  }

  #write(chunks: readonly Uint8Array[]): boolean {
    const transport = this.#transport!;
    if (chunks.length === 1) return transport.write(chunks[0]!);
    if (transport.writev !== undefined) return transport.writev(chunks);
    this.#rest = chunks;
    this.#restAt = 0;
    return this.#writeRest();
  }

  #writeRest(): boolean {
    const chunks = this.#rest!;
    while (this.#restAt < chunks.length) {
      if (this.#ended) return false;
      if (!this.#transport!.write(chunks[this.#restAt++]!)) return false;
    }
    this.#rest = undefined;
    return true;
  }

  /** Once the engine is done, the transport is closed: in order where something may still leave, else at once. */
  #finishClosing(): void {
    if (this.#closed) return;
    if (this.#engine.state === "closing") {
      if (!this.#open) return this.#cut();
      this.#pump();
      if (this.#engine.inFlight || this.#engine.hasOutput) return;
      this.#engine.flushed();
      this.#closeInOrder();
      return;
    }
    if (this.#engine.state !== "closed") return;
    const refused = this.#reason?.kind === "peer" && (!this.#handshaken || this.#engine.hasUrgentOutput);
    // Who read a greeting must be told ours, even when the answer is no (RFC 37), and a refusal tells why.
    if (refused && this.#open) this.#pump();
    const orderly = refused || this.#reason?.kind === "remote";
    if (orderly && this.#open && !this.#engine.inFlight) this.#closeInOrder();
    else this.#cut();
  }

  #closeInOrder(): void {
    this.#closed = true;
    this.#transport!.close("flush");
    if (!this.#gone) this.#armCut();
  }

  #armCut(): void {
    this.#cancelCut ??= this.#scheduler.host.schedule(CLOSE_MS, () => this.#cut(), false);
  }

  #cut(): void {
    if (this.#closed && this.#cancelCut === undefined) return;
    this.#closed = true;
    this.#cancelCut?.();
    this.#cancelCut = undefined;
    this.#transport?.close("abort");
  }

  #updatePaused(): void {
    if (!this.#open || this.#closed) return;
    const paused = !this.#engine.wantsRead;
    if (paused === this.#paused) return;
    this.#paused = paused;
    const canPause = this.#transport!.setPaused(paused);
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
      if (this.#gone) return;
      this.#engine.handleTimeout(this.#nowMs());
      this.#settle();
    }, false);
  }

  #go(input: FlushInput): void {
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
