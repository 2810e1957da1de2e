import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual, assertThrows } from "@std/assert";
import { Scheduler } from "../../../src/engine/scheduler.ts";
import { BugError } from "../../../src/errors.ts";
import type { LinkEvents } from "../../../src/log/link.ts";
import { LinkSet } from "../../../src/log/links/link_set.ts";
import type { LinkInput, PipeLink } from "../../../src/log/links/pipe_link.ts";
import { World } from "../../support/world.ts";
import { FakePipe, known, messageOf, peerOf, textOf } from "../building_blocks.ts";

/** A pipe that counts what it drops. */
class Pipe extends FakePipe {
  dropped = 0;

  override drop(): void {
    this.dropped += this.arrived.splice(0).length;
  }
}

/** A set, its pipes, and everything it tells, in order. */
class Bench {
  readonly world: World = new World(1);
  readonly told: string[] = [];
  readonly links: PipeLink[] = [];
  readonly set: LinkSet;
  on: (what: string, link: PipeLink) => void = () => {};

  constructor() {
    this.set = new LinkSet({
      scheduler: new Scheduler(this.world.host),
      joined: (link) => {
        this.links.push(link);
        return this.#eventsOf(link);
      },
      opened: (link) => this.#tell("opened", link),
      end: (link) => {
        this.#tell("end", link);
        this.lose(link.pipe as Pipe);
      },
      endOfBurst: () => this.told.push("burst"),
    });
  }

  join(name: string, input?: LinkInput): Pipe {
    const pipe = new Pipe(name);
    pipe.known = known({ ...peerOf(), id: this.links.length });
    pipe.allocator = input;
    this.set.joined(pipe);
    return pipe;
  }

  /** As a connection does it that is lost. */
  lose(pipe: Pipe): void {
    pipe.closed = true;
    this.set.left(pipe);
  }

  arrive(pipe: Pipe, ...texts: string[]): void {
    const first = pipe.arrived.length === 0;
    pipe.arrived.push(...texts.map(messageOf));
    if (first) this.set.readable(pipe);
  }

  linkOf(pipe: Pipe): PipeLink {
    return this.links.find((link) => link.pipe === pipe)!;
  }

  /** What was told since the last call, once everything has taken its course. */
  drain(): string[] {
    this.world.runIdle();
    return this.told.splice(0);
  }

  #eventsOf(link: PipeLink): LinkEvents {
    return {
      message: (frames) => this.#tell(textOf(frames), link),
      writable: () => this.#tell("writable", link),
      closed: (reason) => this.#tell(reason === undefined ? "closed" : `closed: ${reason.message}`, link),
    };
  }

  #tell(what: string, link: PipeLink): void {
    this.told.push(`${(link.pipe as Pipe).name} ${what}`);
    this.on(what, link);
  }
}

test("nothing is told from inside a connection; then: openings, messages in turn, the burst's end, room, ends", () => {
  const bench = new Bench();
  const [a, b] = [bench.join("a"), bench.join("b")];
  assertEquals(bench.drain(), ["a opened", "b opened"]);
  b.room = 0;
  assertEquals(bench.linkOf(b).trySend(messageOf("x")), false);
  bench.lose(a);
  bench.arrive(a, "1", "2", "3");
  bench.set.writable(b);
  bench.arrive(b, "4");
  bench.join("c");
  assertEquals(bench.told, []);
  assertEquals(bench.drain(), ["c opened", "a 1", "b 4", "a 2", "a 3", "burst", "b writable", "a closed"]);
  assertEquals(bench.set.size, 2);
});

test("a link that is closed while it is served is served no more; what it had goes back", () => {
  const bench = new Bench();
  const [a, b] = [bench.join("a"), bench.join("b")];
  bench.drain();
  bench.arrive(a, "1", "2", "3");
  bench.arrive(b, "4", "5");
  // The first message of one link closes both.
  bench.on = (what) => {
    if (what !== "1") return;
    bench.linkOf(a).close(new Error("bad"));
    bench.linkOf(b).close();
    assertEquals([a.dropped, b.dropped], [0, 0], "not from inside the call");
  };
  assertEquals(bench.drain(), ["a 1", "a end", "b end", "burst", "a closed: bad", "b closed"]);
  assertEquals([a.dropped, b.dropped], [2, 2]);
  bench.linkOf(a).close();
  bench.lose(a);
  bench.set.writable(a);
  bench.arrive(a, "late");
  assertEquals(bench.drain(), []);
  assertEquals(bench.set.size, 0);
});

test("what a lost link had received comes before its end, however many turns it takes", () => {
  const bench = new Bench();
  const a = bench.join("a");
  bench.drain();
  bench.arrive(a, ...Array.from({ length: 10_000 }, (_, index) => `${index}`));
  bench.lose(a);
  assertEquals(bench.linkOf(a).trySend(messageOf("x")), false);
  const told = bench.drain();
  const messages = told.filter((one) => one !== "burst");
  assertEquals(messages.length, 10_001);
  assertEquals(messages.slice(0, 10_000), Array.from({ length: 10_000 }, (_, index) => `a ${index}`));
  assertEquals(messages.at(-1), "a closed");
  assertEquals(told.length - messages.length, 3, "bursts of at most 4 096 messages");
});

test("a link that leaves twice is told once, and may still be closed before it is told", () => {
  const bench = new Bench();
  const a = bench.join("a");
  bench.drain();
  bench.arrive(a, "1");
  bench.lose(a);
  bench.lose(a);
  bench.linkOf(a).close(new Error("mine"));
  assertEquals(bench.drain(), ["a closed: mine"]);
  assertEquals(a.dropped, 1);
});

test("the socket's events tell why a link was lost, unless it was closed from here", () => {
  const bench = new Bench();
  const pipes = [bench.join("a"), bench.join("b"), bench.join("c")] as const;
  bench.drain();
  bench.linkOf(pipes[1]).close(new Error("own"));
  bench.linkOf(pipes[2]).close();
  for (const pipe of pipes) {
    bench.set.failed(pipe.peer, new Error("reset"));
    bench.lose(pipe);
  }
  bench.set.failed(undefined, new Error("nobody"));
  bench.set.failed(peerOf(), new Error("a stranger"));
  assertEquals(bench.drain(), ["a closed: reset", "b closed: own", "c closed"]);
});

test("a turn's budget is shared: who waited longest goes first, so that nobody starves", () => {
  const bench = new Bench();
  const pipes = ["a", "b", "c", "d"].map((name) => bench.join(name));
  bench.drain();
  const frame = new Uint8Array(100_000);
  const pump = (link: PipeLink): void => {
    while ((link.pipe as Pipe).written.length < 200 && link.trySend([frame]));
  };
  bench.on = (what, link) => {
    if (what !== "writable") return;
    pump(link);
    const sent = pipes.map((pipe) => pipe.written.length);
    // Two budgets' worth apart, no more: the first one took its first before the others asked.
    if (Math.max(...sent) < 200) assertLessOrEqual(Math.max(...sent) - Math.min(...sent), 22, String(sent));
  };
  for (const link of bench.links) pump(link);
  assertEquals(pipes.map((pipe) => pipe.written.length), [11, 0, 0, 0]);
  bench.world.runIdle();
  assertEquals(pipes.map((pipe) => pipe.written.length), [200, 200, 200, 200]);
});

test("a link that has no room is not told of the next turn, and one that closes is not told at all", () => {
  const bench = new Bench();
  const [a, b, c] = [bench.join("a"), bench.join("b"), bench.join("c")];
  bench.drain();
  a.room = 0;
  assertEquals(bench.linkOf(a).trySend(messageOf("x")), false);
  while (bench.linkOf(b).trySend([new Uint8Array(300_000)]));
  assertEquals(bench.linkOf(c).trySend(messageOf("x")), false);
  bench.linkOf(c).close();
  assertEquals(bench.drain(), ["c end", "c closed", "b writable"]);
  a.room = Infinity;
  bench.set.writable(a);
  assertEquals(bench.drain(), ["a writable"]);
});

test("an input is restarted later, once, and not when its link is told", () => {
  const bench = new Bench();
  const restarted: string[] = [];
  const connection = { receivedBytes: 7, restart: () => restarted.push("restart") };
  const input = bench.set.inputOf(connection);
  assertEquals([input.receivedBytes, input.allocate(5, [])], [7, "discard"]);
  const a = bench.join("a", input);
  assertEquals((input.allocate(5, []) as Uint8Array).length, 5);
  const asked: number[] = [];
  const released: Uint8Array[] = [];
  input.target = {
    allocate: (bytes) => {
      asked.push(bytes);
      return "later";
    },
    release: (memory) => void released.push(memory),
    forfeit: (memory) => void released.push(memory),
  };
  assertEquals(input.allocate(6, []), "later");
  input.restart();
  input.restart();
  assertEquals(restarted, []);
  bench.drain();
  assertEquals(restarted, ["restart"]);
  bench.linkOf(a).close();
  assertEquals(input.allocate(8, []), "discard", "a link that closes wants nothing");
  const memory = new Uint8Array(1);
  input.release(memory);
  assertEquals([asked, released[0] === memory], [[6], true]);
});

test("closing all: what has arrived is delivered, then the socket is closed, then all are told", () => {
  const bench = new Bench();
  const [a, b] = [bench.join("a"), bench.join("b")];
  bench.drain();
  bench.arrive(a, "1");
  let calls = 0;
  bench.set.closeAll(() => {
    calls++;
    bench.told.push("close");
    bench.set.closing();
    for (const pipe of [a, b]) bench.lose(pipe);
  });
  bench.set.closeAll(() => calls++);
  assertEquals(bench.told, []);
  assertEquals(bench.drain(), ["a 1", "burst", "close", "a closed", "b closed"]);
  assertEquals(calls, 1);
});

test("a message has at least one frame", () => {
  const bench = new Bench();
  const a = bench.join("a");
  assertThrows(() => bench.linkOf(a).trySend([]), BugError);
  assertGreater(bench.links.length, 0);
  assert(bench.linkOf(a).trySend([new Uint8Array(0)]));
});
