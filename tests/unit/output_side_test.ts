import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "../support/properties.ts";
import { asciiBytes, concat } from "../../src/bytes/bytes.ts";
import type { Outbound } from "../../src/engine/link.ts";
import { OutputSide } from "../../src/engine/output_side.ts";
import { SubscriptionFeed } from "../../src/engine/subscription_feed.ts";
import { BugError } from "../../src/errors.ts";
import { encodePing } from "../../src/zmtp/commands.ts";
import type { SealingMechanism } from "../../src/zmtp/mechanism/mechanism.ts";
import { Segment } from "../../src/zmtp/segment.ts";

/** An output side with a list of segments behind it. */
class Bench {
  readonly side: OutputSide = new OutputSide(3);
  readonly segments: Segment[] = [];
  readonly released: Segment[] = [];
  readonly discarded: Segment[] = [];

  attach(): this {
    const { segments } = this;
    const outbound: Outbound = {
      get hasSegments() {
        return segments.length > 0;
      },
      presses: false,
      take: () => this.segments.shift(),
      release: (segment) => void this.released.push(segment),
      discard: (segment) => void this.discarded.push(segment),
    };
    this.side.attach(outbound);
    return this;
  }

  queue(...bodies: (string | Uint8Array)[]): Segment {
    const segment = new Segment(1_000);
    for (const body of bodies) segment.addMessage(typeof body === "string" ? asciiBytes(body) : body);
    this.segments.push(segment);
    return segment;
  }

  /** The next write as text, taken; `undefined`: none. */
  write(): string | undefined {
    const chunks = this.side.pollTransmit();
    if (chunks === undefined) return undefined;
    this.side.transmitted(true);
    return String.fromCharCode(...concat(chunks));
  }
}

const PING = "\x04\x07\x04PING\0\0";
const subscribe = (topic: string): string =>
  `\x04${String.fromCharCode(10 + topic.length)}\tSUBSCRIBE${topic}`;

test("handshake bytes come first, then commands, then subscriptions, then messages", () => {
  const bench = new Bench().attach();
  bench.queue("message");
  bench.side.subscribe(asciiBytes("t"), true, 0);
  bench.side.pushCommand(encodePing(0));
  bench.side.pushEarly(asciiBytes("greeting,"));
  bench.side.pushEarly(asciiBytes("ready"));
  assert(bench.side.hasUrgentOutput && bench.side.hasOutput);
  assertEquals([bench.write(), bench.write(), bench.write(), bench.write(), bench.write()], [
    "greeting,ready",
    PING,
    subscribe("t"),
    "\0\x07message",
    undefined,
  ]);
  assertEquals([bench.side.hasUrgentOutput, bench.side.hasOutput, bench.side.inFlight], [
    false,
    false,
    false,
  ]);
});

test("before the pipe is there nothing but handshake bytes is written", () => {
  const bench = new Bench();
  bench.side.pushCommand(encodePing(0));
  assertEquals(bench.write(), undefined);
  bench.side.pushEarly(asciiBytes("greeting"));
  assertEquals([bench.write(), bench.write()], ["greeting", undefined]);
  bench.attach();
  assertEquals(bench.write(), PING);
});

test("while a write is in flight there is no other, and its segment is free when it is drained", () => {
  const bench = new Bench().attach();
  const [first, second] = [bench.queue("1"), bench.queue("2")];
  const chunks = bench.side.pollTransmit();
  assert(chunks !== undefined && bench.side.inFlight);
  bench.side.transmitted(false);
  bench.side.pushPong(asciiBytes("p"));
  assertEquals([bench.side.pollTransmit(), bench.released], [undefined, []]);
  bench.side.drained();
  bench.side.drained();
  assertEquals([bench.released.length, bench.released[0] === first], [1, true]);
  assertEquals([bench.write(), bench.write()], ["\x04\x06\x04PONGp", "\0\x012"]);
  assert(bench.released[1] === second);
});

test("an answer to a write that was never made is a bug; a drain of none is nothing", () => {
  const bench = new Bench().attach();
  assertThrows(() => bench.side.transmitted(true), BugError);
  bench.side.drained();
});

test("of many PONGs the last is sent; so many other commands wait and no more", () => {
  const bench = new Bench().attach();
  for (const context of ["a", "b", "c"]) bench.side.pushPong(asciiBytes(context));
  const taken = [1, 2, 3, 4].map(() => bench.side.pushCommand(encodePing(0)));
  assertEquals([taken, bench.write()], [[true, true, true, false], `\x04\x06\x04PONGc${PING}${PING}${PING}`]);
  assert(bench.side.pushCommand(encodePing(0)), "and again");
});

test("a PONG's context is copied", () => {
  const bench = new Bench().attach();
  const context = asciiBytes("c");
  bench.side.pushPong(context);
  context.fill(0x78);
  assertEquals(bench.write(), "\x04\x06\x04PONGc");
});

test("subscriptions leave in writes of a bounded size, all of them, in the form that the peer understands", () => {
  for (const legacy of [false, true]) {
    const bench = new Bench().attach();
    bench.side.legacySubscriptions = legacy;
    const count = 20_000;
    for (let index = 0; index < count; index++) {
      bench.side.subscribe(asciiBytes(`topic ${index}`), true, 0);
    }
    let found = 0;
    for (let text = bench.write(); text !== undefined; text = bench.write()) {
      assert(text.length < 66_000, `${text.length} bytes in one write`);
      found += text.split(legacy ? "\x01topic " : "SUBSCRIBEtopic ").length - 1;
    }
    assertEquals(found, count);
  }
});

test("a connection that is gone gives back what was in flight, once, and writes no more", () => {
  const bench = new Bench().attach();
  const segment = bench.queue("lost");
  bench.side.pollTransmit();
  bench.side.transmitted(false);
  bench.queue("kept");
  bench.side.pushCommand(encodePing(0));
  bench.side.abandon();
  bench.side.abandon();
  bench.side.drained();
  assertEquals([bench.discarded, bench.released, bench.segments.length], [[segment], [], 1]);
  assertEquals([bench.write(), bench.side.inFlight], [undefined, false]);
});

test("a body that has another length now is an error by name, and not even its header is written", () => {
  const bench = new Bench().attach();
  const body = new Uint8Array(20_000);
  bench.queue("before", body);
  structuredClone(body, { transfer: [body.buffer] });
  assertEquals([bench.write(), bench.side.error?.code], [undefined, "ERR_PEER_BODY_CHANGED"]);
  bench.queue("next");
  assertEquals(bench.write(), undefined);
  bench.side.abandon();
  assertEquals(bench.discarded.length, 1, "the next connection does not meet it again");
});

test("a sealing mechanism wraps every frame by itself, with its flags and whatever its size, commands too", () => {
  const bench = new Bench().attach();
  const sealed: string[] = [];
  bench.side.sealWith({
    seal: (flags: number, body: Uint8Array) => {
      sealed.push(`${flags} ${body.length}`);
      return asciiBytes("#");
    },
  } as unknown as SealingMechanism);
  const segment = new Segment(2_000);
  segment.addMessage([asciiBytes("a"), new Uint8Array(300), new Uint8Array(20_000), new Uint8Array(0)]);
  segment.addMessage(new Uint8Array(16_384));
  segment.addMessage(asciiBytes("z"));
  bench.segments.push(segment);
  bench.side.pushCommand(encodePing(0));
  bench.side.subscribe(asciiBytes("t"), true, 0);
  let out = "";
  for (let text = bench.write(); text !== undefined; text = bench.write()) out += text;
  assertEquals(sealed, ["4 7", "4 11", "1 1", "1 300", "1 20000", "0 0", "0 16384", "0 1"]);
  assertEquals(out, "\0\x01#".repeat(8));
});

test("a word on a topic goes out after the segments that were queued before it, and ahead of later ones", () => {
  const bench = new Bench().attach();
  const queued = (): number => bench.segments.length;
  bench.side.subscribe(asciiBytes("a"), true, queued());
  bench.queue("1");
  bench.queue("2");
  bench.side.subscribe(asciiBytes("b"), true, queued());
  bench.side.subscribe(asciiBytes("c"), true, queued());
  bench.queue("3");
  bench.side.subscribe(asciiBytes("a"), false, queued());
  bench.side.subscribe(asciiBytes("d"), true, queued());
  // Taken back before its turn: the walk passes it by.
  bench.side.subscribe(asciiBytes("b"), false, queued());
  bench.queue("4");
  const written: (string | undefined)[] = [];
  for (let text = bench.write(); text !== undefined; text = bench.write()) written.push(text);
  assertEquals(written, [
    "\0\x011",
    "\0\x012",
    subscribe("c"),
    "\0\x013",
    subscribe("d"),
    "\0\x014",
  ]);
});

test("a word on a topic is said although the segments that it waited for were dropped", () => {
  const bench = new Bench().attach();
  bench.queue("1");
  bench.queue("2");
  bench.side.subscribe(asciiBytes("a"), true, 2);
  bench.segments.length = 0;
  assertEquals([bench.write(), bench.write()], [subscribe("a"), undefined]);
});

test("of a topic only what is new is said: opposite words that were never said cancel out", () => {
  const words = fc.array(fc.record({ topic: fc.constantFrom("a", "b", "c"), say: fc.nat(3) }), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(words, (list) => {
      const feed = new SubscriptionFeed();
      const wanted = new Map<string, boolean>();
      const told = new Map<string, boolean>();
      const say = (): boolean => {
        const word = feed.shift();
        if (word === undefined) return false;
        const topic = String.fromCharCode(...word.topic);
        const on = word.name === "SUBSCRIBE";
        assert((told.get(topic) ?? false) !== on, `said twice: ${topic}`);
        told.set(topic, on);
        return true;
      };
      for (const { topic, say: times } of list) {
        const on = !(wanted.get(topic) ?? false);
        wanted.set(topic, on);
        feed.push(asciiBytes(topic), on);
        for (let left = times - 1; left > 0; left--) say();
      }
      while (say());
      for (const [topic, on] of wanted) assertEquals(told.get(topic) ?? false, on, topic);
      assertEquals(feed.size, 0);
    }),
    { numRuns: 500 },
  );
});

test("topics are said in the order in which they came, however many there are", () => {
  const feed = new SubscriptionFeed();
  const count = 200_000;
  for (let index = 0; index < count; index++) feed.push(asciiBytes(`${index}`), true);
  for (let index = 0; index < count; index++) {
    if (String.fromCharCode(...feed.shift()!.topic) !== `${index}`) throw new Error(`topic ${index}`);
  }
  assertEquals([feed.shift(), feed.size], [undefined, 0]);
  feed.push(asciiBytes("again"), true);
  assertEquals(feed.shift()?.topic, asciiBytes("again"));
});
