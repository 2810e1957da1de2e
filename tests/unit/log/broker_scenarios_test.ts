// runtimes: node
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { Order } from "../../../src/log/topic_options.ts";
import type { SessionOpened } from "../../../src/log/wire/messages.ts";
import type { Peer } from "./broker_peer.ts";
import { BrokerScene, type BrokerSceneOptions } from "./broker_scene.ts";

const STORES = ["memory", "process", "machine"] as const;

function started(
  options: BrokerSceneOptions = {},
): { scene: BrokerScene; peer: Peer; session: SessionOpened } {
  const scene = new BrokerScene(options);
  const peer = scene.peer();
  peer.openTopic();
  return { scene, peer, session: peer.openSession() };
}

test("scenario 21: a reader in the same process sees a commit at its very next poll, and nothing before", () => {
  const scene = new BrokerScene();
  const peer = scene.peer({ local: true });
  peer.openTopic();
  const session = peer.openSession();
  const poller = scene.peer({ local: true });
  const follower = scene.peer({ local: true });
  follower.subscribe();
  for (let at = 0; at < 50; at++) {
    peer.publishMore(session, at, `${at}`);
    // It is stored, and the round that orders it is not over.
    poller.read(BigInt(at) + 1n);
    const before = poller.expect("records");
    assertEquals([before.entries.length, before.tail], [0, BigInt(at)]);
    scene.broker.endOfBurst();
    poller.read(BigInt(at));
    assertEquals(poller.expect("records").entries.length, 1);
    assertEquals([poller.seen.at(-1)?.value, follower.seen.at(-1)?.value], [`${at}`, `${at}`]);
  }
});

test("scenario 22: whoever polls while disks are slow sees a record with all of its bytes, or does not see it", () => {
  for (const store of STORES) {
    for (const ack of store === "machine" ? [1, 2] as const : [1] as const) {
      const { scene, peer, session } = started({
        seed: 3,
        store,
        topic: { ack },
        writeBytesMax: 100,
        latencyMsMax: 5,
      });
      const poller = scene.peer();
      let published = 0;
      for (let step = 0; step < 400; step++) {
        if (published < 30 && step % 8 === 0) {
          peer.publish(session, published, `${published++}`.padEnd(300, "."));
        }
        scene.steps(1);
        if (step % 3 > 0) continue;
        poller.read(BigInt(poller.seen.length));
        scene.settle(0);
        for (const { tail, entries } of poller.take("records")) {
          assertEquals(
            poller.seen.length === 0 || entries.length === 0 || tail >= BigInt(poller.seen.length),
            true,
          );
        }
      }
      scene.run(5_000);
      poller.read(BigInt(poller.seen.length));
      scene.settle();
      poller.seen.forEach(({ position, value }, at) => {
        assertEquals([position, value], [BigInt(at), `${at}`.padEnd(300, ".")], "whole, in order, once");
      });
      assert(poller.seen.length > 10, `${poller.seen.length} in ${store}`);
    }
  }
});

test("scenario 50: everything below a frontier that anybody is told can be read at that moment", () => {
  for (const store of STORES) {
    for (const ack of store === "machine" ? [1, 2] as const : [1] as const) {
      const { scene, peer, session } = started({ seed: 5, store, topic: { ack }, writeBytesMax: 150 });
      const reader = scene.peer();
      let told = 0n;
      let published = 0;
      const check = (frontier: bigint): void => {
        if (frontier <= told) return;
        reader.seen.length = 0;
        for (let next = told; next < frontier; next = reader.seen.at(-1)!.position + 1n) {
          reader.read(next);
          assert(reader.wait("records").entries.length > 0, `${next} is below ${frontier}`);
        }
        told = frontier;
      };
      reader.say({ type: "openConsumer", request: 9, topic: "orders", consumer: "c" });
      check(reader.wait("consumerOpened").tail);
      for (let step = 0; step < 200; step++) {
        if (published < 40 && step % 4 === 0) {
          peer.publish(session, published, `${published++}`.padEnd(200, "."));
        }
        scene.steps(1);
        // An acknowledged batch has its position, and that is a frontier.
        for (const { runs } of peer.take("ack")) {
          for (const { batches, position } of runs) check(position + BigInt(batches));
        }
        check(BigInt(scene.topic().tail));
        if (step % 20 > 0) continue;
        const late = scene.peer();
        check(late.openTopic().tail);
        late.vanish();
      }
      assert(told > 20n);
    }
  }
});

test("scenario 53: what is told as synced is never above what is ordered, and the machine's death takes none of it", () => {
  for (const order of [0, 2, 4, 5] as const satisfies readonly Order[]) {
    for (let seed = 1; seed <= 8; seed++) {
      const { scene, peer, session } = started({
        seed,
        store: "machine",
        topic: { order, ack: seed % 2 === 0 ? 2 : 1, syncIntervalMs: 10 },
        writeBytesMax: 300,
      });
      const end = scene.random.integer(20, 200);
      let [sent, synced, committed] = [0, 0, 0];
      for (let step = 0; step < end; step++) {
        if (sent < committed + 8 && scene.random.chance(0.3)) peer.publish(session, sent++, "x".repeat(100));
        scene.steps(1);
        for (const ack of peer.take("ack")) {
          assert(ack.nextSyncedBatch >= synced && ack.nextBatch >= committed, "frontiers rise");
          [synced, committed] = [ack.nextSyncedBatch, ack.nextBatch];
          assert(synced <= committed && committed <= scene.topic().sequencer.assigned);
          assert(
            scene.topic().options.ack === 1 || committed <= synced,
            "at ack 2 nothing is told before it is synced",
          );
        }
      }
      scene.powerLoss();
      const again = scene.peer();
      const { tail } = again.openTopic();
      assert(tail >= BigInt(synced), `${synced} were synced, ${tail} are there`);
      if (synced === 0) continue;
      const resumed = again.openSession({ session: session.session, epoch: 1, acknowledged: synced });
      assert(resumed.nextBatch >= synced && resumed.nextSyncedBatch === resumed.nextBatch);
    }
  }
});

test("scenario 63: a topic that is made twice, by many, while it is being made and under load, is one topic", () => {
  for (const store of STORES) {
    const scene = new BrokerScene({ store });
    const makers = Array.from({ length: 5 }, () => scene.peer());
    makers.forEach((maker, request) => {
      maker.say({ type: "openTopic", request, topic: "orders", options: { order: 4 } });
      scene.steps(request);
    });
    const others = [{ order: 5 }, { order: 4, ack: 0 }] as const;
    const refused = others.map((options) => {
      const peer = scene.peer();
      peer.say({ type: "openTopic", request: 9, topic: "orders", options });
      return peer;
    });
    scene.settle();
    for (const maker of makers) {
      assertEquals(maker.take("topicOpened").map(({ options }) => options.order), [4]);
    }
    for (const peer of refused) {
      const { error } = peer.expectRefused("ERR_LOG_TOPIC", 9);
      assert(/has (order 4, not 5|ack 1, not 0)$/.test(error.message), error.message);
    }
    const [peer] = makers;
    const session = peer!.openSession();
    for (let at = 0; at < 20; at++) {
      peer!.publish(session, at, `${at}`);
      makers[1 + at % 4]!.say({
        type: "openTopic",
        request: at,
        topic: "orders",
        options: at % 2 === 0 ? {} : { order: 4 },
      });
      refused[0]!.say({ type: "openTopic", request: 9, topic: "orders", options: { order: 0 } });
      if (at % 3 === 0) scene.settle();
    }
    scene.settle();
    assertEquals(peer!.take("ack").at(-1)?.nextBatch, 20, "it was not disturbed");
    const opened = makers.slice(1).flatMap((maker) => maker.take("topicOpened"));
    assertEquals(opened.length, 20);
    assertEquals(new Set(opened.map(({ generation }) => generation)).size, 1);
    assertEquals(refused[0]!.take("refused").length, 20);
    // Names that differ in the size of a letter are two topics, also where a system's files do not tell them apart.
    const { tail } = makers[4]!.openTopic("Orders");
    assertEquals([tail, scene.topics.length], [0n, 2]);
    makers[4]!.read(0n);
    makers[4]!.wait("records");
    assertEquals(makers[4]!.seen.map(({ value }) => value), Array.from({ length: 20 }, (_, at) => `${at}`));
  }
});
