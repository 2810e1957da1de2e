import { test } from "node:test";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { Peer } from "./broker_peer.ts";
import { BrokerScene } from "./broker_scene.ts";

/** Makes a topic with so many records. */
function fill(scene: BrokerScene, records: number): { readonly peer: Peer; readonly generation: number } {
  const peer = scene.peer();
  const { generation } = peer.openTopic();
  const session = peer.openSession();
  for (let batch = 0; batch < records; batch++) peer.publish(session, batch, `record ${batch}`);
  scene.settle();
  peer.take("ack");
  return { peer, generation };
}

test("a reader of a log in memory is told when another one has come in its place, however long that is", () => {
  // Whether the new generation is above or below the old one is chance: seeds with both.
  const above = new Set<boolean>();
  for (let seed = 1; seed <= 12; seed++) {
    const scene = new BrokerScene({ seed });
    const { generation } = fill(scene, 3);
    scene.restart();
    const { peer, generation: now } = fill(scene, 5);
    assertNotEquals(now, generation);
    above.add(now > generation);
    peer.subscribe({ start: "position", from: 3n, generation });
    const { error } = peer.wait("cursorEnded");
    assertEquals([error.code, error.from, error.to], ["ERR_LOG_CUT", 0n, 3n]);
    // Who had read nothing has missed nothing, and who never said what it read is believed.
    for (const [from, told] of [[0n, generation], [3n, 0], [3n, now]] as const) {
      peer.subscribe({ start: "position", from, generation: told });
      assertEquals(peer.wait("subscribed").position, from);
      assert(peer.wait("records").entries.length > 0);
    }
  }
  assertEquals(above.size, 2);
});

test("a log in files begins with generation 1, and a start after a crash is the next one", () => {
  const scene = new BrokerScene({ store: "machine" });
  assertEquals(fill(scene, 1).generation, 1);
  scene.close();
  scene.restart();
  assertEquals(fill(scene, 1).generation, 1);
  scene.kill();
  assertEquals(fill(scene, 1).generation, 2);
});
