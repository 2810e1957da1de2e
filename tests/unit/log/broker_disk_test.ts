// runtimes: node
import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { scanEntries } from "../../../src/log/order/scan.ts";
import { segmentFileName } from "../../../src/log/store/segment_files.ts";
import type { TopicStore } from "../../../src/log/store/store.ts";
import type { SessionOpened } from "../../../src/log/wire/messages.ts";
import { bodyOf, type Peer, type SeenRecord } from "./broker_peer.ts";
import { BrokerScene, type BrokerSceneOptions } from "./broker_scene.ts";

const TOPIC = "orders";
const LARGE = "x".repeat(900);

function started(
  options: BrokerSceneOptions = {},
): { scene: BrokerScene; peer: Peer; session: SessionOpened } {
  const scene = new BrokerScene({ store: "machine", ...options });
  const peer = scene.peer();
  peer.openTopic();
  return { scene, peer, session: peer.openSession() };
}

/** Everything that can be read, or the code with which the topic is refused. */
function readAll(scene: BrokerScene): readonly SeenRecord[] | string {
  const peer = scene.peer();
  peer.say({ type: "openTopic", request: 1, topic: TOPIC, options: {} });
  scene.until(() => peer.told.length > 0);
  const opened = peer.told.shift()!;
  if (opened.type === "refused") return opened.error.code;
  assert(opened.type === "topicOpened");
  for (let next = opened.earliest; next < opened.tail;) {
    peer.read(next);
    peer.wait("records");
    next = peer.seen.at(-1)!.position + 1n;
  }
  peer.vanish();
  return peer.seen;
}

/** A small log of one segment: 8 batches of 1 and 2 records, two sessions, a consumer that committed. */
function smallLog(
  clean: boolean,
): { readonly scene: BrokerScene; readonly content: Uint8Array; readonly written: readonly SeenRecord[] } {
  const { scene, peer, session } = started({ topic: { ack: 1, syncIntervalMs: 0 } });
  peer.publish(session, 0, "r0");
  peer.publish(session, 1, "r1", "r2");
  scene.settle();
  peer.say({ type: "openConsumer", request: 5, topic: TOPIC, consumer: "c" });
  scene.settle();
  const { handle, epoch } = peer.take("consumerOpened")[0]!;
  peer.say({ type: "commit", request: 6, handle, epoch, position: 1n, generation: 1 });
  peer.wait("done");
  const other = peer.openSession();
  peer.publish(other, 0, "r3", "r4");
  peer.publish(session, 2, "r5");
  scene.settle();
  if (clean) scene.close();
  else scene.kill();
  const written = ["r0", "r1", "r2", "r3", "r4", "r5"].map((value, at) => ({ position: BigInt(at), value }));
  return { scene, content: scene.disk.content(TOPIC, segmentFileName(0))!, written };
}

test("every byte of a small log's tail cut: what is whole is there, nothing else, and it goes on", () => {
  for (const clean of [false, true]) {
    const { scene, content, written } = smallLog(clean);
    let whole = 0;
    for (let bytes = content.length; bytes > 0; bytes -= !clean && bytes > content.length - 300 ? 1 : 9) {
      scene.disk.put(TOPIC, segmentFileName(0), content.slice(0, bytes));
      scene.restart();
      const seen = readAll(scene);
      if (typeof seen === "string") {
        assertEquals(seen, "ERR_LOG_CORRUPT");
        continue;
      }
      assertEquals(seen, written.slice(0, seen.length), `${bytes} bytes`);
      if (seen.length === written.length) whole++;
      if (bytes % 8 > 1) continue;
      const peer = scene.peer();
      const session = peer.openSession();
      peer.publish(session, 0, "new");
      peer.read(BigInt(seen.length), { waitMs: 1_000 });
      peer.wait("ack");
      peer.wait("records");
      assertEquals(peer.seen, [{ position: BigInt(seen.length), value: "new" }]);
      scene.kill();
    }
    assert(whole > 0);
  }
});

test("any bit of a small log flipped: recovered to the last whole entry or refused, never wrong, never twice", () => {
  const outcomes = { whole: 0, cut: 0, refused: 0 };
  for (const clean of [false, true]) {
    const { scene, content, written } = smallLog(clean);
    const { random } = scene;
    for (let at = 0; at < content.length; at += clean ? 11 : 4) {
      const damaged = content.slice();
      damaged[at]! ^= 1 << random.integer(0, 7);
      scene.disk.put(TOPIC, segmentFileName(0), damaged);
      scene.restart();
      const seen = readAll(scene);
      if (typeof seen === "string") {
        assert(seen === "ERR_LOG_CORRUPT" || seen === "ERR_LOG_FORMAT", seen);
        outcomes.refused++;
        continue;
      }
      assertEquals(seen, written.slice(0, seen.length), `a bit of byte ${at}`);
      outcomes[seen.length === written.length ? "whole" : "cut"]++;
      scene.kill();
    }
  }
  for (const [outcome, count] of Object.entries(outcomes)) assert(count > 8, `${outcome}: ${count}`);
});

test("a flipped bit in a segment that is not read when the log is opened is noticed by who reads it, and by nobody else", () => {
  const { scene, peer, session } = started({ broker: { memoryBytesMax: 65_536 } });
  const values = Array.from({ length: 40 }, (_, at) => `${at}`.padEnd(900, "x"));
  values.forEach((value, at) => {
    peer.publish(session, at, value);
    scene.settle();
  });
  scene.close();
  const names = scene.disk.names(TOPIC);
  assert(names.length > 3);
  // In the first segment's first payload: it is not read when the log is opened.
  const content = scene.disk.content(TOPIC, names[0]!)!;
  const needle = new TextEncoder().encode("0xxxxxxxx");
  const at = content.findIndex((_, place) => needle.every((byte, index) => content[place + index] === byte));
  scene.disk.flipBit(TOPIC, names[0]!, at + 5, 2);
  scene.restart();
  const again = scene.peer();
  again.openTopic();
  again.read(20n);
  again.wait("records");
  assertEquals(again.seen[0], { position: 20n, value: values[20]! });
  again.read(0n);
  assertThrows(() => again.wait("records"), Error, "a body is what its entry says");
});

test("scenario 23: the bytes of a payload, and their checksum, are the publisher's after every stage", () => {
  for (const store of ["memory", "machine"] as const) {
    for (const local of [false, true]) {
      const scene = new BrokerScene({ store });
      const { random } = scene;
      const peer = scene.peer({ local });
      peer.openTopic();
      const session = peer.openSession();
      const bodies = Array.from({ length: 30 }, () => {
        const values = Array.from(
          { length: random.integer(1, 5) },
          () => text(random.integer(0, 150), random),
        );
        return { values, body: bodyOf(values) };
      });
      const reader = scene.peer({ local });
      reader.subscribe();
      scene.settle();
      bodies.forEach(({ values }, at) => {
        peer.publish(session, at, ...values);
        scene.settle();
      });
      const wanted = bodies.map(({ body }) => body);
      assertEquals(reader.bodies, wanted, "live");
      // Peers check every body against the checksum of its entry, which is the publisher's.
      assertEquals(stored(scene), wanted.map((body) => [crc32(body, 0), body]), "in the store");
      const late = scene.peer();
      late.subscribe();
      scene.settle();
      assertEquals(late.bodies, wanted, "out of the store");
      if (store === "memory") continue;
      scene.kill();
      const last = scene.peer();
      last.openTopic();
      last.subscribe();
      scene.settle();
      assertEquals(last.bodies, wanted, "after a restart");
    }
  }
});

/** Checksum and body of every payload in the topic's store. */
function stored(scene: BrokerScene): [number, Uint8Array][] {
  const found: [number, Uint8Array][] = [];
  const store: TopicStore = scene.machine().store;
  for (const { base, bytes } of store.segments) {
    let ended = false;
    const visit = (
      header: { type: string; bodyCrc: number },
      _: number,
      body: Uint8Array | undefined,
    ): undefined => {
      if (header.type === "payload") found.push([header.bodyCrc, body!.slice()]);
    };
    scanEntries({ store, crc32, from: base, to: base + bytes, payloads: true, visit }, (end) => {
      assertEquals(end.fault, undefined);
      ended = true;
    });
    scene.until(() => ended);
  }
  return found;
}

function text(length: number, random: { integer(min: number, max: number): number }): string {
  return String.fromCharCode(...Array.from({ length }, () => random.integer(32, 126)));
}

test("scenario 55: leftovers in the folder are recovered or left alone, never mixed in", () => {
  const { scene, peer, session } = started();
  for (let at = 0; at < 20; at++) peer.publish(session, at, `${at} ${LARGE}`);
  scene.settle();
  const written = readAllOf(scene);
  scene.close();
  const names = scene.disk.names(TOPIC);
  const last = scene.disk.content(TOPIC, names.at(-1)!)!;
  const end = Number(names.at(-1)!.slice(0, 20)) + last.length;
  // Files of no store, an empty file of a crash, one of an earlier run behind a hole, and one that reaches into the next.
  scene.disk.put(TOPIC, "notes.txt", new Uint8Array(100).fill(1));
  scene.disk.put(TOPIC, "123.segment", new Uint8Array(100).fill(2));
  scene.disk.put(TOPIC, segmentFileName(end), new Uint8Array(0));
  scene.restart();
  assertEquals(readAllOf(scene), written);
  scene.close();
  // An older life's segment, whole in itself, where this one's would go on.
  const first = scene.disk.content(TOPIC, names[0]!)!;
  const tail = scene.disk.names(TOPIC).filter((name) => name.endsWith(".segment") && name.length > 20).at(
    -1,
  )!;
  const next = Number(tail.slice(0, 20)) + scene.disk.content(TOPIC, tail)!.length;
  scene.disk.put(TOPIC, segmentFileName(next), first);
  scene.restart();
  const seen = readAll(scene);
  assert(typeof seen !== "string", "what is behind the end of a log that was closed is no part of it");
  assertEquals(seen, written);
  assert(scene.notices.some((notice) => notice.includes("cut at offset")), "and that is reported");
  assertEquals(scene.disk.content(TOPIC, "notes.txt")?.length, 100);
});

function readAllOf(scene: BrokerScene): readonly SeenRecord[] {
  const seen = readAll(scene);
  assert(typeof seen !== "string", `refused: ${seen}`);
  return seen;
}

test("a log is opened without reading what was synced before its last segments", () => {
  const { scene, peer, session } = started({ topic: { ack: 2 } });
  for (let at = 0; at < 100; at++) {
    peer.publish(session, at, LARGE);
    scene.settle();
  }
  scene.kill();
  const before = scene.disk.counts.read;
  const again = scene.peer();
  again.openTopic();
  const { segments } = scene.machine().index;
  assert(segments.length > 10);
  const loaded = segments.filter(({ index }) => index !== undefined).length;
  assert(loaded <= 2, `${loaded} of ${segments.length} segments were replayed`);
  // Each segment's opening, and the last ones as a whole.
  assert(scene.disk.counts.read - before <= segments.length + 4);
  again.read(0n);
  again.wait("records");
  assertEquals(again.seen[0]?.position, 0n);
});

test("scenario 57: to find a session again costs the same however much was committed", () => {
  const costs = [20, 200].map((batches) => {
    const { scene, peer, session } = started({ topic: { ack: 2, segmentBytes: 8_192 } });
    for (let at = 0; at < batches; at++) {
      peer.publish(session, at, LARGE);
      scene.settle();
    }
    peer.vanish();
    const { read } = scene.disk.counts;
    const { eventCount } = scene.loop;
    const again = scene.peer();
    const resumed = again.openSession({ session: session.session, epoch: 1, acknowledged: batches });
    assertEquals(resumed.nextBatch, batches);
    assert(resumed.runs.length <= scene.broker.options.runsKept);
    return { reads: scene.disk.counts.read - read, events: scene.loop.eventCount - eventCount };
  });
  assertEquals(costs, [{ reads: 0, events: 0 }, { reads: 0, events: 0 }]);
});
