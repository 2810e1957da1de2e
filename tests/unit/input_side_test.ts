import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../support/properties.ts";
import { asciiBytes, concat, copyOf } from "../../src/bytes/bytes.ts";
import { InputSide, type InputSideInit } from "../../src/engine/input_side.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/engine/limits.ts";
import type { Inbound } from "../../src/engine/link.ts";
import { PendingTotal } from "../../src/engine/pending_chunks.ts";
import { PeerError } from "../../src/errors.ts";
import { type BodyAllocator, DISCARDED } from "../../src/zmtp/frame_decoder.ts";
import { decodeCommand, encodeCommandFrame, encodePing, encodeSubscribe } from "../../src/zmtp/commands.ts";
import { encodeFrame } from "../../src/zmtp/frame_encoder.ts";
import { FLAG_COMMAND, FLAG_LONG, FLAG_MORE } from "../../src/zmtp/wire.ts";

interface BenchOptions extends Partial<Pick<InputSideInit, "opener" | "allocator">> {
  readonly limits?: Partial<Limits>;
  readonly credit?: number;
  readonly totalMax?: number;
}

/** An input side with a pipe whose room the test decides, and a list of all that came out, in order. */
class Bench {
  readonly out: string[] = [];
  readonly messages: Uint8Array[][] = [];
  readonly total: PendingTotal;
  readonly input: InputSide;
  credit: number;
  onFlush: (() => void) | undefined = undefined;
  flushes = 0;

  constructor(options: BenchOptions = {}) {
    this.credit = options.credit ?? Infinity;
    this.total = new PendingTotal(options.totalMax ?? Infinity);
    this.input = new InputSide({
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      pendingTotal: this.total,
      command: (body) => this.#command(body),
      opener: options.opener,
      allocator: options.allocator,
    });
  }

  static running(options: BenchOptions = {}): Bench {
    const bench = new Bench(options);
    bench.attach();
    return bench;
  }

  attach(): void {
    const credit = (): number => this.credit;
    const inbound: Inbound = {
      get credit() {
        return credit();
      },
      run: (bytes, start, end, messages) => {
        const view = new DataView(bytes.buffer, bytes.byteOffset);
        let count = 0;
        for (let at = start; at < end; count++) {
          const frames: Uint8Array[] = [];
          for (let more = true; more;) {
            const long = (bytes[at]! & FLAG_LONG) !== 0;
            const size = long ? Number(view.getBigUint64(at + 1)) : bytes[at + 1]!;
            const bodyAt = at + (long ? 9 : 2);
            frames.push(copyOf(bytes.subarray(bodyAt, bodyAt + size)));
            more = (bytes[at]! & FLAG_MORE) !== 0;
            at = bodyAt + size;
          }
          this.#message(frames);
        }
        assertEquals(count, messages);
      },
      message: (frames) => this.#message(frames),
      announce: () => {
        this.flushes++;
        this.onFlush?.();
      },
    };
    this.input.attach(inbound);
    this.input.restart();
  }

  #message(frames: Uint8Array[]): void {
    this.messages.push(frames);
    this.out.push(
      frames.map((frame) => frame === DISCARDED ? "-" : new TextDecoder().decode(frame)).join("+"),
    );
    this.credit--;
  }

  #command(body: Uint8Array): PeerError | undefined {
    const command = decodeCommand(body);
    if (command instanceof PeerError) return command;
    this.out.push(command.name);
    return undefined;
  }
}

function message(...frames: string[]): Uint8Array {
  return concat(
    frames.map((frame, index) => encodeFrame(index < frames.length - 1 ? FLAG_MORE : 0, asciiBytes(frame))),
  );
}

const PING = encodeCommandFrame(encodePing(0));
const SUBSCRIBE = encodeCommandFrame(encodeSubscribe(asciiBytes("topic")));

test("what arrives before the pipe is there waits, and commands in it do not", () => {
  const bench = new Bench();
  bench.input.receive(concat([message("1"), PING, message("2")]));
  assertEquals(bench.out, ["PING"]);
  assertEquals(bench.input.state, "detached");
  bench.attach();
  assertEquals(bench.out, ["PING", "1", "2"]);
  assertEquals(bench.input.state, "running");
});

test("pings overtake messages that must wait, each once; subscriptions keep their place among messages", () => {
  const bench = Bench.running({ credit: 1 });
  bench.input.receive(concat([PING, message("1"), SUBSCRIBE, message("2"), PING]));
  bench.input.receive(concat([message("3"), SUBSCRIBE]));
  assertEquals(bench.out, ["PING", "1", "PING"]);
  bench.credit = 10;
  bench.input.restart();
  assertEquals(bench.out.slice(3), ["SUBSCRIBE", "2", "3", "SUBSCRIBE"]);
  bench.input.receive(concat([message("4"), PING]));
  assertEquals(bench.out.slice(7), ["4", "PING"], "and again in order");
});

test("a message that has begun is finished whatever the pipe says, so that its bytes are never taken for frames", () => {
  // The body of the second message looks like commands and messages.
  const trap = concat([PING, SUBSCRIBE, message("no message")]);
  const stream = concat([message("first"), encodeFrame(0, trap), PING, message("last")]);
  for (
    let cut = message("first").length + 1;
    cut < stream.length - PING.length - message("last").length;
    cut++
  ) {
    const bench = Bench.running({ credit: 5 });
    bench.input.receive(stream.slice(0, cut));
    // As with a mark in bytes, or one that was lowered.
    bench.credit = 0;
    bench.input.receive(stream.slice(cut));
    assertEquals(bench.out.filter((one) => one === "PING" || one === "SUBSCRIBE"), ["PING"], `cut at ${cut}`);
    bench.credit = 5;
    bench.input.restart();
    assertEquals(bench.out.length, 4);
    assertEquals(bench.messages.map((frames) => frames[0]!.length), [5, trap.length, 4], `cut at ${cut}`);
  }
});

test("a restart while input runs does nothing, one without room keeps everything", () => {
  const bench = Bench.running({ credit: 1 });
  bench.input.restart();
  assertEquals(bench.input.state, "running");
  bench.input.receive(message("1"));
  bench.input.receive(message("2"));
  for (let i = 0; i < 3; i++) {
    bench.input.restart();
    assertEquals([bench.input.state, bench.out.length], ["stopped", 1]);
  }
  bench.credit = 1;
  bench.input.restart();
  assertEquals([bench.input.state, bench.out.join()], ["running", "1,2"]);
});

test("each restart goes on exactly where it stopped, message by message, within chunks and across them", () => {
  const all = Array.from({ length: 30 }, (_, index) => `message ${index}`);
  const stream = concat(all.map((text, index) => message(...(index % 3 === 0 ? [text, "", "x"] : [text]))));
  for (const chunkBytes of [1, 2, 7, 50, 1_000]) {
    const bench = Bench.running({ credit: 0 });
    for (let at = 0; at < stream.length; at += chunkBytes) {
      bench.input.receive(stream.slice(at, at + chunkBytes));
    }
    for (let restarts = 0; bench.messages.length < 30; restarts++) {
      assert(restarts < 60, "it must come to an end");
      bench.credit = 1;
      bench.input.restart();
    }
    assertEquals(bench.out, all.map((text, index) => index % 3 === 0 ? `${text}++x` : text));
    assertEquals([bench.input.pendingBytes, bench.total.bytes], [0, 0]);
  }
});

test("bytes that arrive while a restart announces are neither lost nor reordered, even if they stop it again", () => {
  const bench = Bench.running({ credit: 0 });
  bench.input.receive(message("1"));
  bench.credit = 2;
  bench.onFlush = () => {
    bench.onFlush = undefined;
    bench.input.receive(concat([message("2"), message("3"), message("4")]));
    bench.credit = 1;
    bench.input.restart();
    bench.credit = 1;
    bench.input.restart();
  };
  bench.input.restart();
  assertEquals(bench.out, ["1", "2", "3"]);
  bench.credit = 9;
  bench.input.restart();
  assertEquals(bench.out, ["1", "2", "3", "4"]);
});

test("an application that reads inside the announcement is given all there is, without recursion", () => {
  const bench = Bench.running({ credit: 0 });
  const count = 20_000;
  for (let i = 0; i < count; i++) bench.input.receive(message(`${i}`));
  bench.onFlush = () => {
    // One message is taken for each announcement, and asks for more from inside.
    bench.credit = 1;
    bench.input.restart();
  };
  bench.credit = 1;
  bench.input.restart();
  assertEquals(bench.messages.length, count);
  assertEquals(bench.input.pendingBytes, 0);
});

test("reading is wanted while input runs, and up to the bound while it is stopped", () => {
  const bench = Bench.running({ credit: 0, limits: { pendingBytesMax: 60_000 } });
  assert(bench.input.wantsRead);
  bench.input.receive(encodeFrame(0, new Uint8Array(40_000)));
  assert(bench.input.wantsRead);
  bench.input.receive(encodeFrame(0, new Uint8Array(40_000)));
  assert(!bench.input.wantsRead);
  bench.input.receive(message("late data are kept as well"));
  bench.credit = 1;
  bench.input.restart();
  assert(bench.input.wantsRead, "half of it is gone");
  bench.credit = 9;
  bench.input.restart();
  assertEquals(bench.messages.length, 3);
});

test("connections of a context share a bound: nobody reads ahead while it is reached", () => {
  const bench = Bench.running({ credit: 0, totalMax: 1_000 });
  bench.input.receive(encodeFrame(0, new Uint8Array(3_000)));
  assert(!bench.input.wantsRead);
  const running = Bench.running();
  assert(running.input.wantsRead);
  bench.input.finish();
  assertEquals(bench.total.bytes, 0);
});

test("a single byte costs no more than it is worth: a trickle stays within the bound", () => {
  const bench = Bench.running({ credit: 0 });
  const stream = encodeFrame(0, new Uint8Array(100_000));
  for (let at = 0; at < stream.length; at++) bench.input.receive(stream.slice(at, at + 1));
  assert(bench.input.pendingBytes < 2 * stream.length, `${bench.input.pendingBytes} bytes`);
});

test("the end delivers what is complete, above the mark if need be, and a half message vanishes", () => {
  const half = concat([message("1"), message("2", "3"), message("lost").slice(0, 4)]);
  for (const chunkBytes of [1, 3, 100]) {
    const bench = Bench.running({ credit: 1 });
    for (let at = 0; at < half.length; at += chunkBytes) bench.input.receive(half.slice(at, at + chunkBytes));
    bench.input.finish();
    bench.input.finish();
    bench.input.receive(message("too late"));
    bench.input.restart();
    assertEquals(bench.out, ["1", "2+3"]);
    assertEquals([bench.input.state, bench.total.bytes, bench.input.assemblyBytes], ["ended", 0, 0]);
  }
});

test("an error is told after the messages in front of it, and nothing comes behind it", () => {
  const bench = Bench.running();
  bench.input.receive(concat([message("1"), Uint8Array.of(0x80, 0), message("2")]));
  assertEquals(bench.input.error?.code, "ERR_PEER_FRAME");
  bench.input.receive(message("3"));
  bench.input.restart();
  bench.input.finish();
  assertEquals(bench.out, ["1"]);
});

test("an error behind messages that wait is found when they are taken, not before", () => {
  const bench = Bench.running({ credit: 1 });
  bench.input.receive(concat([message("1"), message("2"), Uint8Array.of(0x80, 0), PING]));
  assertEquals([bench.input.error, bench.out.join()], [undefined, "1"]);
  bench.credit = 5;
  bench.input.restart();
  assertEquals([bench.input.error?.code, bench.out.join()], ["ERR_PEER_FRAME", "1,2"]);
});

test("a command that is refused while messages wait ends the connection at its place", () => {
  const broken = encodeCommandFrame(Uint8Array.of(4, 0x50, 0x49, 0x4e, 0x47));
  const bench = Bench.running({ credit: 1 });
  bench.input.receive(concat([message("1"), message("2"), broken, PING]));
  assertEquals([bench.input.error, bench.out.join()], [undefined, "1"]);
  bench.credit = 5;
  bench.input.restart();
  assertEquals([bench.input.error?.code, bench.out.join()], ["ERR_PEER_COMMAND", "1,2"]);
});

test("chunks of a subclass, whose slice shares memory, are copied where a copy is meant", () => {
  class Slab extends Uint8Array {
    override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
      return this.subarray(start, end) as Uint8Array<ArrayBuffer>;
    }
  }
  const bench = Bench.running({ credit: 0 });
  // A view that fills little of its buffer must not pin all of it.
  const slab = new Slab(1_000_000).subarray(0, 5_000);
  slab.set(encodeFrame(0, new Uint8Array(4_000)));
  bench.input.receive(slab.subarray(0, 4_009));
  assert(bench.input.pendingBytes < 20_000, `${bench.input.pendingBytes} bytes are held`);
});

test("every frame that is delivered is a plain Uint8Array, whatever class the chunks have", () => {
  class Slab extends Uint8Array {}
  const stream = concat([message("a", "bb"), message("ccc"), encodeFrame(0, new Uint8Array(300))]);
  for (let chunkBytes = 1; chunkBytes < stream.length; chunkBytes += 3) {
    const bench = Bench.running({ credit: chunkBytes % 2 === 0 ? 1 : 100 });
    for (let at = 0; at < stream.length; at += chunkBytes) {
      bench.input.receive(Slab.from(stream.subarray(at, at + chunkBytes)));
    }
    bench.credit = 100;
    bench.input.restart();
    assertEquals(bench.messages.length, 3);
    for (const frame of bench.messages.flat()) assertEquals(frame.constructor, Uint8Array);
  }
});

/** Memory that is answered as the test says, and an account of what becomes of it. */
class Staging implements BodyAllocator {
  readonly given: Set<Uint8Array> = new Set();
  readonly asked: { readonly bytes: number; readonly before: number }[] = [];
  next: ("memory" | "later" | "discard")[] = [];

  allocate(bytes: number, framesBefore: readonly Uint8Array[]): Uint8Array | "later" | "discard" {
    this.asked.push({ bytes, before: framesBefore.length });
    const answer = this.next.shift() ?? "memory";
    if (answer !== "memory") return answer;
    const memory = new Uint8Array(bytes);
    this.given.add(memory);
    return memory;
  }

  release(memory: Uint8Array): void {
    assert(this.given.delete(memory), "released what was not given, or twice");
  }
}

test("an allocator without memory stops input at that frame until it is asked again", () => {
  const allocator = new Staging();
  const bench = Bench.running({ allocator });
  allocator.next = ["memory", "later"];
  bench.input.receive(concat([message("1", "22"), message("3")]));
  assertEquals([bench.out.join(), bench.input.state], ["", "waiting"]);
  allocator.next = ["later"];
  bench.input.restart();
  assertEquals(bench.input.state, "waiting");
  bench.input.restart();
  assertEquals([bench.out.join(), bench.input.state], ["1+22,3", "running"]);
  assertEquals(allocator.asked.map(({ bytes, before }) => `${bytes}/${before}`), [
    "1/0",
    "2/1",
    "2/1",
    "2/1",
    "1/0",
  ]);
});

test("commands behind a body that waits for memory keep their place", () => {
  const allocator = new Staging();
  const bench = Bench.running({ allocator });
  allocator.next = ["later"];
  bench.input.receive(concat([message("1"), PING]));
  bench.input.receive(concat([message("2"), SUBSCRIBE]));
  assertEquals(bench.out, []);
  bench.input.restart();
  assertEquals(bench.out, ["1", "PING", "2", "SUBSCRIBE"]);
});

test("commands that were handled before a body had to wait for memory are not handled again", () => {
  const allocator = new Staging();
  const bench = Bench.running({ allocator, credit: 0 });
  bench.input.receive(concat([message("1"), PING, message("2"), SUBSCRIBE]));
  assertEquals(bench.out, ["PING"]);
  allocator.next = ["memory", "later"];
  bench.credit = 10;
  bench.input.restart();
  assertEquals(bench.out.slice(1), ["1"]);
  bench.input.receive(PING);
  bench.input.restart();
  assertEquals(bench.out.slice(1), ["1", "2", "SUBSCRIBE", "PING"]);
});

test("a discarded body keeps framing in step, and the message says so", () => {
  const allocator = new Staging();
  const stream = concat([message("a", "gone", "b"), message("c")]);
  for (let chunkBytes = 1; chunkBytes <= stream.length; chunkBytes++) {
    allocator.next = ["memory", "discard"];
    const bench = Bench.running({ allocator });
    for (let at = 0; at < stream.length; at += chunkBytes) {
      bench.input.receive(stream.slice(at, at + chunkBytes));
    }
    assertEquals(bench.out, ["a+-+b", "c"]);
    assert(bench.messages[0]![1] === DISCARDED);
  }
});

test("allocated memory is delivered or released, on every way a connection can end", () => {
  const stream = concat([message("one", "two"), message("three", "four", "five")]);
  const enders: ((bench: Bench) => void)[] = [
    (bench) => bench.input.finish(),
    (bench) => {
      bench.input.receive(Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0));
      bench.input.finish();
    },
  ];
  for (let length = 0; length <= stream.length; length++) {
    for (const end of enders) {
      for (const answers of [[], ["memory", "later"], ["memory", "memory", "memory", "discard"]] as const) {
        const allocator = new Staging();
        allocator.next = [...answers];
        const bench = Bench.running({ allocator });
        bench.input.receive(stream.slice(0, length));
        end(bench);
        for (const frame of bench.messages.flat()) allocator.given.delete(frame);
        assertEquals(allocator.given.size, 0, `${length} bytes`);
      }
    }
  }
});

test("a message that is too large gives back what was allocated for it", () => {
  const allocator = new Staging();
  const bench = Bench.running({ allocator, limits: { messageFramesMax: 2 } });
  bench.input.receive(message("1", "2", "3"));
  assertEquals(bench.input.error?.code, "ERR_PEER_MESSAGE_SIZE");
  bench.input.finish();
  assertEquals([allocator.given.size, bench.messages.length], [0, 0]);
});

test("frames inside a sealing mechanism are opened, commands among them, and pending ones are not scanned", () => {
  const opener = {
    open: (body: Uint8Array) => ({ flags: body[0]!, body: body.subarray(1) }),
  };
  const seal = (flags: number, body: Uint8Array): Uint8Array =>
    encodeFrame(0, concat([Uint8Array.of(flags), body]));
  const bench = Bench.running({ opener, credit: 1 });
  bench.input.receive(concat([
    seal(FLAG_MORE, asciiBytes("a")),
    seal(0, asciiBytes("b")),
    seal(0, asciiBytes("c")),
    seal(FLAG_COMMAND, encodePing(0)),
  ]));
  assertEquals(bench.out, ["a+b"]);
  bench.credit = 5;
  bench.input.restart();
  assertEquals(bench.out, ["a+b", "c", "PING"]);
});

test("whatever the chunks and the room are, all comes once, and messages and subscriptions in order", () => {
  const part = fc.oneof(
    fc.array(fc.string({ maxLength: 20, unit: "grapheme-ascii" }), { minLength: 1, maxLength: 3 }),
    fc.constantFrom("PING" as const, "SUBSCRIBE" as const),
  );
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 25 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }),
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 0, max: 4 }),
      (parts, chunks, credits, credit) => {
        const stream = concat(
          parts.map((one) => one === "PING" ? PING : one === "SUBSCRIBE" ? SUBSCRIBE : message(...one)),
        );
        const bench = Bench.running({ credit });
        let at = 0;
        for (let step = 0; at < stream.length; step++) {
          const length = chunks[step % chunks.length]!;
          bench.input.receive(stream.slice(at, at + length));
          at += length;
          bench.credit = credits[step % credits.length]!;
          if (step % 3 !== 0) bench.input.restart();
        }
        bench.credit = Infinity;
        bench.input.restart();
        const pings = (list: readonly unknown[]): number => list.filter((one) => one === "PING").length;
        assertEquals(pings(bench.out), pings(parts));
        const told = parts.map((one) => typeof one === "string" ? one : one.join("+"));
        assertEquals(bench.out.filter((one) => one !== "PING"), told.filter((one) => one !== "PING"));
        assertEquals([bench.input.pendingBytes, bench.total.bytes], [0, 0]);
      },
    ),
    { numRuns: 600 },
  );
});
