import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import { PullPattern } from "../../src/pattern/pull.ts";
import { RepPattern } from "../../src/pattern/rep.ts";
import type { Message } from "../../src/pattern/pipe/pipe.ts";
import { Runtime } from "../../src/session/runtime.ts";
import { defaultOptions, type OptionValues } from "../../src/socket/options.ts";
import { Receiver } from "../../src/socket/receiver.ts";
import { World } from "../support/world.ts";
import { FakePipe, messageOf, patternOptions, textOf } from "./building_blocks.ts";

class Bench {
  readonly world: World = new World(1);
  readonly options: OptionValues = defaultOptions();
  readonly pattern: PullPattern | RepPattern;
  readonly receiver: Receiver;
  readonly pipe: FakePipe = new FakePipe("a");
  readonly settled: string[] = [];

  constructor(Kind: typeof PullPattern | typeof RepPattern = PullPattern) {
    const pump = (): void => this.receiver.pump();
    this.pattern = new Kind({
      events: { readable: pump, writable: () => {}, dropped: () => {} },
      options: patternOptions(),
      random: () => {},
    });
    this.receiver = new Receiver(this.pattern, this.options, new Runtime(this.world.host));
    this.pipe.connected = true;
    this.pattern.attach(this.pipe);
  }

  arrive(...texts: string[]): void {
    this.pipe.arrived.push(...texts.map(messageOf));
    this.pattern.readable(this.pipe);
  }

  receive(name: string, options: { signal?: AbortSignal } = {}): void {
    this.receiver.receive(options).then(
      (message) => this.settled.push(`${name}=${textOf(message)}`),
      (error) => this.settled.push(`${name}: ${(error as MisuseError).code}`),
    );
  }

  async settle(): Promise<string[]> {
    await this.world.settle();
    // Whether of two promises that settled one was heard first says nothing.
    return this.settled.splice(0).sort();
  }
}

test("many receives may wait; messages go to them in order of arrival", async () => {
  const bench = new Bench();
  bench.receive("first");
  bench.receive("second");
  bench.arrive("1");
  bench.receive("third");
  bench.arrive("2", "3", "4");
  assertEquals(await bench.settle(), ["first=1", "second=2", "third=3"]);
  bench.receive("fourth");
  assertEquals(await bench.settle(), ["fourth=4"]);
});

test("whoever tries while others wait gets nothing that is theirs", async () => {
  const bench = new Bench();
  bench.receive("waits");
  assertEquals([bench.receiver.tryReceive(), bench.receiver.receiveMany(9)], [undefined, []]);
  bench.arrive("1");
  assertEquals([bench.receiver.tryReceive(), await bench.settle()], [undefined, ["waits=1"]]);
});

test("an aborted receive swallows no message, whenever the abort comes", async () => {
  const bench = new Bench();
  const [early, late] = [new AbortController(), new AbortController()];
  bench.receive("early", { signal: early.signal });
  bench.receive("late", { signal: late.signal });
  early.abort();
  bench.arrive("1");
  // The message is on its way to this one already.
  late.abort();
  bench.receive("next");
  bench.arrive("2");
  assertEquals(await bench.settle(), ["early: ERR_ABORTED", "late=1", "next=2"].sort());
  bench.receive("aborted before", { signal: AbortSignal.abort() });
  bench.arrive("3");
  bench.receive("after");
  assertEquals(await bench.settle(), ["aborted before: ERR_ABORTED", "after=3"]);
  bench.arrive("4");
  bench.receive("aborted, though there is one", { signal: AbortSignal.abort() });
  bench.receive("has it");
  assertEquals(await bench.settle(), ["aborted, though there is one: ERR_ABORTED", "has it=4"]);
});

test("a receive that waits too long is rejected, and the message that comes then is for the next", async () => {
  const bench = new Bench();
  bench.options.receiveTimeout = 50;
  bench.receive("short");
  await bench.world.driveFor(51);
  bench.arrive("1");
  bench.receive("next");
  assertEquals(await bench.settle(), ["next=1", "short: ERR_AGAIN"]);
  bench.options.receiveTimeout = 0;
  bench.receive("none");
  bench.arrive("2");
  bench.receive("some");
  assertEquals(await bench.settle(), ["none: ERR_AGAIN", "some=2"]);
});

test("receiveMany gives what is there and no more than asked", () => {
  const bench = new Bench();
  assertEquals(bench.receiver.receiveMany(5), []);
  bench.arrive("1", "2", "3");
  assertEquals(bench.receiver.receiveMany(2).map(textOf), ["1", "2"]);
  assertEquals(bench.receiver.receiveMany(2).map(textOf), ["3"]);
  assertEquals(bench.receiver.receiveMany(0), []);
});

test("receiveMany of a Reply gives one request; the rest waits for its reply", () => {
  const bench = new Bench(RepPattern);
  bench.arrive("|1", "|2");
  assertEquals(bench.receiver.receiveMany(5).map(textOf), ["1"]);
  assertThrows(() => bench.receiver.receiveMany(5), MisuseError);
  (bench.pattern as RepPattern).trySend(messageOf("ok"));
  assertEquals(bench.receiver.receiveMany(5).map(textOf), ["2"]);
});

test("waitReadable resolves when there is something, also after messages were taken one by one", async () => {
  const bench = new Bench();
  let readable = 0;
  for (let round = 1; round <= 3; round++) {
    void bench.receiver.waitReadable().then(() => readable++);
    await bench.settle();
    assertEquals(readable, round - 1);
    bench.arrive(`${round}`);
    await bench.settle();
    assertEquals([readable, textOf(bench.receiver.tryReceive()!)], [round, `${round}`]);
  }
  bench.arrive("there");
  await bench.receiver.waitReadable();
  const error = await assertRejects(
    () => (bench.receiver.tryReceive(), bench.receiver.waitReadable({ signal: AbortSignal.abort("x") })),
    MisuseError,
  );
  assertEquals(error.code, "ERR_ABORTED");
});

test("iteration gives every message once and ends when the socket closes, waiting or not", async () => {
  const bench = new Bench();
  const texts: string[] = [];
  const iterate = async (): Promise<void> => {
    for await (const message of { [Symbol.asyncIterator]: () => bench.receiver.messages() }) {
      texts.push(textOf(message));
    }
  };
  const first = iterate();
  bench.arrive("1", "2");
  await bench.settle();
  bench.arrive("3");
  await bench.settle();
  bench.receiver.close();
  await first;
  await iterate();
  assertEquals(texts, ["1", "2", "3"]);
});

test("leaving an iteration loses nothing: the next one goes on", async () => {
  const bench = new Bench();
  bench.arrive("1", "2", "3", "4", "5");
  const texts: string[] = [];
  for await (const message of bench.receiver.messages()) {
    texts.push(textOf(message));
    if (texts.length === 2) break;
  }
  for await (const batch of bench.receiver.batches(2)) {
    texts.push(batch.map(textOf).join("+"));
    break;
  }
  texts.push(textOf(await bench.receiver.receive()));
  assertEquals(texts, ["1", "2", "3+4", "5"]);
});

test("a batch is never empty and never larger than asked, and batches end with the socket", async () => {
  const bench = new Bench();
  const sizes: number[] = [];
  const loop = (async (): Promise<void> => {
    for await (const batch of bench.receiver.batches(3)) sizes.push(batch.length);
  })();
  bench.arrive("1", "2", "3", "4");
  await bench.settle();
  bench.arrive("5");
  await bench.settle();
  bench.receiver.close();
  await loop;
  assertEquals(sizes, [3, 1, 1]);
});

test("two iterations share the messages, each goes to one of them", async () => {
  const bench = new Bench();
  const seen: string[] = [];
  const iterate = async (name: string): Promise<void> => {
    for await (const message of bench.receiver.messages()) seen.push(name + textOf(message));
  };
  const loops = [iterate("a"), iterate("b")];
  for (let index = 0; index < 6; index++) {
    bench.arrive(`${index}`);
    await bench.settle();
  }
  bench.receiver.close();
  await Promise.all(loops);
  assertEquals(seen.map((one) => one.slice(1)), ["0", "1", "2", "3", "4", "5"]);
  assert(seen.some((one) => one[0] === "a") && seen.some((one) => one[0] === "b"));
});

test("an iteration over a time-out rejects, and goes on when asked again", async () => {
  const bench = new Bench();
  bench.options.receiveTimeout = 20;
  const messages = bench.receiver.messages();
  const waiting = assertRejects(() => messages.next(), MisuseError);
  await bench.world.driveFor(30);
  assertEquals((await waiting).code, "ERR_AGAIN");
  bench.arrive("1");
  assertEquals(textOf((await messages.next()).value as Message), "1");
});

test("closing rejects what waits, and everything after it", async () => {
  const bench = new Bench();
  bench.receive("waits");
  const readable = assertRejects(() => bench.receiver.waitReadable(), MisuseError);
  bench.receiver.close();
  bench.receive("late");
  assertEquals(await bench.settle(), ["late: ERR_CLOSED", "waits: ERR_CLOSED"]);
  assertEquals((await readable).code, "ERR_CLOSED");
  for (const call of [() => bench.receiver.tryReceive(), () => bench.receiver.receiveMany(1)]) {
    assertEquals(assertThrows(call, MisuseError).code, "ERR_CLOSED");
  }
});

test("a Reply that has not replied rejects a receive, and iteration too", async () => {
  const bench = new Bench(RepPattern);
  bench.arrive("|1", "|2");
  bench.receive("one");
  bench.receive("two");
  assertEquals(await bench.settle(), ["one=1", "two: ERR_STATE"]);
  await assertRejects(() => bench.receiver.messages().next(), MisuseError);
  await assertRejects(() => bench.receiver.batches(5).next(), MisuseError);
  (bench.pattern as RepPattern).trySend(messageOf("ok"));
  bench.receive("two");
  assertEquals(await bench.settle(), ["two=2"]);
});

test("leaving an iteration says that it is done, and takes nothing with it", async () => {
  const bench = new Bench();
  bench.arrive("1", "2");
  const [messages, batches] = [bench.receiver.messages(), bench.receiver.batches(1)];
  assertEquals(textOf((await messages.next()).value), "1");
  for (const iterator of [messages, batches]) {
    assertEquals(await iterator.return!(), { value: undefined, done: true });
  }
  assertEquals(textOf(bench.receiver.tryReceive()!), "2");
});

/** The ways to wait for messages, which all end with `receiveTimeout`. */
const WAYS: readonly (readonly [string, (receiver: Receiver) => Promise<unknown>])[] = [
  ["receive", (receiver) => receiver.receive()],
  ["the next message", (receiver) => receiver.messages().next()],
  ["the next batch", (receiver) => receiver.batches(10).next()],
];

for (const [way, wait] of WAYS) {
  test(`${way} is rejected after receiveTimeout, and with 0 before anything else happens`, async () => {
    for (const receiveTimeout of [0, 1, 5_000]) {
      const bench = new Bench();
      bench.options.receiveTimeout = receiveTimeout;
      const began = bench.world.nowMs;
      const rejection = assertRejects(() => wait(bench.receiver), MisuseError);
      assertEquals((await bench.world.driveTo(rejection)).code, "ERR_AGAIN");
      const tookMs = bench.world.nowMs - began;
      assert(tookMs >= receiveTimeout && tookMs < receiveTimeout + 5, `${tookMs} ms`);
      bench.arrive("later");
      assertEquals(bench.receiver.receiveMany(10).map(textOf), ["later"], "what comes later is not lost");
    }
  });
}

test("a batch that others take the messages of waits no longer for that", async () => {
  const bench = new Bench();
  bench.options.receiveTimeout = 100;
  const began = bench.world.nowMs;
  const rejection = assertRejects(() => bench.receiver.batches(10).next(), MisuseError);
  for (let turn = 0; turn < 5; turn++) {
    await bench.world.driveFor(30);
    bench.arrive("for somebody else");
    bench.pipe.arrived.length = 0;
  }
  assertEquals((await bench.world.driveTo(rejection)).code, "ERR_AGAIN");
  assert(bench.world.nowMs - began < 160, `${bench.world.nowMs - began} ms`);
});
