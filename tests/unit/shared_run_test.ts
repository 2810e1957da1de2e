import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../support/properties.ts";
import { concat } from "../../src/bytes/bytes.ts";
import { FanOut } from "../../src/pattern/distribution/fan_out.ts";
import { OutboundQueue, type Outgoing } from "../../src/pattern/pipe/outbound_queue.ts";
import { SharedBound } from "../../src/pattern/pipe/shared_bound.ts";
import { encodeFrame } from "../../src/zmtp/frame_encoder.ts";
import { type Segment, SEGMENT_BYTES, SegmentPool } from "../../src/zmtp/segment.ts";
import type { SharedRun } from "../../src/zmtp/shared_run.ts";
import { FakePipe } from "./building_blocks.ts";

/** A message in a queue, as it will be on the wire. */
type Framed = Uint8Array;

/** A pipe with a real queue, and what that queue must hold if every peer had its own copies. */
class Peer extends FakePipe {
  readonly queue: OutboundQueue;
  readonly marked: number;
  /** What it holds, oldest first. */
  expected: Framed[] = [];
  flight: { readonly segment: Segment; readonly messages: Framed[]; readonly bytes: Uint8Array } | undefined;
  muted = false;

  constructor(total: SharedBound, pool: SegmentPool, messagesMax: number) {
    super("");
    this.marked = messagesMax;
    this.queue = new OutboundQueue({
      pool,
      total,
      mark: { messages: messagesMax, bytes: 0 },
      writable: () => void (this.muted = false),
    });
  }

  override write(message: Outgoing): boolean {
    return this.queue.write(message);
  }

  override writeShared(run: SharedRun, message: Outgoing): boolean {
    return this.queue.writeShared(run, message);
  }

  /** Whether the model takes a message now. */
  accepts(message: Framed): boolean {
    if (this.muted || this.queued.length >= this.marked) {
      this.muted = true;
      return false;
    }
    this.expected.push(message);
    return true;
  }

  get queued(): Framed[] {
    return [...(this.flight?.messages ?? []), ...this.expected];
  }

  take(): void {
    if (this.flight !== undefined) return;
    const segment = this.queue.take();
    if (segment === undefined) return assertEquals(this.expected.length, 0);
    const messages = this.expected.splice(0, segment.messages);
    const bytes = concat(segment.chunks());
    assertEquals(bytes, concat(messages), "the wire is the same as with a copy for each peer");
    this.flight = { segment, messages, bytes };
  }

  /** Ends the write in flight. `share`: how much of it had left when the transport refused the rest. */
  end(how: "release" | "discard" | "giveBack", share = 0): void {
    const { flight } = this;
    if (flight === undefined) return;
    assertEquals(concat(flight.segment.chunks()), flight.bytes, "what is being written does not change");
    this.flight = undefined;
    if (how !== "giveBack") return this.queue[how](flight.segment);
    const handed = Math.floor(flight.bytes.length * share);
    let left = handed;
    const kept = flight.messages.filter((message) => {
      const isWhole = left >= message.length;
      left = isWhole ? left - message.length : -1;
      return !isWhole;
    });
    this.expected.unshift(...kept);
    this.queue.giveBack(flight.segment, handed);
  }

  check(): void {
    const messages = this.queued;
    assertEquals(this.queue.messages, messages.length);
    assertEquals(this.queue.bytes, messages.reduce((sum, { length }) => sum + length, 0));
    assertEquals(this.queue.hasSegments, this.expected.length > 0);
  }
}

function framed(message: Outgoing): Framed {
  if (message instanceof Uint8Array) return encodeFrame(0, message);
  return concat(message.map((frame, i) => encodeFrame(i < message.length - 1 ? 1 : 0, frame)));
}

/** Peers that one fan-out writes to. */
class Bench {
  readonly total: SharedBound = new SharedBound(Infinity);
  readonly peers: Peer[];
  readonly fanOut: FanOut = new FanOut();
  #number = 0;

  constructor(...marks: number[]) {
    const pool = new SegmentPool();
    this.peers = marks.map((mark) => new Peer(this.total, pool, mark));
  }

  /** Sends a message to some peers, and checks who takes it. */
  send(sizes: number | number[], to: readonly Peer[] = this.peers): void {
    const bodies = [sizes].flat().map((size) => new Uint8Array(size).fill(this.#number++ & 255));
    const message = typeof sizes === "number" ? bodies[0]! : bodies;
    const expected = framed(message);
    const refuse = to.filter((peer) => !peer.accepts(expected));
    const refused: Peer[] = [];
    this.fanOut.write(to, to.length, message, (pipe) => refused.push(pipe as Peer));
    assert(refused.length === refuse.length && refused.every((peer, i) => peer === refuse[i]));
    for (const body of bodies) if (body.length < 16_384) body.fill(0xee);
  }

  /** Lets everything leave. Nothing may count any longer. */
  finish(): void {
    for (const peer of this.peers) {
      for (;;) {
        peer.end("release");
        peer.take();
        if (peer.flight === undefined) break;
      }
      peer.check();
    }
    assertEquals([this.total.bytes, this.total.queues], [0, 0]);
  }
}

const memoryOf = (peer: Peer): [ArrayBufferLike, number, number] => {
  const { buffer, byteOffset, byteLength } = peer.flight!.segment.chunks()[0]!;
  return [buffer, byteOffset, byteLength];
};

test("peers that take the same messages are written from the same memory", () => {
  const bench = new Bench(1000, 1000, 1000);
  for (let i = 0; i < 100; i++) bench.send(64);
  for (const peer of bench.peers) peer.take();
  const [first, ...others] = bench.peers.map(memoryOf);
  assertEquals(first!.slice(1), [0, 6_600]);
  for (const other of others) assert(other[0] === first![0] && other[1] === 0 && other[2] === 6_600);
  bench.send(64);
  for (const peer of bench.peers) peer.end("release");
  for (const peer of bench.peers) peer.take();
  assertEquals(bench.peers.map((peer) => memoryOf(peer).slice(1)), Array(3).fill([6_600, 66]));
  bench.finish();
  bench.send(10);
  bench.peers[0]!.take();
  assertEquals(memoryOf(bench.peers[0]!)[1], 0, "when all was written, the memory is used again");
  assert(memoryOf(bench.peers[0]!)[0] === first![0]);
  bench.finish();
});

test("shared memory counts once, and what each peer refers to counts for that peer", () => {
  const bench = new Bench(1000, 1000);
  bench.send(98);
  assertEquals(bench.total.bytes, SEGMENT_BYTES + 2 * 100);
  bench.peers[0]!.take();
  bench.peers[0]!.end("release");
  assertEquals(bench.total.bytes, SEGMENT_BYTES + 100);
  bench.peers[1]!.queue.clear();
  assertEquals([bench.total.bytes, bench.total.queues], [0, 0]);
});

test("a peer at its mark misses messages while the others go on, and shares again when it is back", () => {
  const bench = new Bench(1000, 4, 1000);
  const [fast, slow] = bench.peers as [Peer, Peer, Peer];
  for (let i = 0; i < 10; i++) bench.send(20);
  assertEquals(bench.peers.map((peer) => peer.queue.messages), [10, 4, 10]);
  slow.take();
  bench.send(20);
  slow.end("release");
  bench.send(20);
  fast.take();
  slow.take();
  assert(memoryOf(slow)[0] === memoryOf(fast)[0]);
  assertEquals([memoryOf(slow).slice(1), memoryOf(fast).slice(1)], [[11 * 22, 22], [0, 12 * 22]]);
  bench.finish();
});

test("who gets some of the messages gets them in one write", () => {
  const bench = new Bench(1000, 1000, 1000);
  const [first, second, third] = bench.peers as [Peer, Peer, Peer];
  for (let i = 0; i < 30; i++) bench.send(50, i % 2 === 0 ? [first, second] : [second, third]);
  for (const peer of bench.peers) peer.take();
  assertEquals(bench.peers.map(({ flight }) => flight!.messages.length), [15, 30, 15]);
  bench.finish();
});

test("two that began together and end apart get each its own messages", () => {
  const bench = new Bench(1000, 30, 1000);
  const [far, near, other] = bench.peers as [Peer, Peer, Peer];
  for (let i = 0; i < 6; i++) bench.send(1, [other, far]);
  far.take();
  far.end("release");
  for (let i = 0; i < 36; i++) bench.send(1, [far, near]);
  far.take();
  near.take();
  assertEquals([far.flight!.messages.length, near.flight!.messages.length], [36, 30]);
  bench.finish();
});

test("what a transport did not take goes back to one peer and stays as it is for the others", () => {
  const bench = new Bench(1000, 1000, 1000);
  const [first, second, third] = bench.peers as [Peer, Peer, Peer];
  for (let i = 0; i < 10; i++) bench.send(98);
  first.take();
  second.take();
  first.end("giveBack", 0.35);
  first.check();
  assertEquals([first.queue.messages, second.queue.messages, third.queue.messages], [7, 10, 10]);
  bench.send(98);
  bench.finish();
});

test("memory that a lost connection may still be writing is not used again", () => {
  const bench = new Bench(1000, 1000);
  const [lost, other] = bench.peers as [Peer, Peer];
  bench.send(100);
  lost.take();
  const { segment, bytes } = lost.flight!;
  lost.end("discard");
  other.take();
  other.end("release");
  for (let i = 0; i < 3_000; i++) {
    bench.send(100);
    if (i % 100 === 0) bench.finish();
  }
  bench.finish();
  assertEquals(concat(segment.chunks()), bytes);
});

test("with any fate of any peer, everyone gets what copies of its own would have brought", () => {
  const which = fc.nat(3);
  const size = fc.constantFrom(0, 1, 60, 300, 5_000, 16_383, 16_384, 40_000);
  const some = fc.subarray([0, 1, 2, 3], { minLength: 1 });
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.tuple(fc.constant("send" as const), some, size, fc.integer({ min: 1, max: 40 })),
    },
    {
      weight: 3,
      arbitrary: fc.tuple(fc.constant("send" as const), fc.constant([0, 1, 2, 3]), size, fc.nat(40)),
    },
    fc.tuple(fc.constant("several" as const), some, fc.array(size, { minLength: 2, maxLength: 3 })),
    { weight: 4, arbitrary: fc.tuple(fc.constant("take" as const), which) },
    { weight: 4, arbitrary: fc.tuple(fc.constant("release" as const), which) },
    fc.tuple(fc.constant("discard" as const), which),
    fc.tuple(fc.constant("giveBack" as const), which, fc.constantFrom(0, 0.01, 0.3, 0.5, 0.9)),
    fc.tuple(fc.constant("barrier" as const), which),
    fc.tuple(fc.constant("clear" as const), which),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const bench = new Bench(1000, 30, 5, 1000);
      for (const [name, to, how, times = 1] of steps) {
        const chosen = [to].flat().map((index) => bench.peers[index]!);
        const peer = chosen[0]!;
        if (name === "send") { for (let i = 0; i < times; i++) bench.send(how as number, chosen); }
        else if (name === "several") bench.send(how as number[], chosen);
        else if (name === "take") peer.take();
        else if (name === "barrier") peer.queue.barrier();
        else if (name === "clear") {
          peer.queue.clear();
          peer.expected = [];
        } else peer.end(name, how as number | undefined);
        for (const each of bench.peers) each.check();
      }
      bench.finish();
    }),
    { numRuns: 300 },
  );
});
