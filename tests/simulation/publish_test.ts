import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { asciiBytes } from "../../src/bytes/bytes.ts";
import { Publisher, Subscriber, XPublisher, XSubscriber } from "../../src/socket/sockets.ts";
import { SEED_SHARE, simulate } from "../support/simulate.ts";
import type { World } from "../support/world.ts";
import { assertRising, upTo } from "./messages.ts";
import { Scene } from "./scene.ts";
import { drawCount, drawMarks, play, wake } from "./streams.ts";

const PAUSABLE = { link: { canPause: true } };
const IMPATIENT = {
  heartbeatInterval: 1_000,
  heartbeatTimeout: 8_000,
  handshakeInterval: 20_000,
  connectTimeout: 2_000,
  reconnectInterval: 10,
};
/** Some are prefixes of others, one is everything. */
const TOPICS = ["", "a", "ab", "abc", "b", "ba", "c", "zz"];
const ROUND_TOPICS = ["a", "ab", "abc", "abcd", "b", "ba", "c", "x", "zz", "zzz"];

/** One message of each topic, all with the same number. A full subscriber misses the last ones: each time others. */
function publishRound(world: World, publisher: XPublisher, round: number): void {
  for (const topic of world.random.shuffle([...ROUND_TOPICS])) publisher.trySend([topic, `${round}`]);
}

/** Takes what the publisher was told, up to the subscription to `topic`. Returns whether that has come. */
function hears(publisher: XPublisher, topic: string): boolean {
  const ending = String(asciiBytes(topic));
  let told = publisher.tryReceive();
  while (told !== undefined && !String(told).endsWith(ending)) told = publisher.tryReceive();
  return told !== undefined;
}

/** What a subscriber got: by topic, the rounds in order. */
class Ears {
  readonly rounds: Map<string, number[]> = new Map();
  readonly wanted: Map<string, number> = new Map();
  readonly #socket: Subscriber | XSubscriber;

  constructor(socket: Subscriber | XSubscriber) {
    this.#socket = socket;
  }

  act(): void {
    for (
      let message = this.#socket.tryReceive();
      message !== undefined;
      message = this.#socket.tryReceive()
    ) {
      const [topic, round] = message.map((frame) => String.fromCharCode(...frame));
      const list = this.rounds.get(topic!) ?? [];
      this.rounds.set(topic!, list);
      list.push(Number(round));
    }
  }

  /** Subscribes or cancels, at random but never a cancel too many. */
  change(world: World): void {
    const topic = world.random.pick(TOPICS);
    const count = this.wanted.get(topic) ?? 0;
    const on = count === 0 || world.random.chance(0.4);
    this.wanted.set(topic, count + (on ? 1 : -1));
    if (on) this.#socket.subscribe(topic);
    else this.#socket.unsubscribe(topic);
  }

  wants(topic: string): boolean {
    for (const [prefix, count] of this.wanted) if (count > 0 && topic.startsWith(prefix)) return true;
    return false;
  }

  /** Whether every topic that is wanted was heard in a round from `since` on. */
  heardAll(since: number): boolean {
    return ROUND_TOPICS.every((topic) =>
      !this.wants(topic) || (this.rounds.get(topic)?.at(-1) ?? -1) >= since
    );
  }

  get heardUnwanted(): number {
    let count = 0;
    for (const [topic, rounds] of this.rounds) if (!this.wants(topic)) count += rounds.length;
    return count;
  }
}

test("with noDrop, whoever has subscribed gets every matching message once and in order", async () => {
  await simulate("no drop", 50, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const marks = drawMarks(world);
    const publisher = scene.add(new XPublisher({ context, ...marks.send, noDrop: true }));
    await scene.bind(publisher, "sim://news");
    const ears = [0, 1, 2].map(() => {
      const subscriber = scene.add(new Subscriber({ context, ...drawMarks(world).receive }));
      const one = new Ears(subscriber);
      for (let topics = 3; topics > 0; topics--) one.change(world);
      subscriber.connect("sim://news");
      return { one, subscriber };
    });
    // Topics of a new connection are told in no promised order; one that is added later comes behind them.
    for (const [index, { subscriber }] of ears.entries()) {
      await world.driveTo(subscriber.ready());
      subscriber.subscribe(`known-${index}`);
      play(
        world,
        [],
        () => hears(publisher, `known-${index}`),
        "the last topic",
      );
    }
    const count = drawCount(world, 60);
    const due: string[][] = [];
    for (let round = 0; round < count; round++) {
      for (const topic of ROUND_TOPICS) due.push([topic, `${round}`]);
    }
    const source = {
      act(): void {
        for (let left = world.random.size(40); left > 0 && due.length > 0; left--) {
          if (!publisher.trySend(due[0]!)) return;
          due.shift();
        }
        if (due.length > 0) wake(world);
      },
    };
    play(
      world,
      [source, ...ears.map(({ one }) => one)],
      () => due.length === 0 && ears.every(({ one }) => one.heardAll(count - 1)),
      "all news",
    );
    for (const { one } of ears) {
      for (const [topic, rounds] of one.rounds) assertEquals(rounds, upTo(count), topic);
      for (const topic of ROUND_TOPICS) assertEquals(one.rounds.has(topic), one.wants(topic), topic);
    }
    await scene.end();
  }, PAUSABLE);
});

test("without noDrop, a slow subscriber misses runs of messages, and keeps nobody else from getting all", async () => {
  let dropped = 0;
  await simulate("slow joiner", 20, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const publisher = scene.add(new Publisher({ context, sendHighWaterMark: 5 }));
    publisher.events.on("drop", ({ count }) => dropped += count!);
    await scene.bind(publisher, "sim://news");
    const slow = scene.add(new Subscriber({ context, receiveHighWaterMark: 1, pendingBytesMax: 1 }));
    const good = scene.add(new Subscriber({ context, receiveHighWaterMark: 0 }));
    for (const [name, subscriber] of Object.entries({ slow, good })) {
      subscriber.connect("sim://news");
      subscriber.subscribe("a");
      await world.driveTo(subscriber.ready());
      subscriber.subscribe(name);
      await world.driveTo(publisher.subscribed(name));
    }
    const count = 100;
    const ears = new Ears(good);
    const body = "x".repeat(500);
    let sent = 0;
    // One message at a time, and only when the good subscriber has the last: it is never full.
    const source = {
      act(): void {
        if (sent > (ears.rounds.get("a")?.length ?? 0) || sent === count) return;
        assert(publisher.trySend(["a", `${sent++}`, body]));
      },
    };
    play(world, [ears, source], () => ears.rounds.get("a")?.length === count, "the good subscriber");
    assertEquals(ears.rounds.get("a"), upTo(count));
    const late = new Ears(slow);
    late.act();
    assertRising(late.rounds.get("a") ?? [], "the slow subscriber");
    await scene.end();
  }, { link: { canPause: true, bufferBytes: 4_096, splitBytesMax: 1_500 } });
  if (!process.env["HAWSER_SEED"]) assert(dropped > 1_000 * SEED_SHARE, `only ${dropped} were dropped`);
});

test("subscriptions change, connections break: in the end everybody hears what he asked for, and publishers know it", async () => {
  let broken = 0;
  await simulate("resync", 30, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    scene.calmAfter(8);
    const publisher = scene.add(new XPublisher({ context, ...drawMarks(world).send, ...IMPATIENT }));
    await scene.bind(publisher, "sim://news");
    const ears = [0, 1, 2].map((index) => {
      const options = { context, ...drawMarks(world).receive, ...IMPATIENT };
      const socket = scene.add(index === 0 ? new XSubscriber(options) : new Subscriber(options));
      if (world.random.chance(0.5)) socket.subscribe("known"), socket.connect("sim://news");
      else socket.connect("sim://news"), socket.subscribe("known");
      return new Ears(socket);
    });
    let round = 0;
    let changes = 40;
    const life = {
      nextMs: 0,
      act(): void {
        while (publisher.tryReceive() !== undefined);
        if (world.nowMs < this.nextMs) return;
        this.nextMs = world.nowMs + world.random.pick([50, 500, 2_000]);
        world.host.schedule(this.nextMs - world.nowMs + 1, () => {}, true);
        for (let left = world.random.integer(0, 5); left > 0 && changes > 0; left--, changes--) {
          world.random.pick(ears).change(world);
        }
        publishRound(world, publisher, round++);
      },
    };
    // A connection may break at any later time as well: it only takes longer then.
    const calm = (): boolean => changes === 0 && (world.links.length >= 8 || round > 100);
    play(world, [life, ...ears], calm, "all changes");
    const since = round;
    play(world, [life, ...ears], () => ears.every((one) => one.heardAll(since)), "what was asked for");
    // Cancelled topics dry up at the publisher: an XSUB does not filter, so it would hear them.
    const unwanted = ears[0]!.heardUnwanted;
    const until = round + 5;
    play(
      world,
      [life, ...ears],
      () => round >= until && ears.every((one) => one.heardAll(until - 1)),
      "some rounds",
    );
    assertEquals(ears[0]!.heardUnwanted, unwanted, "the publisher sends what was cancelled");
    for (const one of ears) for (const [topic, rounds] of one.rounds) assertRising(rounds, topic);
    broken += world.links.filter((link) => link.broken).length;
    await scene.end();
  }, { faults: true, link: { canPause: true } });
  if (!process.env["HAWSER_SEED"]) assert(broken > 30 * SEED_SHARE, `only ${broken} connections broke`);
});

test("ten thousand subscriptions before the first connection are all told, whatever the high-water mark", async () => {
  await simulate("many topics", 6, async (world) => {
    const scene = new Scene(world);
    const { context } = scene;
    const count = world.options.link.splitBytesMax < 10 || world.options.link.bufferBytes < 1_000
      ? 1_000
      : 10_000;
    const subscriber = scene.add(new Subscriber({ context, receiveHighWaterMark: 1 }));
    const publisher = scene.add(new XPublisher({ context, sendHighWaterMark: 1, receiveHighWaterMark: 1 }));
    for (let index = 0; index < count; index++) subscriber.subscribe(`topic-${index}`);
    subscriber.connect("sim://news");
    await scene.bind(publisher, "sim://news");
    const seen = new Set<string>();
    const reader = {
      act(): void {
        for (let one = publisher.tryReceive(); one !== undefined; one = publisher.tryReceive()) {
          seen.add(String.fromCharCode(...one[0]!));
        }
      },
    };
    play(world, [reader], () => seen.size === count, "all subscriptions");
    await scene.end();
  }, PAUSABLE);
});
