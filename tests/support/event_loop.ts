/**
 * A deterministic event loop on a virtual clock: microtasks, turn callbacks, timers and I/O events in the order in
 * which a runtime would run them. Time moves only when there is nothing left to do now.
 *
 * @module
 */

import type { Random } from "./random.ts";

/** How this loop differs from a perfectly regular one. Runtimes are not, within these bounds. */
export interface EventLoopOptions {
  /** Where the monotonic clock starts. Not 0 in some runs: code may not take 0 for "not set". */
  readonly startMs: number;
  /** I/O events that may share one turn. 1: turn callbacks run after each. */
  readonly turnEventsMax: number;
  /** I/O events that are due at the same time come in random order. Never within one direction of a link. */
  readonly shuffleTies: boolean;
  /** A timer fires up to this much late. */
  readonly timerLateMsMax: number;
  /** A timer fires up to this much early, as Node's do, whose timers count whole milliseconds. */
  readonly timerEarlyMsMax: number;
}

interface Event {
  readonly atMs: number;
  readonly tie: number;
  readonly order: number;
  readonly label: string;
  /** `undefined` once run or cancelled. */
  run: (() => void) | undefined;
  readonly kind: "io" | "timer" | "idleTimer";
}

/** A turn callback that asks for the next one over and over costs this much time each: it must not stop the clock. */
const SPINNING_TURN_MS = 0.01;
const MICROTASKS_MAX = 1_000_000;
const TRACE_LINES_KEPT = 60;
const MIDDLE_TIE = 0x8000_0000;

export class EventLoop {
  readonly #random: Random;
  readonly #options: EventLoopOptions;
  readonly #heap: Event[] = [];
  readonly #trace: string[] = [];
  #nowMs: number;
  #order = 0;
  #eventCount = 0;
  #digest = 0x811c_9dc5;
  #microtasks: (() => void)[] = [];
  #turns: (() => void)[] = [];
  /** I/O events that may still run before this turn ends. */
  #turnEventsLeft = 1;
  #spinning = false;
  #referencedTimers = 0;
  /** Called before each event with its number, to strike at exactly that point. */
  beforeEvent: ((eventIndex: number) => void) | undefined = undefined;

  constructor(random: Random, options: EventLoopOptions) {
    this.#random = random;
    this.#options = options;
    this.#nowMs = options.startMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events run so far: I/O, timers and turn phases. */
  get eventCount(): number {
    return this.#eventCount;
  }

  get referencedTimers(): number {
    return this.#referencedTimers;
  }

  /** When the next event is due; `Infinity` when nothing is left to happen. */
  get nextAtMs(): number {
    if (this.#microtasks.length > 0 || this.#turns.length > 0) return this.#nowMs;
    this.#dropCancelled();
    return this.#heap[0]?.atMs ?? Infinity;
  }

  /** A fingerprint of everything that has happened: equal for equal runs. */
  get digest(): string {
    return `${this.#eventCount}:${this.#digest.toString(16).padStart(8, "0")}`;
  }

  /** The last lines of the trace, oldest first. */
  get trace(): readonly string[] {
    return this.#trace;
  }

  /** Labels of what is still to happen. */
  get waiting(): readonly string[] {
    return this.#heap.filter((event) => event.run !== undefined)
      .sort(compare).map((event) => `${event.atMs.toFixed(3)} ${event.label}`);
  }

  /** Writes one line into the trace and the digest. */
  note(text: string): void {
    const line = `${this.#nowMs.toFixed(3)} ${text}`;
    for (let index = 0; index < line.length; index++) {
      this.#digest = Math.imul(this.#digest ^ line.charCodeAt(index), 0x0100_0193) >>> 0;
    }
    this.#trace.push(line);
    if (this.#trace.length > TRACE_LINES_KEPT) this.#trace.shift();
  }

  microtask(run: () => void): void {
    this.#microtasks.push(run);
  }

  turn(run: () => void): void {
    this.#turns.push(run);
  }

  /** An I/O event. The answer cancels. */
  io(delayMs: number, label: string, run: () => void): () => void {
    return this.ioAt(this.#nowMs + delayMs, label, run);
  }

  /** An I/O event at a point in time: adding a difference to the clock would not always hit it. */
  ioAt(atMs: number, label: string, run: () => void): () => void {
    const tie = this.#options.shuffleTies ? this.#random.uint32() : MIDDLE_TIE;
    return this.#push({ atMs, tie, order: this.#order++, label, run, kind: "io" });
  }

  timer(delayMs: number, run: () => void, referenced: boolean): () => void {
    const skewMs = this.#random.upTo(this.#options.timerLateMsMax) -
      this.#random.upTo(this.#options.timerEarlyMsMax);
    const atMs = this.#nowMs + Math.max(0, Math.max(0, delayMs) + skewMs);
    const label = `timer ${delayMs} ms`;
    const kind = referenced ? "timer" : "idleTimer";
    return this.#push({ atMs, tie: MIDDLE_TIE, order: this.#order++, label, run, kind });
  }

  /** Runs microtasks until none is left. Answers whether there was any. */
  flushMicrotasks(): boolean {
    if (this.#microtasks.length === 0) return false;
    for (let count = 0; this.#microtasks.length > 0; count++) {
      if (count > MICROTASKS_MAX) throw new Error(`More than ${MICROTASKS_MAX} microtasks in one callback`);
      const batch = this.#microtasks;
      this.#microtasks = [];
      for (const run of batch) run();
    }
    return true;
  }

  /** Runs the next event, or the turn callbacks when a turn ends here. Answers `false` when nothing is left. */
  step(): boolean {
    if (this.flushMicrotasks()) return true;
    this.#dropCancelled();
    const event = this.#heap[0];
    const dueNow = event !== undefined && event.atMs <= this.#nowMs;
    if (this.#turns.length > 0 && !(dueNow && this.#turnEventsLeft > 0)) {
      this.#runTurns(event);
      return true;
    }
    if (event === undefined) return false;
    if (this.#turnEventsLeft === 0) {
      this.#turnEventsLeft = this.#random.integer(1, this.#options.turnEventsMax);
    }
    this.#turnEventsLeft--;
    this.#spinning = false;
    this.#runEvent(event);
    return true;
  }

  /** Moves the clock to `atMs`. Nothing may be due before. */
  advanceTo(atMs: number): void {
    if (atMs < this.#nowMs || this.nextAtMs < atMs) {
      throw new RangeError("Cannot move the clock past an event");
    }
    this.#nowMs = atMs;
  }

  #runEvent(event: Event): void {
    this.#nowMs = Math.max(this.#nowMs, event.atMs);
    this.beforeEvent?.(this.#eventCount);
    // What struck before the event may have cancelled it or put another in front: then that one is next.
    const run = event.run;
    if (run === undefined || this.#heap[0] !== event) return;
    this.#pop();
    this.#forget(event);
    this.#eventCount++;
    this.note(event.label);
    run();
    this.flushMicrotasks();
  }

  #runTurns(next: Event | undefined): void {
    if (this.#spinning) {
      this.#nowMs = Math.min(this.#nowMs + SPINNING_TURN_MS, Math.max(this.#nowMs, next?.atMs ?? Infinity));
    }
    this.beforeEvent?.(this.#eventCount);
    const batch = this.#turns;
    this.#turns = [];
    this.#eventCount++;
    this.note(`turn of ${batch.length}`);
    this.#turnEventsLeft = this.#random.integer(1, this.#options.turnEventsMax);
    this.#spinning = true;
    for (const run of batch) {
      run();
      this.flushMicrotasks();
    }
  }

  #push(event: Event): () => void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (compare(heap[parent]!, event) <= 0) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = event;
    if (event.kind === "timer") this.#referencedTimers++;
    return () => {
      if (event.run === undefined) return;
      this.#forget(event);
    };
  }

  #forget(event: Event): void {
    event.run = undefined;
    if (event.kind === "timer") this.#referencedTimers--;
  }

  #dropCancelled(): void {
    while (this.#heap.length > 0 && this.#heap[0]!.run === undefined) this.#pop();
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && compare(heap[child + 1]!, heap[child]!) < 0) child++;
      if (compare(heap[child]!, last) >= 0) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}

function compare(left: Event, right: Event): number {
  return left.atMs - right.atMs || left.tie - right.tie || left.order - right.order;
}
