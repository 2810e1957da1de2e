/**
 * Requests that wait for a grant, at a broker whose clients come and go.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { BrokerScene } from "./broker_scene.ts";

/** Answers that wait for a link before it is given up. */
const ANSWERS_MAX = 4_096;

test("a link that ends while its waiting requests are answered leaves no session behind that has a link", () => {
  const scene = new BrokerScene({ broker: { grantBatchesMax: 1 } });
  const holder = scene.peer();
  holder.openTopic();
  holder.openSession({ windowBatches: 1 });
  const deaf = scene.peer();
  for (let request = 0; request < 3; request++) deaf.askSession();
  deaf.assertQuiet();
  // It reads nothing any more. As many answers as may wait for it.
  deaf.room = 0;
  for (let told = 0; told < ANSWERS_MAX; told++) {
    deaf.sayMore({ type: "openTopic", request: 9, topic: "orders", options: {} });
  }
  scene.broker.endOfBurst();
  assert(deaf.open);
  holder.vanish();
  scene.settle();
  assert(!deaf.open, "one answer too many");
  assertEquals(scene.topic().sequencer.attached, 0);
  scene.assertNothingHeld();
});
