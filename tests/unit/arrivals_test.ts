import { test } from "node:test";
import { assert, assertEquals, assertLess } from "@std/assert";
import { Arrivals } from "../../src/pattern/subscriptions/arrivals.ts";
import type { PatternOptions } from "../../src/pattern/pattern.ts";
import { XPubPattern } from "../../src/pattern/xpub.ts";
import { Random } from "../support/random.ts";
import { FakeEvents, FakePipe, messageOf, patternOptions } from "./building_blocks.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function pipeOf(name: string): FakePipe {
  const pipe = new FakePipe(name);
  pipe.connected = true;
  return pipe;
}

/** A publisher, and what its application believes: it has read whatever it was told so far. */
class Application {
  readonly pub: XPubPattern;
  readonly believed: Set<string> = new Set();
  read = 0;
  heardOfFresh = 0;

  constructor(options: Partial<PatternOptions>) {
    this.pub = new XPubPattern({
      events: new FakeEvents(),
      options: patternOptions(options),
      random: () => {},
    });
  }

  join(name: string): FakePipe {
    const pipe = pipeOf(name);
    this.pub.attach(pipe);
    return pipe;
  }

  ask(pipe: FakePipe, topic: string, on: boolean): void {
    this.pub.subscription(pipe, bytes(topic), on);
  }

  readSome(messagesMax: number): void {
    for (let i = 0; i < messagesMax; i++) {
      const frame = this.pub.tryReceive()?.[0];
      if (frame === undefined) return;
      this.read++;
      const topic = new TextDecoder().decode(frame.subarray(1));
      if (topic === "fresh") this.heardOfFresh++;
      if (frame[0] === 1) this.believed.add(topic);
      else this.believed.delete(topic);
    }
  }
}

const MODES = [
  {},
  { verbosity: "allSubs" },
  { verbosity: "allSubsUnsubs" },
  { manual: true },
] as const satisfies readonly Partial<PatternOptions>[];

for (const mode of MODES) {
  test(`peers that come and go grow no queue that nobody reads, and what is left is true: ${JSON.stringify(mode)}`, () => {
    const application = new Application(mode);
    const { pub } = application;
    const steady = application.join("steady");
    for (let i = 0; i < 500; i++) application.ask(steady, `steady ${i}`, true);
    application.readSome(Infinity);
    for (let round = 0; round < 40; round++) {
      const pair = [application.join(`a ${round}`), application.join(`b ${round}`)];
      for (let i = 0; i < 1_000; i++) {
        for (const pipe of pair) application.ask(pipe, `${round} ${i}`, true);
        // Topics that others hold; some are given up before the peer leaves, some were never held.
        application.ask(pair[0]!, `steady ${i % 500}`, i % 3 !== 0);
        application.ask(pair[0]!, `never ${round} ${i}`, false);
      }
      for (const pipe of pair) pub.detach(pipe);
    }
    const read = application.read;
    application.readSome(Infinity);
    assertLess(application.read - read, 35_000);
    assertEquals(application.believed.size, 500);
    assert([...application.believed].every((topic) => topic.startsWith("steady")));
  });

  test(`whatever was read when, the application believes what is so: ${JSON.stringify(mode)}`, () => {
    for (let seed = 0; seed < 3; seed++) {
      const random = new Random(seed);
      const application = new Application(mode);
      const { pub } = application;
      const perPeer = JSON.stringify(mode).match(/manual|Unsubs/) !== null;
      let made = 0;
      let peers = [application.join("0")];
      const held = new Map<FakePipe, Set<string>>();
      const play = (steps: number): void => {
        for (let i = 0; i < steps; i++) {
          if (peers.length < 2 || random.chance(0.1)) peers.push(application.join(`${++made}`));
          const pipe = random.pick(peers);
          if (random.chance(0.1)) {
            peers = peers.filter((peer) => peer !== pipe);
            held.delete(pipe);
            pub.detach(pipe);
            continue;
          }
          const topic = `${perPeer ? `${pipe.name} ` : ""}${random.integer(0, 2)}`;
          const on = random.chance(0.5);
          application.ask(pipe, topic, on);
          const topics = held.get(pipe) ?? new Set();
          held.set(pipe, topics);
          if (on) topics.add(topic);
          else topics.delete(topic);
        }
      };
      play(random.integer(0, 30));
      application.readSome(random.chance(0.5) ? Infinity : random.integer(0, 5));
      play(random.integer(0, 10));
      // From here on very many wait.
      const crowd = application.join("crowd");
      for (let i = 0; i < 16_500; i++) application.ask(crowd, `crowd ${i}`, true);
      for (let round = 0; round < 4; round++) {
        play(random.integer(0, 40));
        application.readSome(random.integer(0, 20));
      }
      if (random.chance(0.5)) application.readSome(16_400);
      play(random.integer(0, 20));
      pub.detach(crowd);
      application.readSome(Infinity);
      const expected = new Set([...held.values()].flatMap((topics) => [...topics]));
      assertEquals(application.believed, expected, `seed ${seed}`);
      assertEquals(pub.canReceive, false);
    }
  });
}

test("where each peer's subscription is told, those of peers that are gone vanish from among very many", () => {
  const application = new Application({ verbosity: "allSubs" });
  const { pub } = application;
  const steady = application.join("steady");
  const crowd = application.join("crowd");
  application.ask(steady, "held", true);
  application.readSome(1);
  for (let i = 0; i < 16_500; i++) application.ask(crowd, `crowd ${i}`, true);
  for (let i = 0; i < 100; i++) {
    const pipe = application.join(`${i}`);
    application.ask(pipe, "held", true);
    pub.detach(pipe);
  }
  // The first peer to want it is gone before the last has come, and all are at the end.
  const peers = ["a", "b", "c", "d"].map((name) => application.join(name));
  for (const [i, pipe] of peers.entries()) {
    application.ask(pipe, "fresh", true);
    if (i === 1) pub.detach(peers[0]!);
  }
  for (const pipe of peers.slice(1)) pub.detach(pipe);
  application.readSome(Infinity);
  // A few that were told since the last look.
  assertLess(application.read, 16_500 + 5);
  assertEquals([application.believed.has("held"), application.believed.has("fresh")], [true, false]);
  assertEquals(application.heardOfFresh, 0);
});

test("every one of a peer's words is heard while few wait, and a message keeps its place among very many", () => {
  const application = new Application({});
  const { pub } = application;
  const [a, b] = [application.join("a"), application.join("b")];
  for (let i = 0; i < 100; i++) application.ask(a, "t", i % 2 === 0);
  a.arrived.push(messageOf("upstream"));
  pub.upstream(a);
  for (let i = 0; i < 40_000; i++) application.ask(b, `${i}`, true);
  for (let i = 0; i < 40_000; i += 2) application.ask(b, `${i}`, false);
  const texts: string[] = [];
  for (let message = pub.tryReceive(); message !== undefined; message = pub.tryReceive()) {
    texts.push(new TextDecoder().decode(message[0]));
  }
  assertEquals(texts.slice(0, 2), ["upstream", "\x011"]);
  assertEquals(texts.length, 1 + 20_000);
});

test("large topics are bounded by their bytes, and entries that vanished are let go", () => {
  const here = new Set([pipeOf("here")]);
  const [pipe] = here;
  const arrivals = new Arrivals((other) => here.has(other as FakePipe));
  const topic = new Uint8Array(1_048_576);
  for (let i = 0; i < 10_000; i++) {
    topic[0] = i % 200;
    arrivals.notify(
      pipe!,
      topic.subarray(0, i % 100 === 0 ? topic.length : 1),
      i % 2 === 0,
      i % 2 === 0,
      "peers",
    );
    assert(arrivals.unreadOf(pipe!).topicBytes <= 20 * topic.length);
  }
  const one = new Uint8Array(1);
  for (let i = 0; i < 100_000; i++) arrivals.notify(pipe!, one, i % 2 === 0, i % 2 === 0, "topic");
  assertLess(arrivals.held, 20_000);
});
