import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLessOrEqual, assertThrows } from "@std/assert";
import { Scheduler } from "../../../src/engine/scheduler.ts";
import { BugError } from "../../../src/errors.ts";
import { joinLocally, type LocalLinkInit } from "../../../src/log/client/local_link.ts";
import { assertWhole, bodyOf, Caller, Door, Feeder, numbered, type Served } from "../../support/log_links.ts";
import fc from "../../support/properties.ts";
import { World } from "../../support/world.ts";

interface Joined {
  readonly world: World;
  readonly door: Door;
  readonly caller: Caller;
  readonly served: Served;
}

function join(options: Partial<LocalLinkInit> = {}): Joined {
  const world = new World(1);
  const door = new Door();
  const caller = new Caller();
  caller.link = joinLocally({
    scheduler: new Scheduler(world.host),
    events: caller,
    accept: door.accept,
    endOfBurst: door.endOfBurst,
    ...options,
  });
  return { world, door, caller, served: door.served[0]! };
}

/** As {@link join}, and everything that is to come of it has come. */
function joinNow(options: Partial<LocalLinkInit> = {}): Joined {
  const joined = join(options);
  joined.world.runIdle();
  return joined;
}

test("a local link opens by itself, later; until then only the broker may send", () => {
  const { world, caller, served } = join();
  assertEquals([caller.opens, caller.link!.local, served.link.local], [0, true, true]);
  assertEquals([served.input, served.peer], [undefined, "local"]);
  assertEquals(caller.send(...numbered(1)), false);
  assertEquals(served.send(...numbered(2)), true);
  caller.onOpened = () => assert(caller.send(...numbered(3)));
  world.runIdle();
  assertEquals([caller.opens, caller.numbers, served.numbers], [1, [2], [3]]);
});

test("large frames go over by reference, small ones are the sender's again, and so is the array", () => {
  const { world, caller, served } = joinNow();
  const frames = [bodyOf(1, 64), bodyOf(2, 16_384), bodyOf(3, 0)];
  const sent = [...frames];
  assert(caller.send(...sent));
  caller.calls.run(() => caller.link!.trySend(sent));
  frames[0]!.fill(0);
  sent.length = 0;
  world.runIdle();
  for (const [small, large, none] of served.received) {
    assertEquals(small, bodyOf(1, 64));
    assert(large === frames[1], "no copy");
    assertEquals(none!.length, 0);
  }
  assertEquals(served.received.length, 2);
});

test("one microtask serves a burst in both directions, and the round comes between", () => {
  const { world, door, caller, served } = joinNow();
  const told: string[] = [];
  served.onMessage = () => told.push("message");
  door.onBurst = () => {
    told.push("burst");
    served.send(...numbered(9));
  };
  caller.onMessage = () => told.push("answer");
  for (let number = 0; number < 3; number++) caller.send(...numbered(number));
  const before = world.eventCount;
  assertEquals(told, []);
  world.run(() => told.length > 0);
  assertEquals(told, ["message", "message", "message", "burst", "answer"]);
  assertEquals(world.eventCount, before, "no turn of the event loop was needed");
  assertEquals(caller.bursts, 1);
});

test("at the byte mark trySend answers false, and writable follows when half of it is gone", () => {
  const { world, caller, served } = joinNow({ bytesMax: 10_000 });
  let sent = 0;
  while (caller.send(...numbered(sent, 1_000))) sent++;
  // What lies below the mark is taken whole.
  assertEquals(sent, 10);
  assertEquals(caller.send(new Uint8Array(1)), false);
  assertEquals(caller.writables, 0);
  caller.onWritable = () => {
    while (sent < 100 && caller.send(...numbered(sent, 1_000))) sent++;
  };
  world.runIdle();
  assertEquals(served.numbers, Array.from({ length: 100 }, (_, index) => index));
  assertEquals(caller.writables, 9);
});

test("the broker's side is bounded alike", () => {
  const { world, caller, served } = joinNow({ bytesMax: 10_000 });
  const feeder = new Feeder(served, 500, (number) => numbered(number, 300));
  feeder.pump();
  assertLessOrEqual(feeder.sent, 10_000 / 308 + 1);
  world.runIdle();
  assertEquals(caller.received.length, 500);
  caller.received.forEach(assertWhole);
});

test("two machines that answer each other for ever leave timers their turn", () => {
  const { world, caller, served } = joinNow();
  let rounds = 0;
  let stop = false;
  served.keep = caller.keep = false;
  served.onMessage = (frames) => void served.send(...frames);
  caller.onMessage = (frames) => {
    rounds++;
    if (!stop) caller.send(...frames);
  };
  const firedAt: number[] = [];
  for (const delayMs of [0, 1]) {
    world.host.schedule(delayMs, () => {
      firedAt.push(rounds);
      stop = delayMs === 1;
    }, true);
  }
  caller.send(...numbered(1, 100));
  world.runIdle();
  assertEquals(firedAt.length, 2);
  assertGreater(rounds, 4_000);
});

test("a burst is bounded by the turn's allowance in messages and in bytes, and nothing is lost", () => {
  for (const [count, bytes] of [[20_000, 8], [100, 400_000]] as const) {
    const { world, door, caller, served } = joinNow({ bytesMax: 1e9 });
    served.keep = false;
    let next = 0;
    served.onMessage = (frames) => {
      assertEquals(new DataView(frames[0]!.buffer).getUint32(0), next++);
    };
    const body = new Uint8Array(bytes);
    for (let number = 0; number < count; number++) assert(caller.send(numbered(number)[0]!, body));
    world.runIdle();
    assertEquals(next, count);
    assertGreater(door.bursts, 4);
    for (const size of door.burstSizes) {
      assertLessOrEqual(size, 4_096);
      assertLessOrEqual((size - 1) * bytes, 4_194_304);
    }
  }
});

test("closing from either side: what was sent to the other before arrives, then both are told once", () => {
  const why = new Error("done");
  for (const side of ["client", "broker"] as const) {
    const { world, caller, served } = joinNow();
    const [closer, other] = side === "client" ? [caller, served] : [served, caller];
    assert(other.send(...numbered(1)));
    assert(closer.send(...numbered(2)));
    closer.close(why);
    closer.close(new Error("too late"));
    other.close(new Error("too late as well"));
    assertEquals([closer.closes, other.closes], [0, 0], "not from inside the call");
    assertEquals([closer.send(...numbered(3)), other.send(...numbered(4))], [false, false]);
    world.runIdle();
    assertEquals([closer.numbers, other.numbers], [[], [2]], side);
    assertEquals([closer.closes, other.closes], [1, 1]);
    assertEquals([closer.reason, other.reason], [why, undefined]);
    closer.close();
    world.runIdle();
    assertEquals([closer.closes, other.closes], [1, 1]);
  }
});

test("a client that closes before it was told of the broker hears nothing; the broker is told", () => {
  const { world, caller, served } = join();
  caller.close();
  world.runIdle();
  assertEquals([caller.opens, caller.closes, served.closes], [0, 0, 1]);
});

test("a broker that turns a client away at the door is heard", () => {
  const { world, caller, served } = join({
    accept: (link) => {
      link.close(new Error("full"));
      return { events: { message() {}, writable() {}, closed() {} } };
    },
  });
  world.runIdle();
  assertEquals([caller.opens, caller.closes, served], [1, 1, undefined]);
});

test("who closes while it is served hears nothing but the end", () => {
  const { world, caller, served } = joinNow();
  served.onMessage = () => served.close();
  for (let number = 0; number < 5; number++) caller.send(...numbered(number));
  world.runIdle();
  assertEquals([served.numbers, served.closes, caller.closes], [[0], 1, 1]);
});

test("a message has at least one frame", () => {
  const { caller } = joinNow();
  assertThrows(() => caller.send(), BugError);
});

test("any mixture of sends, floods and closes keeps order, marks and the order of what is told", () => {
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        what: fc.constant("send" as const),
        of: fc.boolean(),
        count: fc.integer({ min: 1, max: 40 }),
        bytes: fc.integer({ min: 0, max: 3_000 }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ what: fc.constant("run" as const) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant("close" as const), of: fc.boolean() }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 20_000 }), (steps, bytesMax) => {
      const { world, caller, served } = joinNow({ bytesMax });
      const taken = { caller: 0, served: 0 };
      let closer: Caller | Served | undefined;
      for (const one of steps) {
        if (one.what === "run") world.runIdle();
        else if (one.what === "close") {
          const end = one.of ? caller : served;
          end.close();
          closer ??= end;
        } else {
          const end = one.of ? caller : served;
          const key = one.of ? "caller" : "served";
          for (let i = 0; i < one.count; i++) {
            const ok = end.send(...numbered(taken[key], one.bytes));
            if (ok) assertEquals(closer, undefined, "taken by a closed link");
            else break;
            taken[key]++;
          }
        }
      }
      world.runIdle();
      for (const [end, sent] of [[served, taken.caller], [caller, taken.served]] as const) {
        end.received.forEach(assertWhole);
        assertEquals(end.numbers, Array.from({ length: end.received.length }, (_, index) => index));
        if (end !== closer) assertEquals(end.received.length, sent, "lost");
        assertEquals(end.closes, closer === undefined ? 0 : 1);
      }
    }),
  );
});
