import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import { SubPattern } from "../../src/pattern/sub.ts";
import { XSubPattern } from "../../src/pattern/xsub.ts";
import { FakeEvents, FakePipe, messageOf, patternOptions, textOf } from "./building_blocks.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

class Bench {
  readonly events: FakeEvents = new FakeEvents();
  readonly options: ReturnType<typeof patternOptions> = patternOptions();
  readonly sub: XSubPattern | SubPattern;

  constructor(Kind: typeof XSubPattern | typeof SubPattern = XSubPattern) {
    this.sub = new Kind({ events: this.events, options: this.options, random: () => {} });
  }

  join(name: string): FakePipe {
    const pipe = new FakePipe(name);
    this.sub.attach(pipe);
    this.meet(pipe);
    return pipe;
  }

  meet(pipe: FakePipe): void {
    pipe.connected = true;
    this.sub.ready(pipe);
  }

  subscribe(words: string): void {
    for (const word of words.split(" ")) this.sub.subscribe(bytes(word.slice(1)), word[0] === "+");
  }

  publish(pipe: FakePipe, ...texts: string[]): string[] {
    pipe.arrived.push(...texts.map(messageOf));
    this.sub.readable(pipe);
    const got: string[] = [];
    for (let message = this.sub.tryReceive(); message !== undefined; message = this.sub.tryReceive()) {
      got.push(textOf(message));
    }
    return got;
  }
}

test("publishers hear of a topic's first reference and of the end of its last", () => {
  const bench = new Bench();
  const [a, b] = [bench.join("a"), bench.join("b")];
  bench.subscribe("+x +x +y -x");
  assertEquals([a.told, b.told], [["+x", "+y"], ["+x", "+y"]]);
  bench.subscribe("-x -x -never");
  assertEquals(a.told, ["+x", "+y", "-x"]);
});

test("a new publisher, and one that is back, hears of all topics once; one that is away of nothing", () => {
  const bench = new Bench();
  bench.subscribe("+x +x +y");
  const a = bench.join("a");
  assertEquals(a.told.sort(), ["+x", "+y"]);
  a.connected = false;
  bench.sub.lost(a);
  bench.subscribe("+z -y");
  assertEquals(a.told.length, 2);
  a.told.length = 0;
  bench.meet(a);
  assertEquals(a.told.sort(), ["+x", "+z"]);
});

test("SUB filters again what comes, XSUB does not", () => {
  for (
    const [Kind, expected] of [[SubPattern, ["x1|a", "x"]], [XSubPattern, ["x1|a", "y", "x", ""]]] as const
  ) {
    const bench = new Bench(Kind);
    const a = bench.join("a");
    bench.subscribe("+x");
    assertEquals(bench.publish(a, "x1|a", "y", "x", ""), [...expected]);
  }
});

test("SUB: the empty topic is everything; a cancelled topic is filtered at once, whatever is still on its way", () => {
  const bench = new Bench(SubPattern);
  const a = bench.join("a");
  bench.subscribe("+ +x");
  assertEquals(bench.publish(a, "", "anything", "x"), ["", "anything", "x"]);
  bench.subscribe("-");
  assertEquals(bench.publish(a, "", "anything", "x2"), ["x2"]);
});

test("SUB: inverted matching receives what does not match", () => {
  const bench = new Bench(SubPattern);
  bench.options.invertMatching = true;
  const a = bench.join("a");
  bench.subscribe("+x");
  assertEquals(bench.publish(a, "x1", "y1", ""), ["y1", ""]);
});

test("SUB sends nothing; its topics are no messages", () => {
  const bench = new Bench(SubPattern);
  assertEquals(bench.sub.canSend, false);
  assertThrows(() => bench.sub.trySend(messageOf("\x01x")), MisuseError);
});

test("XSUB: a message of one frame that begins with 1 or 0 is a subscription, everything else goes up to all", () => {
  const bench = new Bench();
  const [a, b] = [bench.join("a"), bench.join("b")];
  for (const text of ["\x01x", "\x01x", "\x00x", "up", "\x01two|frames", "", "\x02x"]) {
    bench.sub.trySend(messageOf(text));
  }
  assertEquals([a.told, b.told], [["+x"], ["+x"]]);
  assertEquals([a.texts, b.texts], [["up", "\x01two|frames", "", "\x02x"], [
    "up",
    "\x01two|frames",
    "",
    "\x02x",
  ]]);
  bench.sub.trySend(messageOf("\x00x")[0]!);
  assertEquals(a.told, ["+x", "-x"]);
});

test("XSUB: a topic is copied, so that the message it came in may be used again", () => {
  const bench = new Bench();
  const message = bytes("\x01topic");
  bench.sub.trySend(message);
  message.fill(0x78);
  assertEquals(bench.join("a").told, ["+topic"]);
});

test("XSUB: a full publisher misses an upstream message, is told of, and holds nobody up", () => {
  const bench = new Bench();
  const [a, b] = [bench.join("a"), bench.join("b")];
  a.room = 0;
  assert(bench.sub.trySend(messageOf("up")));
  assertEquals([a.texts, b.texts, bench.events.drops], [[], ["up"], [
    "a: the publisher is at its high-water mark",
  ]]);
  bench.subscribe("+x");
  assertEquals(a.told, ["+x"], "a subscription is never dropped");
});

test("publishers are heard in turn", () => {
  const bench = new Bench(SubPattern);
  bench.subscribe("+");
  const [a, b] = [bench.join("a"), bench.join("b")];
  a.arrived.push(messageOf("a1"), messageOf("a2"));
  bench.sub.readable(a);
  assertEquals(bench.publish(b, "b1"), ["a1", "b1", "a2"]);
});
