import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { range, Scene } from "./sequencer_scene.ts";

test("scenario 35: tables that are full to the last place serve the last as they serve the first, and are empty again", () => {
  const places = 700;
  const scene = new Scene({ sessionsMax: places, grantBatchesMax: 1_024 });
  const { sequencer } = scene;
  const sessions = range(1, places + 1).map(BigInt);
  for (const session of sessions) {
    assertEquals(scene.open(session, { windowBatches: 1 }).kind, "newEpoch", `session ${session}`);
  }
  assertEquals(scene.open(BigInt(places + 1), { windowBatches: 1 }).kind, "full");
  scene.commit();

  // Each in its turn, the last one first; what is ordered of one is acknowledged to it.
  for (const batch of [0, 1, 2]) {
    for (const session of [...sessions].reverse()) assertEquals(scene.send(session, 1, batch), "take");
    scene.settle();
    for (const session of sessions) {
      assertEquals(sequencer.view(session)!.nextBatch, batch + 1, `session ${session}`);
    }
  }
  assertEquals(scene.log.length, 3 * places);
  for (const session of [1n, 350n, BigInt(places)]) {
    const batches = scene.log.filter((one) => one.session === session).map(({ batch }) => batch);
    assertEquals(batches, [0, 1, 2]);
  }

  for (const session of sessions) sequencer.close(session, 1, scene.nowMs);
  scene.expire(scene.init.sessionIdleMs + 1);
  assertEquals(sequencer.counters.sessions, 0);
  assertEquals(scene.open(BigInt(places + 1), { windowBatches: 1 }).kind, "newEpoch");
});
