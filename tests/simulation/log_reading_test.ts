import { test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { SimulatedConsumer, SimulatedReader } from "./log_reader.ts";
import { acknowledgedAt, DEFAULT_SEEDS, Load, simulateLog, TOPIC } from "./log_simulate.ts";
import type { LogWorldInit } from "./log_world.ts";

/** Small segments, and a disk that keeps next to nothing of them in memory. */
function smallSegments(seed: number): LogWorldInit {
  const store = seed % 2 === 0 ? "disk" : "memory";
  const memoryBytesMax = store === "disk" ? 65_536 : 4_194_304;
  return { store, broker: { memoryBytesMax, topics: { "*": { segmentBytes: 8_192 } } } };
}

/** Gaps that follow each other with nothing in between are one. */
function gapsOf(told: readonly (readonly [bigint, bigint])[]): string[] {
  const gaps: [bigint, bigint][] = [];
  for (const [from, to] of told) {
    const last = gaps.at(-1);
    if (last?.[1] === from) last[1] = to;
    else gaps.push([from, to]);
  }
  return gaps.map((gap) => gap.join("-"));
}

test("scenario 47: a slow subscriber with little credit gets everything, in order, and delays nobody", () => {
  simulateLog("slow", 10, smallSegments, (world) => {
    const load = new Load(world, {
      publishers: 3,
      records: 80,
      readers: [{ creditBytes: 250 }, { creditBytes: 1_500 }, {}],
    });
    for (const [index, reader] of load.readers.slice(0, 2).entries()) reader.slowMs = 20 + 60 * index;
    load.finish();
    const behind = load.readers[0]!.records.length;
    const read = load.judge();
    assertEquals(read.length, 240);
    assert(behind <= read.length);
    for (const { records } of load.readers) assertEquals(records.length, 240);
  });
});

test("scenario 47: what retention removes before a slow subscriber has it is a gap that it is told, never a silent one", () => {
  let gaps = 0;
  const init = (seed: number): LogWorldInit => {
    const world = smallSegments(seed);
    return { ...world, wire: { heldShare: 0 }, broker: { ...world.broker, sessionsMax: 8 } };
  };
  simulateLog("trimmed", 10, init, (world) => {
    const load = new Load(world, {
      publishers: 3,
      records: 250,
      burst: 30,
      onTopic: { retention: { bytesMax: 8_192 } },
      readers: [{ creditBytes: 250, onTrimmed: "earliest" }, { creditBytes: 250 }],
    });
    for (const reader of load.readers) reader.slowMs = 100;
    load.finish();
    const [goesOn, stops] = load.readers;
    const { visibleTail } = world.topic(TOPIC)!;
    world.until(() => goesOn!.next === visibleTail, "the reader to reach the end");
    world.until(() => stops!.error !== undefined || stops!.next === visibleTail, "the other one to stop");
    const values = acknowledgedAt(load);
    for (const { records, happened, complaints } of load.readers) {
      const told = gapsOf(happened.map(({ error }) => [error.from!, error.to!]));
      const seen: string[] = [];
      // What went before it asked for the earliest is no gap.
      let next = happened[0]?.error.from === 0n ? 0n : records[0]?.position;
      for (const { position, value } of records) {
        if (position !== next) seen.push(`${next}-${position}`);
        next = position + 1n;
        const there = values.get(position);
        if (there !== undefined) assertEquals(value, there);
      }
      assertEquals(seen, told.slice(0, seen.length));
      assertEquals(complaints, []);
    }
    gaps += goesOn!.happened.length;
    assertEquals(stops!.error?.code ?? "ERR_LOG_TRIMMED", "ERR_LOG_TRIMMED");
  });
  if (DEFAULT_SEEDS) assertGreater(gaps, 4);
});

test("a memory that is full, since a slow consumer holds retention: publishers wait, and go on as it commits", () => {
  let full = 0;
  const sizes = { memoryBytesMax: 65_536, holdBytesMax: 16_384, grantBytesMax: 16_384 };
  const broker = { ...sizes, topics: { "*": { segmentBytes: 8_192 } } };
  simulateLog("held", 6, { store: "memory", broker, wire: { delayMsMax: 2, heldShare: 0 } }, (world) => {
    const onTopic = { retention: { keepFor: ["bookkeeping"], bytesMax: 8_192 } };
    const load = new Load(world, { publishers: 2, records: 400, burst: 40, onTopic, readers: [{}] });
    const [reader] = load.readers;
    load.begin();
    const consumer = new SimulatedConsumer(reader!.client, TOPIC, "bookkeeping");
    reader!.slowMs = 8;
    const commit = (): void => {
      const next = reader!.records.at(-1)?.position;
      if (next !== undefined) consumer.commit(next + 1n, reader!.cursor.generation);
      if (reader!.records.length < 800) world.around.later(200, commit);
    };
    commit();
    load.finish();
    world.until(() => reader!.records.length === 800, "the consumer to have everything");
    assertEquals(reader!.happened, [], "nothing was removed before it was read");
    assertEquals(
      reader!.records.map(({ position }) => position),
      Array.from({ length: 800 }, (_, at) => BigInt(at)),
    );
    const values = acknowledgedAt(load);
    assertEquals(values.size, 800);
    for (const { position, value } of reader!.records) assertEquals(value, values.get(position));
    for (const { publisher } of load.streams) full += publisher.count("storeFull");
  });
  if (DEFAULT_SEEDS) assertGreater(full, 3);
});

test("scenario 51: who subscribes before the topic is there, or in the middle, or three times, gets each record once", () => {
  simulateLog("join", 10, smallSegments, (world) => {
    const client = world.client();
    const early = [new SimulatedReader(client, TOPIC), new SimulatedReader(client, TOPIC)];
    world.runFor(world.random.upTo(100));
    assertEquals(world.topic(TOPIC), undefined, "a reader makes no topic");
    const load = new Load(world, { publishers: 3, records: 60, readers: [{}] });
    load.begin();
    for (let steps = world.random.size(1_000); steps > 0 && !load.done; steps--) world.step();
    const middle = new SimulatedReader(client, TOPIC, { start: "latest" });
    const behind = new SimulatedReader(client, TOPIC, { start: "position", from: 7n });
    load.readers.push(...early, middle, behind);
    load.finish();
    assertEquals(load.judge().length, 180);
    for (const reader of [...early, load.readers[0]!]) assertEquals(reader.records.length, 180);
    for (const { records } of [middle, behind]) {
      const first = Number(records[0]?.position ?? 180n);
      assertEquals(records.length, 180 - first);
    }
    if (behind.error === undefined) assertEquals(behind.records[0]!.position, 7n);
    else assertEquals(behind.error.code, "ERR_LOG_CUT", "position 7 was not there yet");
  });
});

test("scenario 63: whoever opens a topic again under load finds it as it is, or is refused; it is never begun anew", () => {
  simulateLog("again", 6, smallSegments, (world) => {
    const onTopic = { order: 4, segmentBytes: 8_192 } as const;
    const load = new Load(world, { publishers: 2, records: 60, onTopic, readers: [{}] });
    load.begin();
    while (!load.done) {
      for (let steps = world.random.size(200); steps > 0 && !load.done; steps--) world.step();
      if (world.clients.length > 12) break;
      const tail = world.topic(TOPIC)!.visibleTail;
      const same = world.client().publisher(TOPIC, { onTopic: { order: 4 } });
      const other = world.client().publisher(TOPIC, { onTopic: { order: 5 } });
      world.until(() => same.session.everOpened && other.session.error !== undefined, "both answers");
      assertEquals(other.session.error!.code, "ERR_LOG_TOPIC");
      assert(world.topic(TOPIC)!.visibleTail >= tail);
      same.close();
    }
    load.finish();
    assertEquals(load.judge().length, 120);
  });
});

test("scenario 64: a handshake and a session whose bytes arrive one by one are opened, and publish", () => {
  simulateLog("bytes", 3, { wire: { chunkBytesMax: 1, bytesMax: 1_048_576 } }, (world, seed) => {
    const load = new Load(world, { publishers: 2, records: 4, named: seed % 2 === 0, readers: [{}] });
    load.finish();
    assertEquals(load.judge().length, 8);
    assertGreater(world.broker!.status().ingest.partialHeaders, 1);
  });
});
