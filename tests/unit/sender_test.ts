import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import type { PatternOptions } from "../../src/pattern/pattern.ts";
import { PushPattern } from "../../src/pattern/push.ts";
import { RouterPattern } from "../../src/pattern/router.ts";
import { Runtime } from "../../src/session/runtime.ts";
import { defaultOptions, type OptionValues } from "../../src/socket/options.ts";
import { Sender } from "../../src/socket/sender.ts";
import { World } from "../support/world.ts";
import { FakePipe, known, patternOptions, peerOf } from "./building_blocks.ts";

/** A sender with pipes whose room the test decides. */
class Bench {
  readonly world: World = new World(1);
  readonly runtime: Runtime = new Runtime(this.world.host);
  readonly options: OptionValues = defaultOptions();
  readonly pattern: PushPattern | RouterPattern;
  readonly sender: Sender;
  readonly settled: string[] = [];

  constructor(Kind: typeof PushPattern | typeof RouterPattern, options: Partial<PatternOptions> = {}) {
    const pump = (): void => this.sender.pump();
    this.pattern = new Kind({
      events: { readable: () => {}, writable: pump, dropped: () => {} },
      options: patternOptions(options),
      random: (into) => into.fill(1),
    });
    this.sender = new Sender(this.pattern, this.options, this.runtime);
  }

  join(name: string, room = Infinity): FakePipe {
    const pipe = new FakePipe(name);
    pipe.room = room;
    pipe.known = known(peerOf(name));
    pipe.connected = true;
    this.pattern.attach(pipe);
    this.pattern.ready(pipe);
    return pipe;
  }

  /** Sends, and notes what becomes of it under its own text. */
  send(text: string, options: { signal?: AbortSignal } = {}): void {
    const message = text.includes("|") ? text.split("|") : text;
    this.sender.send(message, options).then(
      () => this.settled.push(text),
      (error) => this.settled.push(`${text}: ${(error as MisuseError).code}`),
    );
  }

  makeRoom(pipe: FakePipe, room: number): void {
    pipe.room = room;
    this.pattern.writable(pipe);
  }

  async settle(): Promise<string[]> {
    await this.world.settle();
    return this.settled.splice(0);
  }
}

test("a send that is taken at once is a promise that was settled before, the same for all", async () => {
  const bench = new Bench(PushPattern);
  bench.join("a");
  const first = bench.sender.send("x");
  assert(bench.sender.send("y") === first);
  await first;
});

test("sends wait in order, first come, first served, and keep their place among each other", async () => {
  const bench = new Bench(PushPattern);
  for (const text of ["1", "2", "3", "4"]) bench.send(text);
  assertEquals(await bench.settle(), []);
  const pipe = bench.join("a", 2);
  assertEquals(await bench.settle(), ["1", "2"]);
  bench.send("5");
  assertEquals(bench.sender.trySend("6"), false, "nobody overtakes who waits");
  bench.makeRoom(pipe, 10);
  assertEquals(await bench.settle(), ["3", "4", "5"]);
  assertEquals(pipe.texts, ["1", "2", "3", "4", "5"]);
});

test("a waiting send copies a small body at once, and gives a large one away", async () => {
  const bench = new Bench(PushPattern);
  const [small, large] = [new Uint8Array(4).fill(1), new Uint8Array(20_000)];
  void bench.sender.send([small, large]);
  small.fill(9);
  const pipe = bench.join("a");
  await bench.settle();
  assertEquals([[...pipe.written[0]![0]!], pipe.written[0]![1] === large], [[1, 1, 1, 1], true]);
});

test("a send that waits too long is rejected; a time-out of 0 never waits", async () => {
  const bench = new Bench(PushPattern);
  bench.options.sendTimeout = 100;
  bench.send("late");
  await bench.world.driveFor(99);
  assertEquals(await bench.settle(), []);
  await bench.world.driveFor(2);
  assertEquals(await bench.settle(), ["late: ERR_AGAIN"]);
  bench.options.sendTimeout = 0;
  bench.send("now or never");
  assertEquals(await bench.settle(), ["now or never: ERR_AGAIN"]);
  bench.options.sendTimeout = -1;
  const pipe = bench.join("a");
  bench.send("x");
  assertEquals([await bench.settle(), pipe.texts], [["x"], ["x"]], "what was rejected was not sent");
});

test("an aborted send is rejected with the reason and not sent; an abort that comes too late changes nothing", async () => {
  const bench = new Bench(PushPattern);
  const [early, late] = [new AbortController(), new AbortController()];
  const rejected = assertRejects(() => bench.sender.send("1", { signal: early.signal }), MisuseError);
  bench.send("2", { signal: late.signal });
  early.abort("enough");
  assertEquals([(await rejected).code, (await rejected).cause], ["ERR_ABORTED", "enough"]);
  const pipe = bench.join("a");
  late.abort();
  assertEquals([await bench.settle(), pipe.texts], [["2"], ["2"]]);
});

test("who is aborted already does not send, even where there is room", async () => {
  const bench = new Bench(PushPattern);
  const pipe = bench.join("a");
  const error = await assertRejects(
    () => bench.sender.send("x", { signal: AbortSignal.abort("no") }),
    MisuseError,
  );
  assertEquals([error.code, error.cause, pipe.texts], ["ERR_ABORTED", "no", []]);
});

test("no more sends wait than sendWaitersMax", async () => {
  const bench = new Bench(PushPattern);
  bench.options.sendWaitersMax = 3;
  for (const text of ["1", "2", "3", "4"]) bench.send(text);
  assertEquals(await bench.settle(), ["4: ERR_WAITERS"]);
  bench.join("a", 1);
  bench.send("5");
  assertEquals(await bench.settle(), ["1"]);
});

test("closing rejects all that wait, and everything after it", async () => {
  const bench = new Bench(PushPattern);
  bench.send("1");
  const waiting = assertRejects(() => bench.sender.waitWritable({}), MisuseError);
  bench.sender.close();
  bench.send("2");
  assertEquals(await bench.settle(), ["1: ERR_CLOSED", "2: ERR_CLOSED"]);
  assertEquals((await waiting).code, "ERR_CLOSED");
  assertEquals(assertThrows(() => bench.sender.trySend("x"), MisuseError).code, "ERR_CLOSED");
});

test("waitWritable resolves when trySend is worth a try, and not while sends wait", async () => {
  const bench = new Bench(PushPattern);
  let writable = 0;
  const wait = (): void => void bench.sender.waitWritable({}).then(() => writable++);
  wait();
  const pipe = bench.join("a", 1);
  await bench.settle();
  assertEquals([writable, bench.sender.trySend("x"), bench.sender.trySend("y")], [1, true, false]);
  bench.send("1");
  wait();
  bench.makeRoom(pipe, 1);
  await bench.settle();
  assertEquals(writable, 1, "the send was first");
  bench.makeRoom(pipe, 1);
  await bench.settle();
  assertEquals(writable, 2);
});

test("what a waiting send cannot be sent for rejects it alone", async () => {
  const bench = new Bench(RouterPattern, { mandatory: true });
  const pipe = bench.join("a", 0);
  bench.send("a|1");
  bench.send("a|2");
  assertEquals(await bench.settle(), []);
  bench.pattern.detach(pipe);
  assertEquals(await bench.settle(), ["a|1: ERR_UNROUTABLE", "a|2: ERR_UNROUTABLE"]);
});

test("a mandatory Router's sends wait for their own peer only, in order for each", async () => {
  const bench = new Bench(RouterPattern, { mandatory: true });
  const [a, b] = [bench.join("a", 0), bench.join("b", 1)];
  bench.send("a|1");
  bench.send("b|1");
  bench.send("b|2");
  bench.send("a|2");
  assertEquals(await bench.settle(), ["b|1"]);
  assertEquals(bench.sender.trySend(["b", "3"]), false);
  bench.makeRoom(b, 1);
  assertEquals(await bench.settle(), ["b|2"]);
  bench.makeRoom(b, 5);
  assert(bench.sender.trySend(["b", "3"]), "nobody waits for b any more");
  bench.makeRoom(a, 5);
  assertEquals(await bench.settle(), ["a|1", "a|2"]);
  assertEquals([a.texts, b.texts], [["1", "2"], ["1", "2", "3"]]);
});

test("a send to an unknown peer is rejected at once, whoever else waits", async () => {
  const bench = new Bench(RouterPattern, { mandatory: true });
  bench.join("a", 0);
  bench.send("a|1");
  bench.send("nobody|1");
  assertEquals(await bench.settle(), ["nobody|1: ERR_UNROUTABLE"]);
  assertEquals(assertThrows(() => bench.sender.trySend(["nobody", "x"]), MisuseError).code, "ERR_UNROUTABLE");
});

test("waiting for one peer's room is not held up by sends that wait for another", async () => {
  const bench = new Bench(RouterPattern, { mandatory: true });
  const [, b] = [bench.join("a", 0), bench.join("b", 0)];
  bench.send("a|1");
  let writable = 0;
  const router = bench.pattern as RouterPattern;
  const id = new TextEncoder().encode("b");
  void bench.sender.waitWritable({}, () => router.canSendTo(id)).then(() => writable++);
  await bench.settle();
  assertEquals(writable, 0);
  bench.makeRoom(b, 1);
  await bench.settle();
  assertEquals(writable, 1);
  void bench.sender.waitWritable({}, () => router.canSendTo(id)).then(() => writable++);
  await bench.settle();
  assertEquals([writable, bench.sender.trySend(["b", "x"])], [2, true]);
});

test("a turn's budget ends the sends of that turn, not their order; the next turn goes on", async () => {
  const bench = new Bench(PushPattern);
  const pipe = bench.join("a");
  let sent = 0;
  while (bench.sender.trySend("x")) sent++;
  assertEquals(sent, 4_096);
  let next = false;
  void bench.sender.waitWritable({}).then(() => next = true);
  await bench.settle();
  assertEquals(next, false, "time must pass");
  await bench.world.driveFor(0.1);
  assertEquals([next, bench.sender.trySend("y")], [true, true]);
  assertEquals(pipe.texts.at(-1), "y");
});

test("an awaited send loop is held once a turn, by one promise", async () => {
  const bench = new Bench(PushPattern);
  const pipe = bench.join("a");
  let turns = 0;
  const loop = (async (): Promise<void> => {
    for (let i = 0; i < 10_000; i++) await bench.sender.send("x");
  })();
  const tick = (): void =>
    bench.world.host.turn(() => {
      turns++;
      if (pipe.written.length < 10_000) tick();
    });
  tick();
  await bench.world.driveTo(loop);
  assertEquals(pipe.written.length, 10_000);
  assert(turns >= 2 && turns < 20, `${turns} turns`);
});

test("nobody overtakes a send that waits for the next turn's budget alone, though there is room", async () => {
  for (const Kind of [PushPattern, RouterPattern]) {
    const bench = new Bench(Kind, { mandatory: true });
    const name = (text: string): string => Kind === RouterPattern ? `a|${text}` : text;
    const pipe = bench.join("a", 0);
    const large = "x".repeat(1_048_576);
    for (const text of [large, "1"]) bench.send(name(text));
    bench.makeRoom(pipe, Infinity);
    bench.send(name("2"));
    assertEquals(pipe.texts, [large], "the large one spent the turn's budget");
    await bench.world.driveFor(1);
    assertEquals(pipe.texts.slice(1), ["1", "2"]);
    assertEquals((await bench.settle()).length, 3);
  }
});

test("sends that waited spend the turn's budget, too", async () => {
  const bench = new Bench(PushPattern);
  bench.options.sendWaitersMax = 10_000;
  const pipe = bench.join("a", 0);
  for (let i = 0; i < 5_000; i++) bench.send("x");
  bench.makeRoom(pipe, Infinity);
  assertEquals(pipe.written.length, 4_096);
  await bench.world.driveFor(1);
  assertEquals([pipe.written.length, (await bench.settle()).length], [5_000, 5_000]);
});

test("room that is told of while the turn's budget is spent wakes nobody before the next turn", async () => {
  const bench = new Bench(PushPattern);
  const pipe = bench.join("a");
  while (bench.sender.trySend("x"));
  let writable = 0;
  void bench.sender.waitWritable({}).then(() => writable++);
  bench.makeRoom(pipe, Infinity);
  await bench.settle();
  assertEquals(writable, 0);
  await bench.world.driveFor(1);
  assertEquals(writable, 1);
});

test("a peer that takes a message and tells of room in the same breath gets each message once", async () => {
  const bench = new Bench(PushPattern);
  const pipe = bench.join("a", 0);
  for (const text of ["1", "2", "3"]) bench.send(text);
  const { write } = pipe;
  pipe.write = (message): boolean => {
    const taken = write.call(pipe, message);
    if (taken) bench.pattern.writable(pipe);
    return taken;
  };
  bench.makeRoom(pipe, Infinity);
  assertEquals([await bench.settle(), pipe.texts], [["1", "2", "3"], ["1", "2", "3"]]);
});

test("a mandatory Router's peer is free once its own sends are through, whoever else waits", async () => {
  const bench = new Bench(RouterPattern, { mandatory: true });
  const [a] = [bench.join("a", 0), bench.join("b", 0)];
  for (const text of ["a|1", "a|2", "a|3", "b|1"]) bench.send(text);
  bench.makeRoom(a, 1);
  assertEquals(await bench.settle(), ["a|1"]);
  bench.makeRoom(a, Infinity);
  assertEquals(await bench.settle(), ["a|2", "a|3"]);
  assertEquals(bench.sender.trySend(["a", "4"]), true, "b's send holds up nobody else");
  assertEquals(bench.sender.trySend(["b", "2"]), false);
});

test("what cannot be a message is refused before anything happens", async () => {
  const bench = new Bench(PushPattern);
  const pipe = bench.join("a");
  const wrong: unknown[] = [undefined, {}, [], [{}], ["x", undefined], true, Symbol("s"), 1n, () => {}];
  for (const input of wrong) {
    const error = await assertRejects(() => bench.sender.send(input as string), MisuseError);
    assertEquals(error.code, "ERR_MESSAGE", String(input));
    assertEquals(assertThrows(() => bench.sender.trySend(input as string), MisuseError).code, "ERR_MESSAGE");
  }
  assertEquals(pipe.texts, []);
});
