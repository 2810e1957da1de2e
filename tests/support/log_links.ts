/**
 * Both ends of the log's links, as tests see them: what was told, in which order, that nobody is called from inside a call
 * of its own, that `closed` comes once and last, and where each body's memory went.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { ClientLinkEvents } from "../../src/log/client/client_link.ts";
import type { AcceptedLink, AcceptLink, FrameLink, InputControl, LinkEvents } from "../../src/log/link.ts";
import { DISCARDED, type PlacingAllocator } from "../../src/zmtp/frame_sink.ts";

/** Bytes that depend on number and place, in memory of their own. */
export function bodyOf(number: number, bytes: number): Uint8Array {
  const body = new Uint8Array(bytes);
  for (let i = 0; i < Math.min(bytes, 4_096); i++) body[i] = (number * 31 + i * 7 + (i >> 8)) & 0xff;
  for (let filled = 4_096; filled < bytes; filled *= 2) body.copyWithin(filled, 0, filled);
  return body;
}

/** A message: a number and the sizes of the bodies behind it, then the bodies. */
export function numbered(number: number, ...sizes: readonly number[]): Uint8Array[] {
  const head = new Uint8Array(4 + 4 * sizes.length);
  const view = new DataView(head.buffer);
  view.setUint32(0, number);
  sizes.forEach((size, index) => view.setUint32(4 + 4 * index, size));
  return [head, ...sizes.map((size, index) => bodyOf(number + index, size))];
}

/** The number of a message that {@link numbered} made. */
export function numberOf(frames: readonly Uint8Array[]): number {
  const head = frames[0]!;
  return new DataView(head.buffer, head.byteOffset, head.length).getUint32(0);
}

/** Fails unless a message is as it was made; bodies that were discarded are passed over. */
export function assertWhole(frames: readonly Uint8Array[]): void {
  const head = frames[0]!;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  assertEquals(frames.length, head.length / 4, "frames");
  for (let index = 1; index < frames.length; index++) {
    const frame = frames[index]!;
    if (frame === DISCARDED) continue;
    const size = view.getUint32(4 * index);
    assertEquals(frame.length, size, `size of frame ${index}`);
    const equal = equalBodies(frame, bodyOf(view.getUint32(0) + index - 1, size));
    assert(equal, `frame ${index} of message ${view.getUint32(0)} was changed`);
  }
}

function equalBodies(left: Uint8Array, right: Uint8Array): boolean {
  for (let i = 0; i < right.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

const RELEASED = 0xee;

/** Memory for bodies, each piece accounted for: it is delivered or released, exactly once. */
export class Ledger implements PlacingAllocator {
  /** Memory that was given and has neither been delivered nor released. */
  readonly out: Set<Uint8Array> = new Set();
  /** Memory that was released, and that somebody else may have by now: filled with {@link RELEASED}. */
  readonly #released: Uint8Array[] = [];
  given = 0;
  delivered = 0;
  released = 0;
  /** How many of the released ones must not be used again. */
  forfeited = 0;
  asked = 0;
  /** What to answer instead of memory; `undefined`: memory. */
  decide: (bytes: number, framesBefore: readonly Uint8Array[]) => "later" | "discard" | undefined = () =>
    undefined;

  allocate(bytes: number, framesBefore: readonly Uint8Array[]): Uint8Array | "later" | "discard" {
    this.asked++;
    const answer = this.decide(bytes, framesBefore);
    if (answer !== undefined) return answer;
    const memory = new Uint8Array(bytes);
    this.out.add(memory);
    this.given++;
    return memory;
  }

  release(memory: Uint8Array): void {
    this.#takeBack(memory);
    this.#released.push(memory.fill(RELEASED));
  }

  forfeit(memory: Uint8Array): void {
    this.#takeBack(memory);
    this.forfeited++;
  }

  /** Every frame of a message must be memory of this ledger, or discarded. */
  take(frames: readonly Uint8Array[]): void {
    for (const frame of frames) {
      if (frame === DISCARDED) continue;
      assert(this.out.delete(frame), "a frame is not the memory that the allocator gave");
      this.delivered++;
    }
  }

  #takeBack(memory: Uint8Array): void {
    assert(this.out.delete(memory), "memory was released that is not out");
    this.released++;
  }

  /** All that was given has gone one way or the other, and nobody has written to what was released. */
  assertSettled(): void {
    for (const memory of this.#released) {
      assert(memory.every((byte) => byte === RELEASED), "memory was written to after it was released");
    }
    assertEquals(this.out.size, 0, `${this.out.size} of ${this.given} bodies are still out`);
    assertEquals(this.given, this.delivered + this.released);
  }
}

/** The calls of one end that are running now. Nothing may be told meanwhile. */
class Calls {
  #running = 0;

  run<Result>(call: () => Result): Result {
    this.#running++;
    try {
      return call();
    } finally {
      this.#running--;
    }
  }

  assertNone(): void {
    assertEquals(this.#running, 0, "called back from inside a call");
  }
}

/** What both ends have in common. */
class End implements LinkEvents {
  readonly calls: Calls = new Calls();
  readonly received: Uint8Array[][] = [];
  writables = 0;
  /** How often `closed` was told. */
  closes = 0;
  reason: Error | undefined;
  /** Called with each message, after it was noted. */
  onMessage: (frames: Uint8Array[]) => void = () => {};
  onWritable: () => void = () => {};
  onClosed: () => void = () => {};
  /** Whether received messages are kept, or only counted by `onMessage`. */
  keep = true;

  message(frames: Uint8Array[]): void {
    this.told();
    if (this.keep) this.received.push(frames);
    this.onMessage(frames);
  }

  writable(): void {
    this.told();
    this.writables++;
    this.onWritable();
  }

  closed(reason?: Error): void {
    this.told();
    this.closes++;
    this.reason = reason;
    this.onClosed();
  }

  get numbers(): number[] {
    return this.received.map(numberOf);
  }

  protected told(): void {
    this.calls.assertNone();
  }
}

/** One accepted link, from the broker's side. */
export class Served extends End {
  readonly link: FrameLink;
  readonly input: InputControl | undefined;
  readonly peer: string;
  readonly ledger: Ledger | undefined;

  constructor(link: FrameLink, input: InputControl | undefined, peer: string) {
    super();
    this.link = link;
    this.input = input;
    this.peer = peer;
    this.ledger = input === undefined ? undefined : new Ledger();
  }

  override message(frames: Uint8Array[]): void {
    this.ledger?.take(frames);
    super.message(frames);
  }

  override closed(reason?: Error): void {
    super.closed(reason);
    this.ledger?.assertSettled();
  }

  send(...frames: Uint8Array[]): boolean {
    return this.calls.run(() => this.link.trySend(frames));
  }

  close(reason?: Error): void {
    this.calls.run(() => this.link.close(reason));
  }

  protected override told(): void {
    super.told();
    assertEquals(this.closes, 0, "told something behind closed");
  }
}

/** A broker's door. */
export class Door {
  readonly served: Served[] = [];
  bursts = 0;
  /** Messages since the last burst's end. */
  pending = 0;
  onServed: (served: Served) => void = () => {};
  onBurst: () => void = () => {};
  /** Messages of each burst. */
  readonly burstSizes: number[] = [];

  readonly accept: AcceptLink = (link, input, peer): AcceptedLink => {
    const served = new Served(link, input, peer);
    this.served.push(served);
    this.onServed(served);
    const events: LinkEvents = {
      message: (frames) => {
        this.pending++;
        served.message(frames);
      },
      writable: () => this.#between(() => served.writable()),
      closed: (reason) => this.#between(() => served.closed(reason)),
    };
    return { events, allocator: served.ledger };
  };

  readonly endOfBurst = (): void => {
    assert(this.pending > 0, "the end of a burst without messages");
    this.bursts++;
    this.burstSizes.push(this.pending);
    this.pending = 0;
    this.onBurst();
  };

  /** Links that are open. */
  get open(): Served[] {
    return this.served.filter((served) => served.closes === 0);
  }

  /** Every link was told of its end, and every body's memory is accounted for. */
  assertDone(): void {
    for (const served of this.served) {
      assertEquals(served.closes, 1, "closed once");
      served.ledger?.assertSettled();
    }
  }

  #between(tell: () => void): void {
    assertEquals(this.pending, 0, "something was told between a burst and its end");
    tell();
  }
}

/** A client's end. */
export class Caller extends End implements ClientLinkEvents {
  link: FrameLink | undefined;
  opens = 0;
  bursts = 0;
  readonly failures: { readonly reason: Error; readonly retryMs: number }[] = [];
  onOpened: () => void = () => {};

  opened(): void {
    this.calls.assertNone();
    assertEquals(this.opens, this.closes, "opened twice");
    this.opens++;
    this.onOpened();
  }

  endOfBurst(): void {
    this.told();
    this.bursts++;
  }

  failed(reason: Error, retryMs: number): void {
    this.calls.assertNone();
    assertEquals(this.opens, this.closes, "failed while open");
    this.failures.push({ reason, retryMs });
  }

  get isOpen(): boolean {
    return this.opens > this.closes;
  }

  send(...frames: Uint8Array[]): boolean {
    return this.calls.run(() => this.link!.trySend(frames));
  }

  close(reason?: Error): void {
    this.calls.run(() => this.link!.close(reason));
  }

  protected override told(): void {
    super.told();
    assertEquals(this.opens, this.closes + 1, "told something while closed");
  }
}

/** Sends messages one after the other, waiting for room where there is none. */
export class Feeder {
  sent = 0;
  readonly #end: Served | Caller;
  readonly #messages: (number: number) => Uint8Array[];
  readonly #count: number;

  constructor(end: Served | Caller, count: number, messages: (number: number) => Uint8Array[]) {
    this.#end = end;
    this.#count = count;
    this.#messages = messages;
    end.onWritable = () => this.pump();
  }

  get done(): boolean {
    return this.sent === this.#count;
  }

  pump(): void {
    while (this.sent < this.#count && this.#end.send(...this.#messages(this.sent))) this.sent++;
  }
}
