import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { PeerError } from "../../src/errors.ts";
import type { PatternOptions } from "../../src/pattern/pattern.ts";
import { PubPattern } from "../../src/pattern/pub.ts";
import { XPubPattern } from "../../src/pattern/xpub.ts";
import { FakeEvents, FakePipe, messageOf, patternOptions, textOf } from "./building_blocks.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

class Bench {
  readonly events: FakeEvents = new FakeEvents();
  readonly options: PatternOptions;
  readonly pub: XPubPattern;
  /** What the pattern put off to the end of the turn. */
  readonly later: (() => void)[] = [];

  constructor(
    options: Partial<PatternOptions> = {},
    Kind: typeof XPubPattern | typeof PubPattern = XPubPattern,
  ) {
    this.options = patternOptions(options);
    this.pub = new Kind({
      events: this.events,
      options: this.options,
      random: () => {},
      later: (run) => void this.later.push(run),
    });
  }

  join(name: string): FakePipe {
    const pipe = new FakePipe(name);
    pipe.connected = true;
    pipe.onRefuse = () => {
      pipe.closed = true;
      this.pub.detach(pipe);
    };
    this.pub.attach(pipe);
    this.pub.ready(pipe);
    return pipe;
  }

  /** `+a -b`: subscribes to a, cancels b. */
  ask(pipe: FakePipe, words: string): void {
    for (const word of words.split(" ")) this.pub.subscription(pipe, bytes(word.slice(1)), word[0] === "+");
  }

  /** What the application hears, as `+a -b`. */
  get heard(): string {
    const words: string[] = [];
    for (let message = this.pub.tryReceive(); message !== undefined; message = this.pub.tryReceive()) {
      const [first] = message;
      words.push(
        (first![0] === 1 ? "+" : first![0] === 0 ? "-" : "?") + new TextDecoder().decode(first!.subarray(1)),
      );
    }
    return words.join(" ");
  }

  send(...texts: string[]): boolean[] {
    return texts.map((text) => this.pub.trySend(messageOf(text)));
  }
}

test("a message goes to the peers whose topics are prefixes of its first frame, once each, and to nobody else", () => {
  const bench = new Bench();
  const [a, b, c] = [bench.join("a"), bench.join("b"), bench.join("c")];
  bench.ask(a, "+x +xy +xyz");
  bench.ask(b, "+");
  bench.ask(c, "+xyzz");
  bench.send("xyz|body", "x", "", "y|xyzz");
  assertEquals([a.texts, b.texts, c.texts], [["xyz|body", "x"], ["xyz|body", "x", "", "y|xyzz"], []]);
});

for (
  const [verbosity, expected] of [
    [null, "+t -t"],
    ["allSubs", "+t +t +t -t"],
    ["allSubsUnsubs", "+t +t +t -t -t -never"],
  ] as const
) {
  test(`verbosity ${verbosity}: of three SUBSCRIBEs and three CANCELs of two peers the application hears ${expected}`, () => {
    const bench = new Bench({ verbosity });
    const [a, b] = [bench.join("a"), bench.join("b")];
    bench.ask(a, "+t +t");
    bench.ask(b, "+t");
    bench.ask(a, "-t");
    bench.ask(b, "-t -never");
    assertEquals(bench.heard, expected);
  });
}

for (
  const [verbosity, expected] of [
    [null, "-only"],
    ["allSubs", "-only"],
    ["allSubsUnsubs", "-only -shared"],
  ] as const
) {
  test(`verbosity ${verbosity}: a peer that is lost with a topic of its own and a shared one is heard as ${expected}`, () => {
    for (const how of ["detach", "lost"] as const) {
      const bench = new Bench({ verbosity });
      const [a, b] = [bench.join("a"), bench.join("b")];
      bench.ask(a, "+only +shared");
      bench.ask(b, "+shared");
      assert(bench.heard.startsWith("+only +shared"));
      bench.pub[how](a);
      assertEquals(bench.heard, expected, how);
      bench.send("only", "shared");
      assertEquals([a.texts, b.texts], [[], ["shared"]]);
      bench.pub[how](a);
      assertEquals(bench.heard, "", "once");
    }
  });
}

test("manual: a subscription counts when the application says so, for the peer whose request it read last", () => {
  const bench = new Bench({ manual: true });
  const [a, b] = [bench.join("a"), bench.join("b")];
  bench.ask(a, "+a");
  bench.ask(b, "+b");
  bench.send("a", "b", "x");
  assertEquals([a.texts, b.texts], [[], []]);
  bench.pub.tryReceive();
  bench.pub.decide(bytes("x"), true);
  bench.pub.tryReceive();
  bench.pub.decide(bytes("b"), true);
  bench.pub.decide(bytes("x"), true);
  bench.send("a", "b", "x");
  assertEquals([a.texts, b.texts], [["x"], ["b", "x"]]);
  bench.pub.decide(bytes("x"), false);
  bench.send("x");
  assertEquals([a.texts.length, b.texts.length], [2, 2]);
});

test("manual: every request is heard, also one that others made before, and a cancel changes nothing by itself", () => {
  const bench = new Bench({ manual: true });
  const [a, b] = [bench.join("a"), bench.join("b")];
  bench.ask(a, "+t");
  bench.ask(b, "+t +t");
  assertEquals(bench.pub.tryReceive()?.length, 1);
  bench.pub.decide(bytes("t"), true);
  bench.ask(a, "-t");
  bench.send("t");
  assertEquals(a.texts, ["t"], "the application has not decided");
  assertEquals(bench.heard, "+t +t -t");
});

test("manual: what is decided for a peer that has left reaches nobody", () => {
  const bench = new Bench({ manual: true });
  const [a, b] = [bench.join("a"), bench.join("b")];
  bench.ask(a, "+t");
  bench.pub.detach(a);
  bench.pub.tryReceive();
  bench.pub.decide(bytes("t"), true);
  bench.ask(b, "+u");
  bench.send("t");
  assertEquals([a.texts, b.texts], [[], []]);
});

test("manual: a lost peer's every topic is heard, because each was heard when it came", () => {
  const bench = new Bench({ manual: true });
  const [a, b] = [bench.join("a"), bench.join("b")];
  bench.ask(a, "+t +u");
  bench.ask(b, "+t");
  assertEquals(bench.heard, "+t +u +t");
  bench.pub.detach(a);
  assertEquals(bench.heard.split(" ").sort().join(" "), "-t -u");
  bench.pub.detach(b);
  assertEquals(bench.heard, "-t");
});

test("a welcome message is the first thing that a peer gets, whatever it subscribed to", () => {
  const bench = new Bench({ welcomeMessage: bytes("welcome") });
  const a = bench.join("a");
  bench.ask(a, "+x");
  bench.send("x");
  assertEquals(a.texts, ["welcome", "x"]);
  bench.options.welcomeMessage = undefined;
  assertEquals(bench.join("b").texts, []);
});

test("a full peer misses messages until it has room, is told of, and keeps nobody else from them", () => {
  const bench = new Bench();
  const [a, b] = [bench.join("a"), bench.join("b")];
  for (const pipe of [a, b]) bench.ask(pipe, "+");
  a.room = 1;
  assertEquals(bench.send("1", "2", "3"), [true, true, true]);
  a.room = 9;
  bench.pub.writable(a);
  bench.send("4");
  assertEquals([a.texts, b.texts], [["1", "4"], ["1", "2", "3", "4"]]);
  assertEquals(bench.events.drops, Array(2).fill("a: the subscriber is at its high-water mark"));
});

test("noDrop: a message that one matching peer has no room for goes to none, and peers that do not match are not asked", () => {
  const bench = new Bench({ noDrop: true });
  const [a, b, c] = [bench.join("a"), bench.join("b"), bench.join("c")];
  bench.ask(a, "+x");
  bench.ask(b, "+x");
  bench.ask(c, "+other");
  c.room = 0;
  a.room = 1;
  assertEquals(bench.send("x", "x", "y"), [true, false, true]);
  assertEquals([a.texts, b.texts, bench.events.drops], [["x"], ["x"], []]);
  a.room = 1;
  assertEquals(bench.send("x"), [true]);
});

test("noDrop: who waits for a full peer hears when that peer cancels, leaves or is lost", () => {
  const ways: readonly ((bench: Bench, pipe: FakePipe) => void)[] = [
    (bench, pipe) => bench.ask(pipe, "-x"),
    (bench, pipe) => bench.pub.detach(pipe),
    (bench, pipe) => bench.pub.lost(pipe),
  ];
  for (const [index, way] of ways.entries()) {
    const bench = new Bench({ noDrop: true });
    const [a, b] = [bench.join("a"), bench.join("b")];
    bench.ask(a, "+x");
    bench.ask(b, "+x");
    a.room = 0;
    assertEquals(bench.send("x"), [false]);
    const before = bench.events.writable_;
    way(bench, a);
    assert(bench.events.writable_ > before, `way ${index}`);
    assertEquals(bench.send("x"), [true]);
  }
});

test("inverted matching reaches exactly those who do not match", () => {
  const bench = new Bench({ invertMatching: true });
  const [a, b, c] = [bench.join("a"), bench.join("b"), bench.join("c")];
  bench.ask(a, "+x");
  bench.ask(b, "+");
  bench.send("x1", "y");
  assertEquals([a.texts, b.texts, c.texts], [["y"], [], ["x1", "y"]]);
});

test("a peer beyond its topics, or their bytes, is refused; the others are not", () => {
  for (const limits of [{ subscriptionsMax: 3 }, { subscriptionBytesMax: 10 }]) {
    const bench = new Bench(limits);
    const [good, bad] = [bench.join("good"), bench.join("bad")];
    bench.ask(good, "+a +b");
    bench.ask(bad, "+aaa +bbb +ccc +ddd");
    assert(bad.refused instanceof PeerError && bad.refused.code === "ERR_PEER_SUBSCRIPTIONS");
    assertEquals(good.refused, undefined);
    bench.send("a", "aaa");
    assertEquals([good.texts, bad.texts], [["a", "aaa"], []]);
  }
});

test("subscriptions and cancels that nobody reads are bounded as well", () => {
  const bench = new Bench({ subscriptionsMax: 10, verbosity: "allSubsUnsubs" });
  const flood = bench.join("flood");
  for (let i = 0; i < 100 && flood.refused === undefined; i++) bench.ask(flood, "+t -t -u");
  assert(flood.refused instanceof PeerError);
  let messages = 0;
  while (bench.pub.tryReceive() !== undefined) messages++;
  assert(messages <= 40, `${messages} notifications`);
});

function arrive(bench: Bench, pipe: FakePipe, text: string): void {
  pipe.arrived.push(messageOf(text));
  bench.pub.upstream(pipe);
  bench.pub.readable(pipe);
}

function receiveAll(bench: Bench): string[] {
  const texts: string[] = [];
  for (let message = bench.pub.tryReceive(); message !== undefined; message = bench.pub.tryReceive()) {
    texts.push(textOf(message));
  }
  return texts;
}

test("messages and subscriptions are received in the order in which they arrived, whoever sent them", () => {
  const bench = new Bench();
  const [a, b] = [bench.join("a"), bench.join("b")];
  arrive(bench, a, "1|of|a");
  bench.ask(a, "+t");
  arrive(bench, b, "2");
  arrive(bench, a, "3");
  bench.ask(a, "-t");
  bench.ask(b, "+t");
  assert(bench.pub.canReceive);
  assertEquals(receiveAll(bench), ["1|of|a", "\x01t", "2", "3", "\x00t", "\x01t"]);
  assertEquals(bench.pub.canReceive, false);
  assertEquals(bench.pub.tryReceive(), undefined);
});

test("what a peer sent before it left is received before its topics end", () => {
  const bench = new Bench();
  const a = bench.join("a");
  bench.ask(a, "+t");
  arrive(bench, a, "last");
  bench.pub.detach(a);
  assertEquals(receiveAll(bench), ["\x01t", "last", "\x00t"]);
});

test("the order holds while there is always something left to receive", () => {
  const bench = new Bench();
  const [a, b] = [bench.join("a"), bench.join("b")];
  let next = 0;
  for (let index = 0; index < 5_000; index++) {
    arrive(bench, index % 3 === 0 ? b : a, `${index}`);
    if (index % 50 === 0) continue;
    assertEquals(textOf(bench.pub.tryReceive()!), `${next++}`);
  }
  for (const text of receiveAll(bench)) assertEquals(text, `${next++}`);
  assertEquals(next, 5_000);
});

test("PUB filters like XPUB and hears nothing", () => {
  const bench = new Bench({ verbosity: "allSubsUnsubs" }, PubPattern);
  const a = bench.join("a");
  bench.ask(a, "+x +y -y");
  bench.send("x", "y");
  assertEquals([a.texts, bench.pub.canReceive, bench.pub.tryReceive()], [["x"], false, undefined]);
  bench.pub.detach(a);
  assertEquals(bench.pub.canReceive, false);
});

test("hasSubscribers tells whether a message would reach anybody, hasTopic whether somebody asked for just that", () => {
  const bench = new Bench();
  const a = bench.join("a");
  assertEquals([bench.pub.hasSubscribers(bytes("x")), bench.pub.hasTopic(bytes("x"))], [false, false]);
  bench.ask(a, "+x");
  assertEquals([
    bench.pub.hasSubscribers(bytes("xy")),
    bench.pub.hasTopic(bytes("xy")),
    bench.pub.hasTopic(bytes("x")),
  ], [
    true,
    false,
    true,
  ]);
});

/** `+t0 +t1 …`, or `-t0 -t1 …`. */
function many(sign: string, count: number): string {
  return Array.from({ length: count }, (_, index) => `${sign}t${index}`).join(" ");
}

test("a peer with many topics is freed in parts, gets nothing meanwhile, and every topic ends once", () => {
  const bench = new Bench();
  const [gone, stays] = [bench.join("gone"), bench.join("stays")];
  bench.ask(gone, many("+", 5_000));
  bench.ask(stays, "+t4999 +kept");
  assertEquals(bench.heard.split(" ").length, 5_001);
  bench.pub.detach(gone);
  let turns = 0;
  const ended: string[] = [];
  for (;; turns++) {
    const heard = bench.heard;
    const words = heard === "" ? [] : heard.split(" ");
    assert(words.length <= 1_000, "no turn frees more than its part");
    ended.push(...words);
    bench.send("t4998", "t4999");
    assert(!bench.pub.hasSubscribers(bytes("t4998")) && !bench.pub.hasTopic(bytes("t4998")));
    // One that comes for a topic whose end nobody has heard of keeps it alive.
    if (turns === 1) bench.ask(stays, "+t4997");
    if (turns === 2) bench.ask(stays, "-t4997");
    const run = bench.later.shift();
    if (run === undefined) break;
    run();
  }
  assert(turns >= 5, `${turns} turns`);
  assertEquals(gone.texts, []);
  assertEquals(stays.texts.length, turns + 1);
  assertEquals(ended.sort(), many("-", 4_999).split(" ").sort());
});

for (const manual of [false, true]) {
  test(`a peer that is back while its old topics are freed keeps the new ones${manual ? ", in manual mode, too" : ""}`, () => {
    const bench = new Bench({ manual });
    const pipe = bench.join("back");
    bench.ask(pipe, many("+", 3_000));
    bench.heard;
    bench.pub.lost(pipe);
    bench.pub.ready(pipe);
    bench.ask(pipe, "+t2999");
    const heard = bench.heard.split(" ");
    assertEquals([heard.length, heard.at(-1)], [3_001, "+t2999"]);
    if (manual) bench.pub.decide(bytes("t2999"), true);
    while (bench.later.length > 0) bench.later.shift()!();
    assertEquals(bench.heard, "");
    bench.send("t2999", "t0");
    assertEquals(pipe.texts, ["t2999"]);
  });
}

test("manual mode that begins later keeps what took effect by itself, and from then on the application decides", () => {
  const bench = new Bench();
  const [a, b, gone] = [bench.join("a"), bench.join("b"), bench.join("gone")];
  bench.ask(a, "+x +both");
  bench.ask(b, "+both");
  bench.ask(gone, "+both");
  bench.pub.detach(gone);
  bench.heard;
  bench.options.manual = true;
  bench.ask(a, "-x +y");
  bench.send("x", "both", "y");
  assertEquals([a.texts, b.texts], [["x", "both"], ["both"]]);
  assertEquals(bench.heard, "-x +y");
  bench.pub.decide(bytes("x"), false);
  bench.pub.decide(bytes("y"), true);
  bench.pub.detach(b);
  bench.send("x", "both", "y");
  assertEquals([a.texts, b.texts], [["x", "both", "both", "y"], ["both"]]);
  bench.options.manual = false;
  bench.ask(a, "+z -y");
  bench.send("y", "z");
  assertEquals(a.texts.at(-1), "z");
});
