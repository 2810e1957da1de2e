/**
 * What becomes of stored payloads that will never be ordered, in a topic on memory.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { Topic } from "../../../src/log/broker/topic.ts";
import { recoverTopic } from "../../../src/log/order/recovery.ts";
import { Sequencer } from "../../../src/log/order/sequencer.ts";
import { TopicState } from "../../../src/log/order/topic_state.ts";
import { MemoryStore } from "../../../src/log/store/memory_store.ts";
import { SegmentPool } from "../../../src/log/store/segment_pool.ts";
import type { BrokerMessage } from "../../../src/log/wire/messages.ts";
import type { Host } from "../../../src/ports.ts";
import { INIT } from "./sequencer_scene.ts";

const BODY = new Uint8Array(64);

/** A topic whose publishers are never further than a call away. */
class Bench {
  readonly topic: Topic;
  readonly told: BrokerMessage[] = [];
  nowMs = 0;

  constructor() {
    // Orders may go beyond the end that a topic gives its segments.
    const options = { segmentBytes: 24_576, memoryBytesMax: 1 << 20 };
    const events = { written: () => {}, synced: () => {}, failed: () => {}, resumed: () => {} };
    const store = new MemoryStore(options, events, new SegmentPool());
    const host: Pick<Host, "nowMs" | "wallMs" | "random"> = {
      nowMs: () => this.nowMs,
      wallMs: () => this.nowMs,
      random: (into) => into.fill(7),
    };
    let topic: Topic | undefined;
    const makeState = (): TopicState => new TopicState(new Sequencer(INIT));
    recoverTopic(
      { topic: "t", store, crc32, nowMs: 0, wallMs: 0, indexRowsMax: 100, makeState },
      (recovered) => {
        assert("state" in recovered);
        topic = new Topic({
          name: "t",
          options: {
            order: 5,
            ack: 1,
            retention: { bytesMax: 16_384, ageMsMax: 0, keepFor: [] },
            segmentBytes: 8_192,
            leaseMs: INIT.leaseMs,
            syncIntervalMs: 0,
          },
          limits: { ringSlots: 64, claimTimeoutMs: 1_000 },
          brokerId: 0,
          store,
          recovered,
          host: host as Host,
          crc32,
          events: { due: () => {}, stopped: () => assert(false) },
        });
      },
    );
    this.topic = topic!;
  }

  open(session: bigint, epoch = 0): void {
    this.topic.sessions.open(
      {
        type: "openSession",
        request: 1,
        topic: "t",
        session,
        publisher: "",
        epoch,
        acknowledged: 0,
        ack: 1,
        windowBatches: 32,
        windowBytes: 10_000,
      },
      this.#client,
      this.nowMs,
    );
  }

  close(session: bigint, epoch: number): void {
    this.topic.sessions.close({ type: "closeSession", session, epoch }, this.#client, this.nowMs);
  }

  /** A batch is stored; it is ordered by the next round. */
  store(session: bigint, epoch: number, batch: number): void {
    const { ingest } = this.topic;
    const message = {
      type: "batch" as const,
      session,
      epoch,
      batch,
      count: 1,
      lastSequence: undefined,
      bodyBytes: BODY.length,
      bodyCrc: crc32(BODY, 0),
    };
    assertEquals(ingest.admit(message), "take");
    ingest.store(ingest.reserve(), message, BODY);
  }

  round(): void {
    this.topic.run(this.nowMs);
  }

  /** Whether every stored payload has its place in the order or is known to have none. */
  assertSettled(): void {
    assertEquals(this.topic.ingest.reaches(-1), -1, "a payload is still believed to be ordered later");
  }

  readonly #client = {
    tell: (message: BrokerMessage): void => void this.told.push(message),
    ackReady: (): void => {},
    sessionIs: (): void => {},
  };
}

test("payloads that a new epoch, a close or a fence gives up hold no segment", () => {
  const ways: readonly [string, (bench: Bench) => void][] = [
    ["a new epoch", (bench): void => bench.open(1n)],
    ["a close", (bench): void => bench.close(1n, 1)],
    ["a fence", (bench): void => {
      bench.nowMs = INIT.leaseMs;
      bench.topic.sessions.expire(bench.nowMs);
    }],
  ];
  for (const [name, end] of ways) {
    const bench = new Bench();
    bench.open(1n);
    bench.store(1n, 1, 0);
    bench.store(1n, 1, 2);
    bench.round();
    assert(bench.topic.ingest.reaches(-1) >= 0, "batch 2 waits for batch 1");
    end(bench);
    bench.round();
    bench.assertSettled();
    // Retention goes on behind what was given up.
    bench.open(2n);
    for (let batch = 0; batch < 400; batch++) {
      bench.store(2n, 1, batch);
      bench.round();
    }
    const [first] = bench.topic.store.segments;
    assert(first!.base > 0, `after ${name} nothing is ever trimmed`);
  }
});

test("a batch that was taken before its epoch was fenced and comes in after it holds no segment", () => {
  const bench = new Bench();
  bench.open(1n);
  bench.store(1n, 1, 2);
  bench.round();
  bench.store(1n, 1, 3);
  bench.nowMs = INIT.leaseMs;
  bench.topic.sessions.expire(bench.nowMs);
  bench.round();
  bench.assertSettled();
});
