import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import type { Broker } from "../../src/log/broker/broker.ts";
import type { BrokerConnection } from "../../src/log/broker/broker_connection.ts";
import type { LogWorldInit } from "./log_world.ts";
import { LogWorld } from "./log_world.ts";
import { DEFAULT_SEEDS, LARGE, largeBodies, Load, simulateLog, TOPIC } from "./log_simulate.ts";

/** Every third world keeps its log on a disk. */
function someDisk(init: LogWorldInit = {}): (seed: number) => LogWorldInit {
  return (seed) => ({ ...init, store: seed % 3 === 0 ? "disk" : "memory" });
}

for (const order of [0, 2, 4, 5] as const) {
  test(`scenario 20: order ${order}: two and ten publishers, shuffled, doubled and late batches: each record once`, () => {
    simulateLog(`order ${order}`, 9, someDisk(), (world, seed) => {
      const [publishers, clients, records] = seed % 2 === 0 ? [2, 2, 60] : [10, 4, 20];
      const load = new Load(world, { publishers, clients, records, onTopic: { order }, readers: [{}] });
      load.finish();
      const read = load.judge();
      assertEquals(read.length, publishers * records);
      assertEquals(world.broker!.status().ingest.drops, 0);
    });
  });
}

test("connections that break at any moment, and clocks that jump: each record once, to every reader, and time never falls", () => {
  simulateLog("cuts", 14, someDisk(), (world, seed) => {
    const order = ([5, 2, 0, 4] as const)[seed % 4]!;
    const load = new Load(world, {
      publishers: 4,
      clients: 2,
      records: 50,
      onTopic: { order },
      named: seed % 5 === 0,
      readers: [{}, { creditBytes: 200 }],
    });
    load.strikes(6, () => {
      for (const wire of [...world.wires]) if (world.random.chance(0.6)) wire.cut();
      world.wallJumpMs += world.random.pick([-3_600_000, 0, 86_400_000]);
    });
    load.finish();
    assertEquals(load.judge().length, 200);
  });
});

test("scenario 24: batches that outstay the lease are fenced; the suffix is sent anew and ordered once, without a hole", () => {
  let fences = 0;
  const wire = { heldShare: 0.1, holdMsMax: 900, doubledShare: 0.1 };
  simulateLog("lease", 12, someDisk({ wire }), (world, seed) => {
    const order = seed % 2 === 0 ? 5 : 4;
    const load = new Load(world, {
      publishers: 3,
      records: 40,
      onTopic: { order, leaseMs: world.random.pick([100, 300]) },
      // A lost batch is not sent again before its gap is fenced.
      resendTimeoutMs: 100_000,
      readers: [{}],
    });
    load.finish();
    const read = load.judge();
    assertEquals(read.length, 120, "one more than the greatest position is what was submitted");
    fences += load.streams.reduce((sum, { publisher }) => sum + publisher.count("fenced"), 0);
  });
  if (DEFAULT_SEEDS) assertGreater(fences, 10);
});

test("a batch that comes long after its epoch was fenced is never ordered", () => {
  for (const doubledShare of [0, 1]) {
    let sends = 0;
    const world = new LogWorld(`fence ${doubledShare}`, {
      // The first time batch 2 is sent it is underway for a minute, the lease is a second.
      wire: { doubledShare: 0, late: (batch) => batch === 2 && sends++ === 0 ? 60_000 : undefined },
    });
    const load = new Load(world, {
      publishers: 2,
      clients: 2,
      records: 40,
      batchRecordsMax: 4,
      onTopic: { leaseMs: 1_000 },
      resendTimeoutMs: 10_000_000,
      paceMs: 1,
    });
    load.finish();
    assertLess(world.nowMs, 30_000, "nobody waits for the late batch");
    const [first, second] = load.streams;
    const fenced = [first!, second!].filter(({ publisher }) => publisher.count("fenced") === 1);
    assertEquals(fenced.length, 1, "the other session is not fenced");
    assertEquals(fenced[0]!.publisher.events.filter(({ type }) => type !== "opened").length, 1);
    assertEquals(fenced[0]!.publisher.session.epoch, 2);
    world.runFor(120_000);
    assertEquals(load.judge().length, 80);
  }
});

for (const [scenario, how] of [[13, "its sequencer is paused"], [28, "its process stands still"]] as const) {
  test(`scenario ${scenario}: ${how} for longer than every time-out: then all is acknowledged, nothing closed, none fenced`, () => {
    // Long enough for every time-out of both ends, but for the one that forgets sessions.
    const pauseMs = 120_000;
    const broker = { payloadTimeoutMs: 5_000, claimTimeoutMs: 5_000 };
    let paused = 0;
    simulateLog(`pause ${how}`, 8, someDisk({ broker }), (world) => {
      const load = new Load(world, {
        publishers: 4,
        clients: 3,
        records: 40,
        onTopic: { leaseMs: 5_000 },
        readers: [{}],
        closes: false,
      });
      const open = (): boolean => load.streams.every(({ publisher }) => publisher.session.everOpened);
      world.until(() => open() && load.readers[0]!.cursor.state === "flowing", "all to be open");
      const before = load.streams.map(({ publisher }) => publisher.pending).filter((pending) => pending > 0);
      if (before.length > 0) paused++;
      if (how === "its process stands still") world.process.stop();
      else world.pauseSequencers();
      world.runFor(pauseMs);
      assert(!load.done, "nothing was left to be ordered");
      if (how === "its process stands still") world.process.resume();
      else world.resumeSequencers();
      load.finish();
      assertEquals(load.judge().length, 160);
      for (const client of world.clients.slice(0, 4)) assertEquals(client.disconnects, 0);
      for (const { publisher } of load.streams) {
        assertEquals(publisher.events.map(({ type }) => type), ["opened"]);
      }
      assertEquals(world.topic(TOPIC)!.sequencer.counters.fences, 0);
    });
    if (DEFAULT_SEEDS) assertGreater(paused, 3);
  });
}

test("scenario 17: three publishers on a staging pool of one: all complete, pauses = resumes, nothing stays in use", () => {
  let pauses = 0;
  const broker = { stagingBuffers: 1, ringSlots: 2 };
  simulateLog("pool of one", 9, someDisk({ broker, wire: { chunkBytesMax: 300 } }), (world) => {
    const load = new Load(world, { publishers: 3, records: 40, paceMs: 0.5, burst: 20, closes: false });
    load.finish();
    assertEquals(load.judge().length, 120);
    const { staging, ingest } = world.broker!.status();
    assertEquals(staging.pauses, staging.resumes);
    assertEquals(ingest.pauses, ingest.resumes);
    assertEquals([staging.inUse, staging.utilisationPercent, ingest.drops], [0, 0, 0]);
    pauses += ingest.pauses;
  });
  if (DEFAULT_SEEDS) assertGreater(pauses, 10);
});

test("batches read in place survive connections that end in the middle of them, and give all memory back", () => {
  let [recycled, replaced] = [0, 0];
  const broker = ({ pool }: Broker): void => {
    const release = pool.release.bind(pool);
    pool.release = (view, recycle) => {
      if (recycle === false) replaced++;
      else recycled++;
      release(view, recycle);
    };
  };
  simulateLog("in place", 8, { ...LARGE, faults: { broker } }, largeBodies);
  if (DEFAULT_SEEDS) assertGreater(replaced, 8);
  if (DEFAULT_SEEDS) assertGreater(recycled, 8 * 20);
});

test("scenario 7: a ring of n that gets 1 to n before 0 goes on, in a pool of one, and delays nobody else", () => {
  for (const slots of [1, 2, 4, 9]) {
    for (const grantBatchesMax of [slots + 2, 64]) {
      const lateMs = 5_000;
      let late = 0;
      const world = new LogWorld(`ring ${slots} ${grantBatchesMax}`, {
        broker: { ringSlots: slots, stagingBuffers: 1, grantBatchesMax, holdBatchesMax: grantBatchesMax },
        // Of whoever sends the first one.
        wire: { late: (batch) => batch === 0 && late++ === 0 ? lateMs : undefined },
      });
      const options = { batchRecordsMax: 1, resendTimeoutMs: 60_000, paceMs: 1, burst: 1 };
      const first = new Load(world, {
        ...options,
        publishers: 1,
        records: slots + 1,
        windowBatches: slots + 1,
      });
      const { publisher } = first.streams[0]!;
      const { held } = { held: () => world.topic(TOPIC)?.sequencer.counters.heldNow ?? 0 };
      world.until(() => held() === slots, "1 to n to be held");
      const heldMs = world.nowMs;
      const second = new Load(world, { ...options, publishers: 1, records: 30, windowBatches: 1 });
      second.finish();
      assertLess(world.nowMs, heldMs + lateMs / 2, "the second session waited for the first one's gap");
      assertEquals([held(), publisher.session.settledThrough], [slots, 0]);
      first.finish();
      assertEquals(publisher.events.map(({ type }) => type), ["opened"]);
      assertEquals(world.topic(TOPIC)!.sequencer.counters.fences, 0);
    }
  }
});

test("scenario 32: a broker that is closed right behind the last record has acknowledged it all", () => {
  simulateLog("stop", 6, { store: "disk" }, (world) => {
    const load = new Load(world, { publishers: 3, records: 30, closes: false });
    world.until(() => load.streams.every(({ submitted }) => submitted.size === 30), "all to be submitted");
    world.stop();
    world.start();
    load.finish();
    assertEquals(load.judge().length, 90);
    // A log that was closed in order begins no new generation.
    assertEquals(world.topic(TOPIC)!.generation, 1);
  });
});

test("a topic runs as soon as a publisher has given something back, though nothing else may ever happen there", () => {
  const world = new LogWorld("given back");
  const load = new Load(world, { publishers: 2, records: 20, closes: false });
  load.finish();
  world.runFor(10_000);
  const topic = world.topic(TOPIC)!;
  const run = topic.run.bind(topic);
  let runs = 0;
  topic.run = (nowMs) => {
    runs++;
    run(nowMs);
  };
  const ranBy = (act: () => void): boolean => {
    runs = 0;
    act();
    world.loop.flushMicrotasks();
    return runs > 0;
  };
  const [first, second] = load.streams.map(({ publisher: { session: { session, epoch } } }) => ({
    session,
    epoch,
  }));
  const ownerOf = (session: bigint): BrokerConnection =>
    [...world.broker!.connections].find((connection) => connection.find(session) === topic.ingest)!;
  const { sessions } = topic;
  const limit = topic.sequencer.limitOf(first!.session);
  assert(
    ranBy(() => sessions.yielded({ type: "yield", ...first!, limit }, ownerOf(first!.session))),
    "yielded",
  );
  const owner = ownerOf(second!.session);
  assert(ranBy(() => sessions.close({ type: "closeSession", ...second! }, owner, world.nowMs)), "closed");
  assert(ranBy(() => sessions.disconnected(first!.session, ownerOf(first!.session), world.nowMs)), "gone");
});
