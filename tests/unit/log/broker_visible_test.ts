import { test } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import type { Peer } from "./broker_peer.ts";
import { BrokerScene } from "./broker_scene.ts";

const BATCHES = 12;

/** Asks for what stands at `from` and is there now; it must be all that the broker says there is. */
function poll(reader: Peer, from: number): void {
  reader.read(BigInt(from));
  const { tail, entries } = reader.wait("records");
  const seen = reader.seen.length;
  // What it is told of is whole: the peer has compared each body with its checksum and its records with their number.
  assertEquals(seen > from, entries.length > 0);
  assert(tail >= BigInt(seen), "nothing is seen that the tail does not cover");
  assertEquals(tail > BigInt(from), seen > from, "what the tail covers can be read");
}

for (const ack of [1, 2] as const) {
  const crash = ack === 1 ? "kill" : "powerLoss";
  test(`scenario 22: at ack ${ack} a reader that looks all the time sees a record whole, and none that a ${crash} takes back`, () => {
    let partly = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const scene = new BrokerScene({ store: "machine", seed, topic: { ack } });
      const writer = scene.peer();
      writer.openTopic();
      const session = writer.openSession({ windowBatches: BATCHES });
      const reader = scene.peer();
      for (let batch = 0; batch < BATCHES; batch++) {
        writer.publish(session, batch, `record ${batch}`);
        for (let look = scene.random.integer(0, 3); look > 0; look--) {
          scene.steps(scene.random.integer(0, 2));
          poll(reader, reader.seen.length);
        }
      }
      const seen = reader.seen.map(({ value }) => value);
      assertEquals(seen, Array.from(seen, (_, at) => `record ${at}`));
      if (seen.length > 0 && seen.length < BATCHES) partly++;
      scene[crash]();
      const again = scene.peer();
      again.openTopic();
      if (seen.length === 0) continue;
      again.read(0n);
      again.wait("records");
      assertEquals(again.seen.slice(0, seen.length).map(({ value }) => value), seen);
    }
    // Otherwise the looks were all too early or too late to tell anything.
    assertGreater(partly, 3);
  });
}
