// runtimes: node
import { test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import type { Ack, Order } from "../../src/log/topic_options.ts";
import { SimulatedReader } from "./log_reader.ts";
import { DEFAULT_SEEDS, Load, simulateLog, TOPIC } from "./log_simulate.ts";
import type { LogWorldInit } from "./log_world.ts";

const SEGMENTS = { topics: { "*": { segmentBytes: 8_192 } } };
const DISK: LogWorldInit = { store: "disk", broker: SEGMENTS };

/** Where batches overtake each other, positions of single ones are kept. */
function diskOf(seed: number): LogWorldInit {
  return orderOf(seed) >= 4 ? DISK : { ...DISK, broker: { ...SEGMENTS, runsKept: 64 } };
}

function orderOf(seed: number): Order {
  return ([5, 0, 5, 2, 5, 4] as const)[seed % 6]!;
}

for (const ack of [1, 2] as const) {
  test(`ack ${ack}: a broker that is killed again and again loses nothing, and doubles nothing`, () => {
    simulateLog(`kill ${ack}`, 10, diskOf, (world, seed) => {
      const load = new Load(world, {
        publishers: 3,
        clients: 2,
        records: 60,
        onTopic: { ack, order: orderOf(seed), syncIntervalMs: world.random.pick([0, 20]) },
        named: seed % 3 === 0,
        readers: [{}, { creditBytes: 300 }],
      });
      load.strikes(4, () => world.kill());
      load.finish();
      assertEquals(load.judge().length, 180);
      for (const reader of load.readers) assertEquals(reader.error, undefined);
    });
  });
}

test("scenario 54: ack 2: after power losses at any moment everything acknowledged is there, nothing twice", () => {
  simulateLog("power 2", 16, diskOf, (world, seed) => {
    const load = new Load(world, {
      publishers: 3,
      clients: 2,
      records: 60,
      onTopic: { ack: 2, order: orderOf(seed) },
      named: seed % 3 === 0,
      readers: [{}, { creditBytes: 300 }],
    });
    load.strikes(4, () => world.random.chance(0.7) ? world.powerLoss() : world.kill());
    load.finish();
    // Not one acknowledgement is taken back, and no reader saw what is not there any more.
    assertEquals(load.judge().length, 180);
    for (const reader of load.readers) assertEquals(reader.error, undefined);
    for (const { publisher } of load.streams) assertEquals(publisher.lost(), 0);
  });
});

test("ack 1: after a power loss publishers are told what is lost, readers where the log was cut, and nobody waits", () => {
  let [lost, cuts] = [0, 0];
  simulateLog("power 1", 16, diskOf, (world, seed) => {
    const ack: Ack = seed % 5 === 0 ? 0 : 1;
    const load = new Load(world, {
      publishers: 3,
      clients: 2,
      records: 60,
      onTopic: { ack, order: orderOf(seed), syncIntervalMs: world.random.pick([0, 20]) },
      readers: [{}, { creditBytes: 300 }],
      closes: false,
    });
    load.strikes(3, () => world.random.chance(0.8) ? world.powerLoss() : world.kill());
    load.finish();
    load.judge({ lossy: true });
    for (const { publisher } of load.streams) lost += publisher.lost();
    for (const { error } of load.readers) {
      if (error === undefined) continue;
      assertEquals(error.code, "ERR_LOG_CUT");
      assert(error.from! < error.to!);
      cuts++;
    }
  });
  if (DEFAULT_SEEDS) assertGreater(Math.min(lost, cuts), 5);
});

test("scenario 53: what is acknowledged as synced is ordered, and no power loss takes it back, also in an ack 1 topic", () => {
  simulateLog("power 1-2", 10, DISK, (world) => {
    const onTopic = { ack: 1, syncIntervalMs: 0 } as const;
    const load = new Load(world, { publishers: 2, records: 60, ack: 2, onTopic });
    load.strikes(3, () => world.powerLoss());
    load.finish();
    assertEquals(load.judge().length, 120);
  });
});

test("named publishers go on with their sequence, whichever of the two ends dies, and however", () => {
  simulateLog("named", 12, DISK, (world) => {
    const load = new Load(world, { publishers: 2, records: 60, onTopic: { ack: 2 }, named: true });
    const [first, second] = load.streams;
    load.strikes(5, () => {
      const what = world.random.pick(["broker", "machine", "program", "program", "newcomer"]);
      if (what === "machine") world.powerLoss();
      else if (what === "broker") world.kill();
      else {
        const stream = world.random.pick([first!, second!]);
        // Or the old one lives on, and is told that it was replaced.
        if (what === "program") world.killClient(stream.publisher.client);
        stream.begin(world.client());
      }
    });
    load.finish();
    assertEquals(load.judge({ refusals: true }).length, 120);
  });
});

test("programs of one name that begin at the same time: one goes on, and every other one is told", () => {
  simulateLog("namesakes", 8, DISK, (world) => {
    const setup = { name: "one", onTopic: { ack: 2 } } as const;
    const all = Array.from({ length: 3 }, () => world.client().publisher(TOPIC, setup));
    const states = (): string => all.map(({ session }) => session.state).sort().join(" ");
    world.until(() => states() === "open superseded superseded", "one of them to be left");
    for (const { session } of all) {
      if (session.error !== undefined) assertEquals(session.error.code, "ERR_LOG_SUPERSEDED");
    }
  });
});

test("scenario 51: a topic whose making was cut off is made by who wants to make it, never by a reader that comes before", () => {
  simulateLog("torn", 12, DISK, (world) => {
    const onTopic = { ack: 2, order: 4 } as const;
    const load = new Load(world, { publishers: 2, records: 10, onTopic, readers: [{}, {}] });
    for (let round = 0; round < 4; round++) {
      for (let steps = world.random.size(120); steps > 0; steps--) world.step();
      if (world.random.chance(0.5)) world.powerLoss();
      else world.kill();
      world.start();
      load.readers.push(new SimulatedReader(world.client(), TOPIC));
    }
    load.finish();
    assertEquals(load.judge().length, 20);
    assertEquals(world.topic(TOPIC)!.options.order, 4);
  });
});
