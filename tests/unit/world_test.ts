// runtimes: node
import { test } from "node:test";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { MisuseError } from "../../src/errors.ts";
import type { Transport } from "../../src/ports.ts";
import { makePair } from "../support/pair.ts";
import { Pump } from "../support/pump.ts";
import type { PumpFlaw } from "../support/pump.ts";
import { dialRecording, RecordingHandlers } from "../support/recording_handlers.ts";
import { simulate } from "../support/simulate.ts";
import { ContractViolation, LivenessFailure, Random, World } from "../support/world.ts";
import type { LinkOptions, WorldInit } from "../support/world.ts";

function bytesOf(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

/** `length` bytes that differ from their neighbours. */
function counting(length: number): Uint8Array {
  return new Uint8Array(length).map((_, index) => index + 1);
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
}

interface Echo {
  readonly sent: Uint8Array;
  readonly client: Pump;
  readonly server: Pump | undefined;
}

/** A client that sends random pieces and reads them back, now and then pausing or pulling. */
async function runEcho(world: World, until: (echo: Echo) => boolean, flaw?: PumpFlaw): Promise<Echo> {
  const { random } = world;
  let server: Pump | undefined = undefined;
  const sent = random.bytes(random.size(6_000));
  const listen = world.network.listen("sim://echo", {});
  const listener = await listen((attach) => {
    const onData = (chunk: Uint8Array, pump: Pump): void => pump.send(chunk.slice());
    server = new Pump(attach, { onData, ...(flaw === undefined ? {} : { flaw }) });
  }, () => assert(false, "no accept fails here"));
  const rest = (pump: Pump): void => {
    if (pump.closed || !random.chance(0.05) || !pump.transport.setPaused(true)) return;
    world.host.schedule(random.upTo(50), () => {
      if (pump.closed) return;
      if (random.chance(0.5)) pump.transport.pull?.();
      if (!pump.closed) pump.transport.setPaused(false);
    }, true);
  };
  const client = new Pump(world.network.dial("sim://echo", { connectTimeoutMs: 1_000 }), {
    onData: (_, pump) => {
      if (pump.receivedBytes === sent.length) pump.finish();
      else rest(pump);
    },
  });
  for (let at = 0; at < sent.length;) {
    const length = random.size(sent.length - at);
    client.send(sent.slice(at, at + length));
    at += length;
  }
  await world.drive(() => until({ sent, client, server }), { waitingFor: "the echo" });
  await listener.close();
  return { sent, client, server };
}

function bothClosed({ client, server }: Echo): boolean {
  return client.closed && server !== undefined && server.closed;
}

/** With faults: the link fell silent, or both ends are closed, or the client is and there never was a server. */
function hasEnded(world: World, echo: Echo): boolean {
  if (world.links[0]!.toServer.silent) return true;
  return echo.client.closed && (echo.server === undefined || echo.server.closed);
}

/** What a world went through, for the question whether the swarm shows everything. */
function features(world: World): string[] {
  const link = world.links[0]!;
  const { options } = link;
  const found = {
    lent: world.trace.some((line) => line.endsWith("lent")),
    nested: link.client.nestedCalls + link.server.nestedCalls > 0,
    pulled: world.trace.some((line) => line.includes("pulled")),
    gathering: options.canGather,
    pauseless: !options.canPause,
    oneByte: options.splitBytesMax === 1,
    late: options.latencyMsMax >= 200,
    shuffled: world.options.loop.shuffleTies,
    sharedTurns: world.options.loop.turnEventsMax > 1,
    full: options.bufferBytes === 16,
  };
  return Object.entries(found).filter(([, on]) => on).map(([name]) => name);
}

test("an echo is complete and closes cleanly in every harmless world of the swarm", async () => {
  const seen = new Set<string>();
  await simulate("echo", 120, async (world) => {
    const { sent, client, server } = await runEcho(world, bothClosed);
    assertEquals(joined(client.received), sent);
    assertEquals(server?.receivedBytes, sent.length);
    assertEquals([client.cause, server?.cause], [undefined, undefined]);
    await world.driveIdle();
    assertEquals(world.holdsProcess, false);
    for (const feature of features(world)) seen.add(feature);
  });
  const wanted = "full gathering late lent nested oneByte pauseless pulled sharedTurns shuffled";
  // One seed replayed alone cannot show everything.
  if (!process.env["HAWSER_SEED"]) assertEquals([...seen].sort().join(" "), wanted);
});

test("with faults an echo gives a prefix of what was sent, and ends unless the link fell silent", async () => {
  const ends = { complete: 0, cut: 0, refused: 0, silent: 0 };
  await simulate("faulty echo", 150, async (world) => {
    const { sent, client, server } = await runEcho(world, (echo) => hasEnded(world, echo));
    await world.driveIdle();
    assertEquals(joined(client.received), sent.subarray(0, client.receivedBytes));
    assertEquals(joined(server?.received ?? []), sent.subarray(0, server?.receivedBytes ?? 0));
    if (world.links[0]!.toServer.silent) ends.silent++;
    else if (!client.opened) ends.refused++;
    else if (client.cause === undefined) ends.complete++;
    else ends.cut++;
  }, { faults: true });
  if (process.env["HAWSER_SEED"] || process.env["HAWSER_SEEDS"]) return;
  for (const [end, count] of Object.entries(ends)) assert(count > 3, `${end}: ${count} of 150`);
});

const ECHO_FLAWS: readonly (readonly [PumpFlaw, RegExp])[] = [
  ["reuses lent memory", /Lent memory was changed/],
  ["writes while memory is lent", /write while memory is lent/],
  ["writes inside writes", /write inside write/],
  ["forgets the drain", /Waited in vain for the echo/],
  ["swaps what waits", /not equal/],
];

for (const [flaw, says] of ECHO_FLAWS) {
  test(`the swarm finds an echo that ${flaw}`, async () => {
    const run = async (): Promise<void> => {
      for (let seed = 1; seed <= 40; seed++) {
        const { sent, client } = await runEcho(World.swarm(seed), bothClosed, flaw);
        assertEquals(joined(client.received), sent);
      }
    };
    const error = await assertRejects(run, Error);
    assert(says.test(error.message), error.message);
  });
}

test("the world finds memory that is freed at an abort, before the close event", () => {
  const world = new World(1, { link: { jitterMsMax: 5 } });
  const link = world.link();
  const pump = new Pump(link.dialClient, { flaw: "frees memory at its own close" });
  new Pump(link.dialServer);
  link.toServer.hold();
  pump.send(counting(5));
  world.run(() => pump.loans === 1);
  pump.abort();
  assertThrows(() => world.run(() => pump.closed), ContractViolation, "changed at byte 0 of 5");
});

test("the same seed gives the same run to the last event, another seed another one", async () => {
  const digestOf = async (seed: number): Promise<readonly [string, readonly string[]]> => {
    const world = World.swarm(seed, { faults: true });
    await runEcho(world, ({ client }) => client.closed || world.links[0]!.toServer.silent);
    return [world.digest, world.trace];
  };
  const digests = new Set<string>();
  for (let seed = 1; seed <= 10; seed++) {
    const [first, trace] = await digestOf(seed);
    const [second, again] = await digestOf(seed);
    assertEquals([second, again], [first, trace]);
    digests.add(first);
  }
  assertEquals(digests.size, 10);
});

test("a seed gives the same numbers on every runtime", () => {
  const random = new Random(1);
  const drawn = [random.uint32(), random.integer(0, 999), random.size(1_000), random.fork("a").uint32()];
  assertEquals(drawn, KNOWN_NUMBERS);
  const sizes = Array.from({ length: 2_000 }, () => random.size(100));
  assertEquals([Math.min(...sizes), Math.max(...sizes)], [1, 100]);
  assert(sizes.filter((size) => size < 8).length > 500, "small sizes are frequent");
  const numbers = Array.from({ length: 500 }, () => random.integer(3, 5));
  assertEquals([...new Set(numbers)].sort(), [3, 4, 5]);
  assertEquals([random.chance(0), random.chance(1), random.upTo(0)], [false, true, 0]);
  assertEquals(random.shuffle([1, 2, 3, 4, 5]).sort(), [1, 2, 3, 4, 5]);
  assertNotEquals(random.bytes(16), random.bytes(16));
});

const KNOWN_NUMBERS: readonly number[] = [3_566_528_662, 660, 11, 913_982_664];

test("microtasks come before turn callbacks, these before timers, and timers in their order", () => {
  const world = new World(1);
  const { host } = world;
  const log: string[] = [];
  const say = (text: string) => (): void => {
    log.push(`${text} at ${host.nowMs()}`);
  };
  host.schedule(5, say("second timer"), true);
  host.schedule(2, () => {
    say("first timer")();
    host.turn(say("turn"));
    host.microtask(() => {
      say("microtask")();
      host.microtask(say("nested microtask"));
    });
  }, true);
  host.schedule(5, say("third timer"), true);
  const cancel = host.schedule(3, say("cancelled timer"), true);
  assertEquals(world.holdsProcess, true);
  cancel();
  cancel();
  world.runIdle();
  assertEquals(log, [
    "first timer at 2",
    "microtask at 2",
    "nested microtask at 2",
    "turn at 2",
    "second timer at 5",
    "third timer at 5",
  ]);
  assertEquals(world.holdsProcess, false);
});

test("a turn callback that asks for the next one for ever does not stop the clock", () => {
  const world = new World(1);
  let fired = false;
  const spin = (): void => {
    if (!fired) world.host.turn(spin);
  };
  world.host.turn(spin);
  world.host.schedule(3, () => {
    fired = true;
  }, true);
  world.run(() => fired);
});

test("the clock stands where it was told to, and the wall clock may jump", async () => {
  const world = new World(1, { loop: { startMs: 100 } });
  let fired = 0;
  for (const delayMs of [10, 20, 30]) world.host.schedule(delayMs, () => fired++, false);
  world.runFor(20);
  assertEquals([world.nowMs, fired], [120, 2]);
  const wallMs = world.host.wallMs();
  world.jumpWall(-5_000);
  await world.driveFor(100);
  assertEquals([world.nowMs, fired, world.host.wallMs()], [220, 3, wallMs - 5_000 + 100]);
});

test("promises settle between any two events", async () => {
  const world = new World(1);
  const log: string[] = [];
  const wait = (delayMs: number): Promise<void> => {
    return new Promise((resolve) => world.host.schedule(delayMs, resolve, true));
  };
  const chain = async (): Promise<string> => {
    await wait(1);
    for (let hop = 0; hop < 50; hop++) await undefined;
    log.push(`chain at ${world.nowMs}`);
    return "done";
  };
  world.host.schedule(2, () => log.push("timer"), true);
  assertEquals(await world.driveTo(chain()), "done");
  await world.driveIdle();
  assertEquals(log, ["chain at 1", "timer"]);
});

test("waiting in vain fails with the seed, the time and what the world looks like", async () => {
  const world = new World(77, { link: { latencyMsMax: 5 } });
  const { client, link } = await makePair(world);
  link.silence();
  client.transport.write(bytesOf(1, 2, 3));
  const error = assertThrows(() => world.run(() => false, { waitingFor: "godot" }), LivenessFailure);
  for (const part of ["godot", "seed=77", "#1 client open", "sent 3, read 0", "silent", "falls silent"]) {
    assert(error.message.includes(part), `${part} is missing in ${error.message}`);
  }
  world.host.schedule(1_000, () => {}, false);
  const late = await assertRejects(() => world.drive(() => false, { withinMs: 999 }), LivenessFailure);
  assert(late.message.includes("nothing more happens until"), late.message);
  const spin = (): void => world.host.turn(spin);
  spin();
  const busy = assertThrows(() => world.run(() => false, { eventsMax: 100 }), LivenessFailure);
  assert(busy.message.includes("too many events"), busy.message);
});

test("a cut at any byte delivers all of the bytes before it, or loses what was on its way", async () => {
  for (let byte = 0; byte <= 12; byte++) {
    for (const keepsFlight of [true, false]) {
      const world = new World(byte + 1, { link: { latencyMsMax: 5 } });
      const { client, server, link } = await makePair(world);
      link.toServer.breakAt(byte, { keepsFlight });
      const taken = client.transport.write(counting(12));
      world.runIdle();
      assertEquals(taken, false, "a stream that failed answers false");
      assertEquals(server.bytes(), counting(keepsFlight ? byte : 0));
      assertEquals([client.closed, server.closed, client.drains], [true, true, 0]);
      assertEquals((client.cause as { code: string }).code, "ECONNRESET");
      assertEquals(server.ended, false);
      client.assertClean();
      server.assertClean();
    }
  }
});

test("a cut at any event leaves both ends closed, once", async () => {
  const eventsOf = async (strikeAt: number | undefined): Promise<number> => {
    const world = World.swarm(9, { link: { silenceBytesMean: 0, cutBytesMean: 0 } });
    const { client, server, link } = await makePair(world, { splitBytesMax: 4 });
    const before = world.eventCount;
    if (strikeAt !== undefined) world.atEvent(before + strikeAt, () => link.cut());
    const pumped = counting(40);
    if (!client.transport.write(pumped)) await world.drive(() => client.drains > 0 || client.closed);
    if (!client.closed) client.transport.close("flush");
    await world.drive(() => server.ended || server.closed);
    if (!server.closed) server.transport.close("flush");
    await world.driveIdle();
    assertEquals([client.closed, server.closed], [true, true]);
    assertEquals(server.bytes(), pumped.subarray(0, server.byteCount));
    client.assertClean();
    server.assertClean();
    return world.eventCount - before;
  };
  const events = await eventsOf(undefined);
  assert(events > 10, `only ${events} events`);
  for (let index = 0; index < events; index++) await eventsOf(index);
});

test("a write is taken in part at any byte, lent, and drained once the rest was taken", async () => {
  for (let accepted = 0; accepted <= 20; accepted++) {
    const world = new World(accepted + 1, { link: { takesParts: accepted % 2 === 0 } });
    const { client, server, link } = await makePair(world);
    link.toServer.acceptNext(accepted);
    link.toServer.hold();
    const memory = counting(20);
    assertEquals(client.transport.write(memory), accepted === 20);
    world.runIdle();
    assertEquals(server.bytes(), counting(accepted));
    assertEquals(client.drains, 0);
    link.toServer.release();
    world.runIdle();
    assertEquals(server.bytes(), counting(20));
    assertEquals(client.drains, accepted === 20 ? 0 : 1);
    memory.fill(0);
    assertEquals(server.bytes(), counting(20));
  }
});

test("a paused reader gets nothing, the link fills up, and reading frees the writer", async () => {
  const world = new World(3, { link: { bufferBytes: 100 } });
  const { client, server } = await makePair(world);
  assertEquals(server.transport.setPaused(true), true);
  assertEquals(client.transport.write(counting(100)), true);
  const lent = counting(150);
  assertEquals(client.transport.write(lent), false);
  world.runIdle();
  assertEquals([server.byteCount, client.drains], [0, 0]);
  server.transport.setPaused(false);
  world.runIdle();
  assertEquals([server.byteCount, client.drains], [250, 1]);
});

test("a transport that cannot pause says so and goes on delivering", async () => {
  const world = new World(3, { link: { canPause: false } });
  const { client, server } = await makePair(world);
  assertEquals(server.transport.setPaused(true), false);
  client.transport.write(counting(10));
  world.runIdle();
  assertEquals(server.byteCount, 10);
});

test("pull delivers at once what has arrived, and says when there is nothing", async () => {
  const world = new World(3, { link: { canPull: true, latencyMsMax: 5 } });
  const { client, server } = await makePair(world);
  server.transport.setPaused(true);
  assertEquals(server.transport.pull?.(), false);
  client.transport.write(counting(10));
  assertEquals(server.transport.pull?.(), false, "it is still on its way");
  world.runIdle();
  assertEquals(server.byteCount, 0);
  assertEquals(server.transport.pull?.(), true);
  assertEquals(server.bytes(), counting(10));
  const plain = await makePair(new World(3));
  assertEquals([plain.client.transport.pull, plain.client.transport.writev], [undefined, undefined]);
});

test("a flush lets everything leave, also from a paused stream; the peer hears the end", async () => {
  const world = new World(4, { link: { lendChance: 1, takeMsMax: 5, latencyMsMax: 20 } });
  const { client, server } = await makePair(world);
  server.transport.write(counting(7));
  client.transport.setPaused(true);
  assertEquals(client.transport.write(counting(10)), false);
  client.transport.close("flush");
  world.run(() => server.ended);
  assertEquals([server.bytes(), client.closed], [counting(10), false]);
  server.transport.close("flush");
  world.runIdle();
  assertEquals([client.closed, client.cause, client.byteCount, client.drains], [true, undefined, 0, 1]);
  assertEquals([server.closed, server.cause], [true, undefined]);
  client.assertClean();
  server.assertClean();
});

test("an abort closes this end at once and the other with a cause; it may follow a flush", async () => {
  for (const first of ["flush", undefined] as const) {
    const world = new World(4, { link: { latencyMsMax: 20 } });
    const { client, server, link } = await makePair(world);
    link.toClient.hold();
    server.transport.write(counting(3));
    if (first !== undefined) client.transport.close(first);
    client.transport.close("abort");
    client.transport.setPaused(true);
    world.runIdle();
    assertEquals([client.closed, client.cause, server.closed], [true, undefined, true]);
    assertEquals((server.cause as { code: string }).code, "ECONNRESET");
    assertEquals(server.drains, 0);
  }
});

test("a silent link tells nobody: writes go on until the buffer is full", async () => {
  const world = new World(4, { link: { bufferBytes: 10 } });
  const { client, server, link } = await makePair(world);
  link.toServer.silenceAt(5);
  assertEquals(client.transport.write(counting(5)), true);
  assertEquals(client.transport.write(counting(5)), true);
  assertEquals(client.transport.write(counting(5)), false);
  server.transport.write(counting(4));
  server.transport.close("abort");
  world.runIdle();
  assertEquals([client.events, server.events], [["open"], ["open", "close"]]);
  client.transport.close("abort");
  world.runIdle();
  assertEquals(client.closed, true);
});

test("a dial is refused, finds nobody, times out, or is taken back, and never opens", async () => {
  const cases: readonly (readonly [Partial<LinkOptions>, string | undefined])[] = [
    [{ refuseChance: 1 }, "ECONNREFUSED"],
    [{}, "ECONNREFUSED"],
    [{ blackholeChance: 1 }, "ETIMEDOUT"],
    [{ latencyMsMax: 50 }, undefined],
  ];
  for (const [link, code] of cases) {
    const world = new World(5, { link });
    const listen = world.network.listen("sim://there", {});
    const accepted: RecordingHandlers[] = [];
    await listen((attach) => accepted.push(dialRecording(attach)), () => {});
    const address = link.refuseChance === undefined && code === "ECONNREFUSED"
      ? "sim://nobody"
      : "sim://there";
    const client = dialRecording(world.network.dial(address, { connectTimeoutMs: 700 }));
    if (code === undefined) client.transport.close("flush");
    const startMs = world.nowMs;
    world.runIdle();
    assertEquals(client.events, ["close"]);
    assertEquals((client.cause as { code?: string } | undefined)?.code, code);
    if (code === "ETIMEDOUT") assertEquals(world.nowMs - startMs, 700);
    assertEquals(accepted.length, 0);
  }
});

test("listening: wildcards get a name, names are exclusive until closed, bad endpoints are misuse", async () => {
  const world = new World(6);
  const failures: unknown[] = [];
  const open = (address: string) => {
    return world.network.listen(address, {})((attach) => dialRecording(attach), (cause) => {
      failures.push(cause);
    });
  };
  const first = await open("sim://a");
  const [any, other] = [await open("sim://*"), await open("sim://*")];
  assertNotEquals(any.address, other.address);
  const inUse = await assertRejects(() => open("sim://a"), MisuseError);
  assertEquals(inUse.code, "ERR_ADDRESS_IN_USE");
  for (const bad of ["tcp://a", "sim://", "sim://A b", "a"]) {
    assertEquals(assertThrows(() => world.network.dial(bad, {}), MisuseError).code, "ERR_ENDPOINT");
    assertThrows(() => world.network.listen(bad, {}), MisuseError);
  }
  assertThrows(() => world.network.dial("sim://*", {}), MisuseError);
  world.network.failAccept("sim://a", "EMFILE");
  const client = dialRecording(world.network.dial("sim://a", {}));
  world.runIdle();
  assertEquals([failures, client.opened], [["EMFILE"], true]);
  assertEquals(world.holdsProcess, true);
  client.transport.setReferenced?.(false);
  for (const listener of [first, any, other]) await listener.close();
  assertEquals(world.network.addresses, []);
  const reopened = await open("sim://a");
  await first.close();
  assertEquals(
    world.network.addresses,
    ["sim://a"],
    "closing the old listener again leaves the new one alone",
  );
  reopened.setReferenced?.(false);
  world.links[0]!.cut();
  world.runIdle();
  assertEquals(world.holdsProcess, false);
  world.host.keepAlive(true);
  assertEquals([world.keptAlive, world.holdsProcess], [true, true]);
});

/** A crime against the contract, committed on an open pair; `ends` with what the world must say. */
interface Crime {
  readonly name: string;
  readonly init?: WorldInit;
  readonly says: RegExp;
  readonly commit: (transport: Transport, world: World) => void;
}

const LENDING = { link: { lendChance: 1, takeMsMax: 5 } };
const CRIMES: readonly Crime[] = [
  {
    name: "writing while memory is lent",
    init: LENDING,
    says: /write while memory is lent/,
    commit: (transport) => {
      transport.write(counting(9));
      transport.write(counting(9));
    },
  },
  {
    name: "changing the first lent byte",
    init: LENDING,
    says: /changed at byte 0 of 9/,
    commit: (transport) => {
      const memory = counting(9);
      transport.write(memory);
      memory[0] = 77;
    },
  },
  {
    name: "changing a lent byte that was already taken",
    init: { link: { lendChance: 1, takesParts: true, takeMsMax: 5 } },
    says: /changed at byte 0 of 9/,
    commit: (transport, world) => {
      const memory = counting(9);
      world.links[0]!.toServer.acceptNext(8);
      transport.write(memory);
      memory[0] = 77;
    },
  },
  {
    name: "changing lent memory and then aborting",
    init: LENDING,
    says: /changed at byte 8 of 9/,
    commit: (transport) => {
      const memory = counting(9);
      transport.write(memory);
      memory[8] = 77;
      transport.close("abort");
    },
  },
  {
    name: "changing lent memory after a break, before the close event",
    init: { link: { lendChance: 1, takeMsMax: 5, jitterMsMax: 5 } },
    says: /changed at byte 8 of 9/,
    commit: (transport, world) => {
      const memory = counting(9);
      transport.write(memory);
      world.links[0]!.cut();
      memory[8] = 77;
    },
  },
  {
    name: "changing the memory of a write that failed, before the close event",
    says: /changed at byte 8 of 9/,
    commit: (transport, world) => {
      const memory = counting(9);
      world.links[0]!.cut();
      assertEquals(transport.write(memory), false);
      memory[8] = 77;
    },
  },
  {
    name: "changing a lent gather write",
    init: { link: { lendChance: 1, canGather: true } },
    says: /changed at byte 1 of 4/,
    commit: (transport) => {
      const memory = counting(4);
      transport.writev!([counting(3), memory]);
      memory[1] = 77;
    },
  },
  {
    name: "giving lent memory away",
    init: LENDING,
    says: /resized from 9 to 0/,
    commit: (transport) => {
      const memory = counting(9);
      transport.write(memory);
      structuredClone(memory, { transfer: [memory.buffer as ArrayBuffer] });
    },
  },
  {
    name: "writing after close",
    says: /write after close/,
    commit: (transport) => {
      transport.close("flush");
      transport.write(counting(1));
    },
  },
  {
    name: "writing after the close event",
    says: /write after the close event/,
    commit: (transport, world) => {
      world.links[0]!.cut();
      world.runIdle();
      transport.write(counting(1));
    },
  },
  {
    name: "closing twice",
    says: /close\("flush"\) after close\("flush"\)/,
    commit: (transport) => {
      transport.close("flush");
      transport.close("flush");
    },
  },
  {
    name: "flushing after an abort",
    init: { link: { jitterMsMax: 5 } },
    says: /close\("flush"\) after close\("abort"\)/,
    commit: (transport) => {
      transport.close("abort");
      transport.close("flush");
    },
  },
  {
    name: "writing again after a failed write",
    init: { link: { jitterMsMax: 5 } },
    says: /write while memory is lent/,
    commit: (transport, world) => {
      world.links[0]!.cut();
      assertEquals(transport.write(counting(1)), false);
      transport.write(counting(1));
    },
  },
  {
    name: "scheduling for ever",
    says: /schedule\(Infinity\)/,
    commit: (_, world) => world.host.schedule(Infinity, () => {}, false),
  },
];

for (const { name, init = {}, says, commit } of CRIMES) {
  test(`the world catches ${name}, even where the culprit swallows it`, async () => {
    const world = new World(8, init);
    const { client } = await makePair(world);
    const caught = assertThrows(() => {
      commit(client.transport, world);
      world.runIdle();
    }, ContractViolation);
    assert(says.test(caught.message), caught.message);
    assertEquals(world.violations.length, 1);
    assertThrows(() => world.step(), ContractViolation);
    await assertRejects(() => world.drive(() => true), ContractViolation);
  });
}

test("the world catches writing before open, writing inside a write, and dialling an end twice", async () => {
  const early = new World(8);
  const unopened = dialRecording(early.link().dialClient);
  assertThrows(() => unopened.transport.write(counting(1)), ContractViolation, "write before open");
  const twice = new World(8).link();
  dialRecording(twice.dialClient);
  assertThrows(() => dialRecording(twice.dialClient), ContractViolation, "attached twice");
  const world = new World(8, { link: { reentrantChance: 1 } });
  const { client, server } = await makePair(world);
  client.onEvent = (event) => {
    if (event === "data") client.transport.write(counting(1));
  };
  server.transport.write(counting(5));
  world.network.links[0]!.toClient.stall(0);
  assertThrows(() => client.transport.write(counting(1)), ContractViolation, "write inside write");
});

test("handlers run inside calls where the world wants it, but never before dial returned", async () => {
  const world = new World(8, { link: { reentrantChance: 1, reentrantPeerChance: 1, canPull: true } });
  const { client, server, link } = await makePair(world);
  client.transport.write(counting(3));
  assertEquals(server.byteCount, 3, "the peer's data came inside our write");
  server.transport.setPaused(true);
  client.transport.write(counting(3));
  assertEquals(server.byteCount, 3);
  server.transport.setPaused(false);
  assertEquals(server.byteCount, 6, "data came inside setPaused");
  client.transport.close("abort");
  assertEquals(client.closed, true, "close came inside close");
  assert(link.client.nestedCalls > 0 && link.server.nestedCalls > 0);
  world.runIdle();
  client.assertClean();
  server.assertClean();
});

test("delivered memory belongs to the reader alone, and may be a view", async () => {
  const world = new World(8, { link: { viewChance: 1, splitBytesMax: 3 } });
  const { client, server } = await makePair(world);
  const memory = counting(30);
  client.transport.write(memory);
  memory.fill(0);
  world.runIdle();
  assertEquals(server.bytes(), counting(30));
  assertEquals(new Set(server.chunks.map((chunk) => chunk.buffer)).size, server.chunks.length);
  assert(server.chunks.some((chunk) => chunk.byteOffset > 0 && chunk.buffer.byteLength > chunk.length));
});

test("a failing simulation names its seed; the environment chooses the seeds", async () => {
  const ran: number[] = [];
  const failsAtThree = (world: World): void => {
    ran.push(world.seed);
    if (world.seed === 3) throw new Error("broken");
  };
  const saved = { one: process.env["HAWSER_SEED"], many: process.env["HAWSER_SEEDS"] };
  const restore = (name: string, value: string | undefined): void => {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  };
  try {
    delete process.env["HAWSER_SEED"];
    delete process.env["HAWSER_SEEDS"];
    const error = await assertRejects(() => simulate("three", 5, failsAtThree), Error, "three: seed=3");
    assert(error.message.includes("broken") && error.message.includes("HAWSER_SEED=3"), error.message);
    assertInstanceOf(error.cause, Error);
    await simulate("two", [7, 9], failsAtThree);
    process.env["HAWSER_SEEDS"] = "2";
    await simulate("few", 5, failsAtThree);
    process.env["HAWSER_SEED"] = "42";
    await simulate("one", 5, failsAtThree);
    process.env["HAWSER_SEED"] = "x";
    await assertRejects(() => simulate("none", 5, failsAtThree), RangeError, "HAWSER_SEED=x");
  } finally {
    restore("HAWSER_SEED", saved.one);
    restore("HAWSER_SEEDS", saved.many);
  }
  assertEquals(ran, [1, 2, 3, 7, 9, 1, 2, 42]);
  const swallowing = (world: World): void => {
    assertThrows(() => world.violate("swallowed"));
  };
  await assertRejects(() => simulate("swallowed", [1], swallowing), Error, "ContractViolation: swallowed");
});

test("recording handlers find a transport that breaks its promises", async () => {
  const info = { localAddress: "sim://a", remoteAddress: "sim://b" };
  const problems = (misbehave: (handlers: RecordingHandlers) => void): string => {
    const handlers = new RecordingHandlers();
    handlers.transport = { write: () => true, setPaused: () => true, close: () => {} };
    misbehave(handlers);
    if (handlers.problems.length > 0) {
      assertThrows(() => handlers.assertClean(), Error, handlers.problems[0]!);
    } else handlers.assertClean();
    return handlers.problems.join();
  };
  const order =
    (...names: ("open" | "data" | "drain" | "end" | "close")[]) => (handlers: RecordingHandlers): void => {
      for (const name of names) {
        if (name === "open") handlers.open(info);
        else if (name === "data") handlers.data(bytesOf(1));
        else handlers[name]();
      }
    };
  assertEquals(problems(order("open", "data", "drain", "end", "drain", "close")), "");
  assertEquals(problems(order("close")), "");
  assertEquals(problems(order("data")), "data before open");
  assertEquals(problems(order("open", "open")), "open twice,open after open");
  assertEquals(problems(order("close", "open")), "open after close");
  assertEquals(problems(order("open", "end", "data", "end")), "data after end,end twice");
  assertEquals(problems(order("open", "close", "drain", "close")), "drain after close,close twice");
  const tooEarly = new RecordingHandlers();
  tooEarly.open(info);
  assertEquals(tooEarly.problems, ["open before dial returned"]);
  const waiting = tooEarly.until((handlers) => handlers.ended);
  tooEarly.end();
  await waiting;
  await tooEarly.until((handlers) => handlers.opened);
});
