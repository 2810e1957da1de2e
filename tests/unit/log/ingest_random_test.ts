// runtimes: node
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/properties.ts";
import { concat } from "../../../src/bytes/bytes.ts";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { encodeMessage } from "../../../src/log/wire/codec.ts";
import { Random } from "../../support/random.ts";
import { batchBytes, BenchBroker, type BenchConnection, type BenchTopic, onWire } from "./ingest_bench.ts";

const STATUS = onWire(encodeMessage({ type: "status", request: 7 }, crc32));
const CONNECTIONS = 4;
const TOPICS = 2;
const BATCHES = 12;

/** One connection's stream: what it sends, and which of it is good, by session. */
interface Script {
  readonly bytes: Uint8Array;
  readonly good: Map<bigint, number[]>;
  sentBytes: number;
}

function writeScript(random: Random, sessions: readonly bigint[]): Script {
  const parts: Uint8Array[] = [];
  const good = new Map<bigint, number[]>(sessions.map((session) => [session, []]));
  for (let batch = 0; batch < BATCHES; batch++) {
    const session = sessions[random.integer(0, sessions.length - 1)]!;
    const bytes = random.integer(8, 64);
    const kind = random.integer(0, 9);
    if (kind === 0) parts.push(batchBytes(session, batch, 65));
    else if (kind === 1) parts.push(batchBytes(session, batch, bytes, { bodyCrc: 1 }));
    else if (kind === 2) parts.push(batchBytes(99n, batch, bytes));
    else if (kind === 3) parts.push(STATUS);
    else {
      parts.push(batchBytes(session, batch, bytes));
      good.get(session)!.push(batch);
    }
  }
  return { bytes: concat(parts), good, sentBytes: 0 };
}

/** A broker of random size with random streams, driven in random steps. */
class Chaos {
  readonly random: Random;
  readonly broker: BenchBroker;
  readonly topics: BenchTopic[] = [];
  readonly connections: BenchConnection[] = [];
  readonly scripts: Script[] = [];

  constructor(seed: number) {
    this.random = new Random(seed);
    const { random } = this;
    this.broker = new BenchBroker({ buffers: random.integer(1, 5), bufferBytes: 64 });
    for (let topic = 0; topic < TOPICS; topic++) {
      const sessions = Array.from({ length: CONNECTIONS }, (_, connection) => sessionOf(connection, topic));
      this.topics.push(this.broker.topic(random.integer(1, 4), ...sessions));
    }
    for (let at = 0; at < CONNECTIONS; at++) {
      this.connections.push(this.broker.connect({ hold: random.chance(0.5) }));
      this.scripts.push(writeScript(random, [sessionOf(at, 0), sessionOf(at, 1)]));
    }
  }

  /** Some bytes arrive, some messages are looked at, a round runs, a store falls behind, rarely a connection ends. */
  step(): void {
    const { random } = this;
    const at = random.integer(0, CONNECTIONS - 1);
    const connection = this.connections[at]!;
    const topic = this.topics[random.integer(0, TOPICS - 1)]!;
    const kind = random.integer(0, 99);
    if (kind < 45) this.send(at, random.size(200));
    else if (kind < 65) connection.deliver(random.integer(1, 3));
    else if (kind < 90) topic.round(random.integer(1, 3));
    else if (kind < 97) topic.roomNow = random.chance(0.5) ? "wait" : "room";
    else if (!connection.ended) connection[random.chance(0.5) ? "end" : "cut"]();
    this.check();
  }

  send(at: number, bytes: number): void {
    const script = this.scripts[at]!;
    const connection = this.connections[at]!;
    if (connection.ended) return;
    connection.receive(script.bytes.subarray(script.sentBytes, script.sentBytes + bytes));
    script.sentBytes = Math.min(script.bytes.length, script.sentBytes + bytes);
  }

  /** What must hold at any time. */
  check(): void {
    const { counters, pool } = this.broker;
    assertEquals(counters.drops, 0);
    assert(pool.inUse <= pool.buffers);
    const paused = this.connections.filter(({ ingest }) => ingest.state === "waitMemory").length;
    assertEquals(counters.pauses, counters.resumes + counters.pausesEnded + paused);
    const claims = this.topics.reduce((sum, { claims }) => sum + claims.size, 0);
    assertEquals(claims, counters.arriving + counters.waitingForSlot);
    // Memory is held by what is under way, and by nothing else.
    assert(pool.inUse <= claims);
  }

  /** Everything arrives, everybody is served. */
  finish(): void {
    for (const topic of this.topics) topic.roomNow = "room";
    for (let at = 0; at < CONNECTIONS; at++) this.send(at, Infinity);
    for (let left = CONNECTIONS * BATCHES * 4; left > 0; left--) {
      for (const connection of this.connections) connection.deliver();
      for (const topic of this.topics) topic.round();
      this.check();
    }
  }
}

function sessionOf(connection: number, topic: number): bigint {
  return BigInt(connection * TOPICS + topic);
}

test("whatever happens in whatever order: nothing is dropped, doubled, overtaken or left behind", () => {
  let ended = 0;
  let paused = 0;
  let waited = 0;
  const property = fc.property(fc.integer(), fc.integer({ min: 0, max: 300 }), (seed, steps) => {
    const chaos = new Chaos(seed);
    for (let i = 0; i < steps; i++) chaos.step();
    chaos.finish();
    chaos.broker.assertAtRest();
    for (const [at, connection] of chaos.connections.entries()) {
      for (const [session, good] of chaos.scripts[at]!.good) {
        const topic = chaos.broker.topics.get(session)!;
        const got = topic.sequenced.filter((one) => one.session === session).map(({ batch }) => batch);
        // Of a connection that ended half-way a part is lost.
        assertEquals(got, connection.ended ? good.filter((batch) => got.includes(batch)) : good);
      }
      if (connection.ended) ended++;
    }
    const { counters } = chaos.broker;
    assertEquals(counters.refusals.duplicate + counters.payloadTimeouts, 0);
    paused += counters.pauses;
    waited += counters.slotWaits;
  });
  fc.assert(property, { numRuns: 300 });
  for (const count of [ended, paused, waited]) assert(count > 100, "the cases reach what they are for");
});
