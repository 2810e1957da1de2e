// runtimes: node
import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import type { OperationKind, SimulatedDisk } from "../support/log_disk.ts";
import type { LogError } from "../../src/log/errors.ts";
import { SimulatedConsumer, SimulatedReader } from "./log_reader.ts";
import { acknowledgedAt, DEFAULT_SEEDS, Load, readAll, simulateLog, TOPIC } from "./log_simulate.ts";
import { LogWorld, type LogWorldInit } from "./log_world.ts";

const SEGMENTS = { topics: { "*": { segmentBytes: 8_192 } } };
const DISK: LogWorldInit = { store: "disk", broker: SEGMENTS };

test("a fence survives a restart: what was held never commits, what is sent anew commits once", () => {
  let fences = 0;
  simulateLog(
    "fence and crash",
    14,
    { ...DISK, wire: { heldShare: 0.1, holdMsMax: 1_500 } },
    (world, seed) => {
      const load = new Load(world, {
        publishers: 3,
        records: 40,
        onTopic: { leaseMs: 100, ack: seed % 2 === 0 ? 1 : 2 },
        resendTimeoutMs: 100_000,
        named: seed % 3 === 0,
      });
      load.begin();
      for (let round = 0; round < 3; round++) {
        // While a fence is being stored, or right behind it.
        const before = world.topic(TOPIC)?.sequencer.counters.fences ?? 0;
        const fencing = (): boolean => (world.topic(TOPIC)?.sequencer.counters.fences ?? before) > before;
        world.until(() => load.done || fencing(), "a fence");
        if (load.done) break;
        fences++;
        for (let steps = world.random.integer(0, 12); steps > 0; steps--) world.step();
        if (seed % 2 === 1 && world.random.chance(0.5)) world.powerLoss();
        else world.kill();
        world.runFor(world.random.pick([0, 50]));
        world.start();
        world.until(() => load.done || world.topic(TOPIC) !== undefined, "the topic");
      }
      load.finish();
      // Batches of fenced epochs are still under way.
      world.runFor(3_000);
      assertEquals(load.judge().length, 120);
    },
  );
  if (DEFAULT_SEEDS) assertGreater(fences, 10);
});

for (const ack of [1, 2] as const) {
  test(`scenario 54: ack ${ack}: a sync that fails moves nothing; the store is opened again, and everybody goes on`, () => {
    let failed = 0;
    simulateLog(`sync ${ack}`, 9, DISK, (world, seed) => {
      const load = new Load(world, {
        publishers: 3,
        records: 60,
        onTopic: { ack, syncIntervalMs: 5 },
        readers: [{}],
      });
      load.begin();
      for (let round = 0; round < 3 && !load.done; round++) {
        load.steps(400);
        failOnce(world, "sync");
        if (seed % 2 === 0) load.steps(100);
      }
      load.finish();
      const read = load.judge();
      assertEquals(read.length, 180);
      failed += world.notices.filter((text) => text.includes("opened again")).length;
      if (ack === 1) return;
      world.disk!.fail = undefined;
      // What was acknowledged over the failed sync is on the platter all the same.
      world.powerLoss();
      world.start();
      assertEquals(readAll(world, TOPIC).length, read.length);
    });
    if (DEFAULT_SEEDS) assertGreater(failed, 8);
  });
}

test("a full disk: nothing moves, publishers are told and wait, and all goes on when there is room", () => {
  let full = 0;
  simulateLog("full", 10, DISK, (world, seed) => {
    const load = new Load(world, {
      publishers: 3,
      records: 60,
      onTopic: { ack: seed % 2 === 0 ? 1 : 2 },
      readers: [{}],
      closes: false,
    });
    load.begin();
    const { disk } = world;
    for (let round = 0; round < 3 && !load.done; round++) {
      load.steps(300);
      disk!.spaceBytes = disk!.usedBytes + world.random.integer(0, 1_500);
      world.runFor(world.random.pick([20, 300, 8_000]));
      if (world.random.chance(0.2)) {
        world.kill();
        world.start();
        world.runFor(100);
      }
      disk!.spaceBytes = Infinity;
    }
    load.finish();
    assertEquals(load.judge().length, 180);
    for (const { publisher } of load.streams) {
      full += publisher.count("storeFull");
      assertLess(publisher.count("storeFull") - publisher.count("storeResumed"), 2);
      assertEquals(publisher.lost(), 0);
    }
  });
  if (DEFAULT_SEEDS) assertGreater(full, 8);
});

test("consumers: what was committed is there; who commits what a crash has cut off is told, then or later", () => {
  let [commits, refused] = [0, 0];
  simulateLog("consumers", 24, DISK, (world, seed) => {
    const ack = seed % 4 === 0 ? 2 : 1;
    const load = new Load(world, { publishers: 2, records: 60, onTopic: { ack }, closes: false });
    load.begin();
    const client = world.client();
    const reader = new SimulatedReader(client, TOPIC);
    const consumer = new SimulatedConsumer(client, TOPIC, "bookkeeping");
    let committed = 0n;
    // The program is done with what it had read, at once or when the log has grown again.
    const commitLate = (): void => {
      const run = (): void => void consumer.commit(reader.next!, reader.cursor.generation);
      world.around.later(world.random.pick([0, 250]), run);
    };
    const commit = (): void => {
      if (consumer.error !== undefined) return;
      if (reader.error !== undefined) return commitLate();
      if (reader.next !== undefined && reader.next > committed) {
        committed = reader.next;
        consumer.commit(committed, reader.cursor.generation);
      }
      if (!load.done) world.around.later(5, commit);
    };
    commit();
    for (let round = 0; round < 2 && !load.done; round++) {
      load.steps(250);
      if (world.random.chance(0.8)) world.powerLoss();
      else world.kill();
      world.runFor(world.random.pick([0, 30]));
      world.start();
    }
    load.finish();
    load.settle();
    commits += consumer.commits.length;
    // It has noticed the last crash and come back, so that it is the newcomer who comes last.
    world.runFor(300);
    world.until(() => consumer.handle.state === "open", "the consumer to be open");
    world.until(() => consumer.commits.every(({ outcome }) => outcome !== "pending"), "all commits");
    assertEquals(consumer.error, undefined);
    for (const { outcome } of consumer.commits) {
      if (outcome === "done") continue;
      assert(ack === 1 && (outcome as LogError).code === "ERR_LOG_CUT");
      refused++;
    }
    const done = consumer.commits.filter(({ outcome }) => outcome === "done").at(-1)?.position ?? 0n;
    const next = new SimulatedConsumer(world.client(), TOPIC, "bookkeeping");
    world.until(() => next.opened.length === 1 && consumer.error !== undefined, "a newcomer to take over");
    assertEquals(consumer.error!.code, "ERR_LOG_SUPERSEDED");
    const { position = 0n, tail, committedGeneration } = next.opened[0]!;
    if (ack === 2) assertEquals(position, done);
    const start = { start: "position", from: position, generation: committedGeneration } as const;
    const after = new SimulatedReader(world.client(), TOPIC, start);
    world.until(() => after.error !== undefined || after.next === tail, "the next reader");
    const late = reader.error !== undefined && consumer.commits.at(-1)?.outcome === "done";
    assert(after.error === undefined || late, "nothing was committed that is cut off");
    if (after.error !== undefined) assertEquals([ack, after.error.code], [1, "ERR_LOG_CUT"]);
    load.judge({ lossy: ack === 1 });
  });
  if (DEFAULT_SEEDS) assertGreater(commits, 50);
  if (DEFAULT_SEEDS) assertGreater(refused, 0);
});

test("a consumer that committed what a crash had cut off, when the log had grown again, is told when it comes next", () => {
  let cut = false;
  for (let seed = 1; seed <= 40 && !cut; seed++) {
    const world = new LogWorld(`late commit ${seed}`, DISK);
    const options = {
      publishers: 1,
      records: 60,
      onTopic: { ack: 1, syncIntervalMs: 0 },
      closes: false,
    } as const;
    const load = new Load(world, options);
    load.begin();
    const client = world.client();
    const reader = new SimulatedReader(client, TOPIC);
    const consumer = new SimulatedConsumer(client, TOPIC, "bookkeeping");
    load.finish();
    world.until(() => reader.next === 60n && consumer.handle.state === "open", "the reader");
    world.powerLoss();
    world.start();
    world.until(
      () => world.topic(TOPIC) !== undefined && client.connection.broker !== undefined,
      "the topic",
    );
    // What survives a power loss is chance: perhaps all of it.
    const { visibleTail } = world.topic(TOPIC)!;
    if (visibleTail === 60n) continue;
    cut = true;
    world.until(() => reader.error !== undefined, "the reader to be told");
    const { code, from, to } = reader.error!;
    assertEquals([code, from, to], ["ERR_LOG_CUT", visibleTail, 60n]);
    new Load(world, { ...options, publishers: 2 }).finish();
    const late = consumer.commit(60n, reader.cursor.generation);
    world.until(() => late.outcome !== "pending", "the commit");
    const next = new SimulatedConsumer(world.client(), TOPIC, "bookkeeping");
    world.until(() => next.opened.length === 1, "the next consumer");
    const { position, committedGeneration } = next.opened[0]!;
    if (late.outcome !== "done") {
      assertEquals([(late.outcome as LogError).code, position], ["ERR_LOG_CUT", undefined]);
      continue;
    }
    assertEquals(position, 60n);
    const start = { start: "position", from: 60n, generation: committedGeneration } as const;
    const after = new SimulatedReader(world.client(), TOPIC, start);
    world.until(() => after.error !== undefined, "the next reader to be told");
    assertEquals([after.error!.code, after.error!.from], ["ERR_LOG_CUT", visibleTail]);
  }
  assert(cut, "no power loss cost anything");
});

test("scenario 55: what an earlier life left behind is recovered or left alone, and never mixed in", () => {
  let back = 0;
  simulateLog("leftovers", 14, DISK, (world) => {
    const disk = world.disk!;
    // Nothing of these is a segment of this log.
    disk.put(TOPIC, "notes.txt", new Uint8Array(700).fill(7));
    disk.put(TOPIC, "0000.log.tmp", new Uint8Array(90).fill(1));
    const onTopic = { ack: 2, retention: { bytesMax: 8_192 } } as const;
    const load = new Load(world, { publishers: 2, records: 150, burst: 20, onTopic, closes: false });
    load.begin();
    const removed = new Map<string, Uint8Array>();
    for (let round = 0; round < 3 && !load.done; round++) {
      for (let part = world.random.integer(1, 12); part > 0; part--) {
        load.steps(120);
        for (const name of segmentsOf(disk).slice(0, -1)) removed.set(name, disk.content(TOPIC, name)!);
      }
      if (world.random.chance(0.5)) world.powerLoss();
      else world.kill();
      // Files come back that retention had removed: the folder was not synced, or a backup was laid over it.
      for (let name = lastBefore(disk, removed); name !== undefined; name = lastBefore(disk, removed)) {
        if (world.random.chance(0.3)) break;
        disk.put(TOPIC, name, removed.get(name)!);
        back++;
      }
      world.start();
    }
    load.finish();
    const reader = new SimulatedReader(world.client(), TOPIC);
    world.until(() => world.topic(TOPIC) !== undefined, "the topic");
    const { visibleTail } = world.topic(TOPIC)!;
    world.until(
      () => reader.error !== undefined || reader.next === visibleTail,
      "the reader to reach the end",
    );
    assertEquals(reader.error, undefined);
    const values = acknowledgedAt(load);
    let next = reader.records[0]!.position;
    for (const { position, value } of reader.records) {
      assertEquals(position, next++);
      assertEquals(value, values.get(position) ?? value);
    }
    assertEquals(disk.content(TOPIC, "notes.txt"), new Uint8Array(700).fill(7));
    assertEquals(disk.content(TOPIC, "0000.log.tmp"), new Uint8Array(90).fill(1));
  });
  if (DEFAULT_SEEDS) assertGreater(back, 3);
});

/** The removed segment that ends where the first one begins that is there. */
function lastBefore(disk: SimulatedDisk, removed: ReadonlyMap<string, Uint8Array>): string | undefined {
  const [first] = segmentsOf(disk);
  return [...removed].find(([name, bytes]) => parseInt(name, 10) + bytes.length === parseInt(first!, 10))
    ?.[0];
}

function segmentsOf(disk: SimulatedDisk): string[] {
  return disk.names(TOPIC).filter((name) => name.endsWith(".segment"));
}

test("scenario 55: a log one of whose segments is missing is refused, with the offset, and not read around", () => {
  simulateLog("missing", 4, DISK, (world) => {
    const disk = world.disk!;
    const load = new Load(world, { publishers: 2, records: 200, burst: 20, onTopic: { ack: 2 } });
    load.finish();
    world.stop();
    const segments = segmentsOf(disk);
    assertGreater(segments.length, 2);
    const gone = world.random.pick(segments.slice(1, -1));
    disk.state(TOPIC).entries.delete(gone);
    disk.state(TOPIC).platter.delete(gone);
    world.start();
    const reader = new SimulatedReader(world.client(), TOPIC);
    world.until(() => reader.error !== undefined, "the reader to be told");
    assertEquals(reader.error!.code, "ERR_LOG_CORRUPT");
    assertEquals(reader.records.length, 0);
    assert(reader.error!.message.includes(String(parseInt(gone, 10))), reader.error!.message);
  });
});

/** The next operation of this kind fails while the topic is open. Who opens it over a disk that fails is refused. */
function failOnce(world: LogWorld, kind: OperationKind): void {
  const disk = world.disk!;
  disk.fail = (operation) => {
    if (operation.kind !== kind || world.topic(TOPIC) === undefined) return undefined;
    disk.fail = undefined;
    return { kind: "failed", message: `no ${kind} today` };
  };
}

test("everything at once: kills, power losses, cuts, a full disk, failing writes, restarted programs", () => {
  simulateLog("chaos", 14, DISK, (world, seed) => {
    const order = ([5, 2, 4, 5] as const)[seed % 4]!;
    const load = new Load(world, {
      publishers: 4,
      clients: 3,
      records: 50,
      onTopic: { ack: 2, order, leaseMs: world.random.pick([200, 5_000]) },
      // Only where nothing is overtaken does the last sequence say what is there.
      named: seed % 2 === 0 && order >= 4,
      readers: [{}, { creditBytes: 300 }],
    });
    const disk = world.disk!;
    load.strikes(8, () => {
      disk.spaceBytes = Infinity;
      disk.fail = undefined;
      world.wallJumpMs += world.random.pick([0, 0, -5_000, 60_000]);
      switch (world.random.integer(0, 6)) {
        case 0:
          return world.kill();
        case 1:
          return world.powerLoss();
        case 2:
          return world.cutWires();
        case 3:
          disk.spaceBytes = disk.usedBytes + world.random.integer(0, 2_000);
          return;
        case 4:
          return failOnce(world, "write");
        case 5:
          world.process.stop();
          world.runFor(world.random.pick([10, 2_000]));
          return world.process.resume();
        default: {
          const stream = world.random.pick(load.streams);
          if (stream.init.name === undefined || stream.done) return;
          const { client } = stream.publisher;
          world.killClient(client);
          for (const one of load.streams) if (one.publisher.client === client) one.begin(world.client());
        }
      }
    });
    disk.spaceBytes = Infinity;
    load.finish();
    assertEquals(load.judge({ refusals: true }).length, 200);
    for (const reader of load.readers) assertEquals(reader.error, undefined);
  });
});
