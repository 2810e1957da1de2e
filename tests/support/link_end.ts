/**
 * One end of a simulated link: what a `Transport` and its handlers see. It keeps the order that `ports.ts`
 * promises to handlers, and checks the order that it demands of whoever holds the transport.
 *
 * @module
 */

import type { Transport, TransportHandlers, TransportInfo } from "../../src/ports.ts";
import type { Lane, LaneHost } from "./lane.ts";

/** What an end needs of its link. */
export interface LinkEndHost extends LaneHost {
  /** The connection is to be opened, or its handlers are there at last. */
  attached(end: LinkEnd): void;
  /** `end` was aborted. */
  aborted(end: LinkEnd): void;
  otherEnd(end: LinkEnd): LinkEnd;
}

/** How deep handlers may be called inside each other's calls. Real ones stop somewhere, too. */
const NESTING_MAX = 3;

export class LinkEnd {
  readonly name: string;
  readonly outbound: Lane;
  readonly inbound: Lane;
  readonly #host: LinkEndHost;
  #handlers: TransportHandlers | undefined = undefined;
  #state: "idle" | "opening" | "open" | "closed" = "idle";
  #closeMode: "flush" | "abort" | undefined = undefined;
  #failure: { readonly cause: unknown; readonly keepsFlight: boolean } | undefined = undefined;
  #openScheduled = false;
  #info: TransportInfo | undefined = undefined;
  #paused = false;
  #lateChunks = 0;
  #referenced = true;
  #endReported = false;
  #writing = false;
  /** A write answered `false` and no drain has come since. */
  #lent = false;
  #nesting = 0;
  #wakeScheduled = false;
  #closeScheduled = false;
  /** Where the next read goes, if not into memory of its own. It may be written to until the stream has closed. */
  #armed: Uint8Array | undefined = undefined;
  /** Bytes handed to the handlers. */
  deliveredBytes = 0;
  /** Handlers called from inside one of our own calls. */
  nestedCalls = 0;

  constructor(name: string, host: LinkEndHost, lanes: { readonly outbound: Lane; readonly inbound: Lane }) {
    this.name = name;
    this.#host = host;
    this.outbound = lanes.outbound;
    this.inbound = lanes.inbound;
  }

  get state(): "idle" | "opening" | "open" | "closed" {
    return this.#state;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Whether it would keep a process alive. */
  get referenced(): boolean {
    return this.#referenced && (this.#state === "opening" || this.#state === "open");
  }

  /** Gives the end its handlers. This is the `Dial` of either side. */
  attach(handlers: TransportHandlers): Transport {
    if (this.#state !== "idle") this.#host.violate(`${this.name} was attached twice`);
    this.#state = "opening";
    this.#handlers = handlers;
    const { canGather, canPull, canUnreference } = this.#host.options;
    const transport: Transport = {
      write: (chunk) => this.#write([chunk]),
      setPaused: (paused) => this.#setPaused(paused),
      close: (mode) => this.#close(mode),
    };
    if (canGather) transport.writev = (chunks) => this.#write(chunks);
    if (canPull) transport.pull = () => this.#pull();
    if (canUnreference) {
      transport.setReferenced = (on) => {
        this.#referenced = on;
      };
    }
    this.#host.attached(this);
    return transport;
  }

  /** The connection stands. */
  opened(info: TransportInfo): void {
    this.#info = info;
    if (this.#state === "opening") this.scheduleOpen();
  }

  scheduleOpen(): void {
    if (this.#info === undefined || this.#openScheduled) return;
    this.#openScheduled = true;
    this.#host.loop.io(0, `${this.name} opens`, () => {
      if (this.#state !== "opening" || this.#closeMode !== undefined) return;
      this.#state = "open";
      this.#handlers!.open(this.#info!);
      this.wake();
    });
  }

  /** The connection broke, from outside. */
  fail(cause: unknown, keepsFlight: boolean): void {
    if (this.#state === "closed" || this.#failure !== undefined) return;
    this.#failure = { cause, keepsFlight };
    if (this.#state === "idle" || this.#openScheduled && this.#state === "opening") return;
    if (this.#state === "opening" || this.#closeMode !== undefined || !keepsFlight) this.#scheduleClose();
    else this.wake();
  }

  /** Looks whether there is something to report, and if so does it in an event of its own. */
  wake(): void {
    if (this.#state !== "open" || this.#wakeScheduled || !this.#hasNews()) return;
    this.#wakeScheduled = true;
    this.#host.loop.io(0, `${this.name} hears`, () => {
      this.#wakeScheduled = false;
      this.#report();
    });
  }

  /** All of the lent memory was taken. */
  drained(): void {
    this.#lent = false;
    this.#host.loop.note(`${this.name} drain`);
    this.#handlers!.drain();
  }

  /** Our own end of the stream has left. */
  finished(): void {
    this.#checkFlushed();
  }

  describe(): string {
    const flags = [
      this.#paused ? " paused" : "",
      this.#closeMode === undefined ? "" : ` close(${this.#closeMode})`,
      this.#failure === undefined ? "" : " failed",
      this.#endReported ? " end" : "",
    ].join("");
    return `${this.name} ${this.#state}${flags}; ${this.outbound.describe()}`;
  }

  #write(chunks: readonly Uint8Array[]): boolean {
    const problem = this.#writeProblem();
    if (problem !== undefined) this.#host.violate(`${this.name}: ${problem}`);
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#writing = true;
    let taken = false;
    try {
      taken = bytes === 0 ? this.#failure === undefined : this.outbound.offer(chunks);
      this.#lent = !taken;
      this.#host.loop.note(`${this.name} write ${bytes} ${taken ? "taken" : "lent"}`);
      this.#reenter();
    } finally {
      this.#writing = false;
    }
    return taken;
  }

  #writeProblem(): string | undefined {
    if (this.#state === "opening") return "write before open";
    if (this.#state === "closed") return "write after the close event";
    if (this.#closeMode !== undefined) return "write after close";
    if (this.#writing) return "write inside write";
    if (this.#lent) return "write while memory is lent";
    return undefined;
  }

  #setPaused(paused: boolean): boolean {
    const { canPause, lateDataChance } = this.#host.options;
    if (!canPause) return false;
    if (this.#closeMode !== undefined || this.#state === "closed" || paused === this.#paused) return true;
    this.#host.loop.note(`${this.name} ${paused ? "paused" : "resumed"}`);
    this.#paused = paused;
    this.#lateChunks = paused && this.#host.random.chance(lateDataChance)
      ? this.#host.random.integer(1, 3)
      : 0;
    this.wake();
    if (!paused) this.#reenter();
    return true;
  }

  #pull(): boolean {
    const pausedBefore = this.#paused;
    let left = this.#host.random.chance(0.5) ? Infinity : this.#host.random.integer(1, 3);
    let delivered = false;
    while (left-- > 0 && this.#state === "open" && this.#closeMode === undefined) {
      if (this.#paused && !pausedBefore) break;
      const chunk = this.#read();
      if (chunk === undefined) break;
      delivered = true;
      this.#deliver(chunk, "pulled");
    }
    this.wake();
    return delivered;
  }

  #close(mode: "flush" | "abort"): void {
    // The stream may have closed by itself, which its holder cannot always know yet.
    if (this.#state === "closed") return;
    if (this.#closeMode === "abort" || this.#closeMode === mode) {
      this.#host.violate(`${this.name}: close("${mode}") after close("${this.#closeMode}")`);
    }
    this.#host.loop.note(`${this.name} close ${mode}`);
    this.#closeMode = mode;
    if (mode === "abort" || this.#state === "opening") {
      this.#host.aborted(this);
      this.#scheduleClose();
    } else if (this.#failure !== undefined) {
      this.#scheduleClose();
    } else {
      this.inbound.discard();
      this.outbound.finish();
      this.#checkFlushed();
    }
    this.#reenter();
  }

  /** A flushed stream is over when our end has left and the peer's has come. */
  #checkFlushed(): void {
    if (this.#closeMode === "flush" && this.outbound.finished && this.inbound.endArrived) {
      this.#scheduleClose();
    }
  }

  #scheduleClose(): void {
    if (this.#closeScheduled) return;
    this.#closeScheduled = true;
    this.#host.loop.io(this.#host.random.upTo(this.#host.options.jitterMsMax), `${this.name} closes`, () => {
      this.#reportClose();
    });
  }

  #reportClose(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#host.loop.note(`${this.name} closed`);
    this.outbound.returnMemory();
    // The last read may have come to something, though nobody hears of it.
    this.#armed?.fill(0x5a);
    this.#armed = undefined;
    const cause = this.#closeMode === "abort" ? undefined : this.#failure?.cause;
    if (cause === undefined) this.#handlers!.close();
    else this.#handlers!.close(cause);
  }

  #hasNews(): boolean {
    this.inbound.collectArrivals();
    if (this.#closeMode !== undefined) {
      this.#checkFlushed();
      return false;
    }
    if (this.#paused && this.#lateChunks === 0) return false;
    if (this.inbound.hasArrived || (this.inbound.endArrived && !this.#endReported)) return true;
    return this.#failure !== undefined && this.inbound.exhausted && !this.#closeScheduled;
  }

  /** Calls one handler, if there is news, and arranges for the next. */
  #report(): void {
    if (this.#state !== "open" || !this.#hasNews()) return;
    if (this.#paused) this.#lateChunks--;
    const chunk = this.#read();
    if (chunk !== undefined) {
      this.#deliver(chunk, "data");
    } else if (this.inbound.endArrived && !this.#endReported) {
      this.#endReported = true;
      this.#host.loop.note(`${this.name} end`);
      this.#handlers!.end();
    } else if (this.#failure !== undefined && this.inbound.exhausted) {
      this.#reportClose();
    }
    this.wake();
  }

  /** The next chunk, where the core wants it half the time. */
  #read(): Uint8Array | undefined {
    if (!this.inbound.hasArrived) return undefined;
    const place = this.#armed;
    this.#armed = undefined;
    const used = place !== undefined && this.#host.random.chance(0.5) ? place : undefined;
    return this.inbound.read(this.inbound.splitBytes(), used);
  }

  /** Begins the next read, as a transport does that asks where it should go long before there is anything. */
  #arm(): void {
    if (this.#state !== "open" || this.#closeMode !== undefined) return;
    this.#armed = this.#handlers!.bodyMemory?.();
  }

  #deliver(chunk: Uint8Array, how: string): void {
    this.deliveredBytes += chunk.length;
    this.#host.loop.note(`${this.name} ${how} ${chunk.length}`);
    this.#handlers!.data(chunk);
    this.#arm();
  }

  /** Calls handlers from inside a call, where the world wants that. */
  #reenter(): void {
    const { random, options } = this.#host;
    if (random.chance(options.reentrantChance)) this.#nest(this);
    if (random.chance(options.reentrantPeerChance)) this.#nest(this.#host.otherEnd(this));
  }

  #nest(end: LinkEnd): void {
    if (this.#nesting >= NESTING_MAX || end.#state !== "open") return;
    this.#nesting++;
    try {
      this.nestedCalls++;
      if (end.#closeScheduled) end.#reportClose();
      else end.#report();
    } finally {
      this.#nesting--;
    }
  }
}
