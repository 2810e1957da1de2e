import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { RESEND_TIMEOUT_MS_MAX } from "../../../src/log/publisher/resend.ts";
import { Scene } from "./publisher_scene.ts";

const TIMEOUT_MS = 100;

/** A session whose first batches are under way, one record each. */
function underWay(batches: number): Scene {
  const scene = new Scene({ resendTimeoutMs: TIMEOUT_MS });
  scene.broker.window = batches;
  scene.link();
  while (scene.toBroker() || scene.toClient());
  for (let at = 0; at < batches; at++) {
    scene.publish(`record ${at}`);
    scene.session.due(scene.nowMs);
  }
  return scene;
}

/** Lets time-outs pass, and takes what goes out: `[when, what]`. Nothing of it arrives. */
function silence(scene: Scene, timeouts: number): [number, string][] {
  const seen: [number, string][] = [];
  for (let count = 0; count < timeouts; count++) {
    scene.wait(scene.session.nextTimeoutMs - scene.nowMs);
    for (const what of scene.sent) seen.push([scene.nowMs, what]);
    scene.wire.length = 0;
  }
  return seen;
}

test("scenario 43: when no answer comes only the head of the line is sent again, after twice as long each time", () => {
  const scene = underWay(10);
  assertEquals(scene.sent.length, 10);
  scene.wire.length = 0;
  const again = silence(scene, 12);
  assertEquals(again.map(([, what]) => what), Array.from({ length: 12 }, () => "batch 1/0"));
  const waits = again.map(([atMs], index) => atMs - (again[index - 1]?.[0] ?? 0));
  const doubled = waits.map((_, tries) => Math.min(TIMEOUT_MS * 2 ** tries, RESEND_TIMEOUT_MS_MAX));
  assertEquals(waits, doubled);
});

test("scenario 43: an answer makes the next one the head of the line, with a short wait, and the others stay where they are", () => {
  const scene = underWay(10);
  // The first one arrives, and is acknowledged late; the rest is lost.
  scene.toBroker();
  scene.wire.length = 0;
  assertEquals(silence(scene, 4).map(([, what]) => what), Array.from({ length: 4 }, () => "batch 1/0"));
  scene.broker.ackAll();
  while (scene.toClient());
  // What the answer has made room for.
  scene.wire.length = 0;
  const answeredMs = scene.nowMs;
  assertEquals(silence(scene, 3).map(([atMs, what]) => [atMs - answeredMs, what]), [
    [TIMEOUT_MS, "batch 1/1"],
    [3 * TIMEOUT_MS, "batch 1/1"],
    [7 * TIMEOUT_MS, "batch 1/1"],
  ]);
  scene.settle();
  scene.expectLog(Array.from({ length: 10 }, (_, at) => `record ${at}`));
});
