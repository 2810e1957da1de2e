import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { Liveness } from "../../src/engine/liveness.ts";

const NEVER = { handshakeMs: 0, heartbeatIntervalMs: 0, heartbeatTimeoutMs: 0, heartbeatTtlMs: 0 };

test("a paused peer gets PONGs unasked, twice as often as it asked, until it is read again", () => {
  const liveness = new Liveness(NEVER);
  liveness.pinged(1_000);
  liveness.pinged(1_100);
  liveness.paused(true, 1_100, false);
  assertEquals(liveness.deadlineMs, 1_150);
  assertEquals(liveness.check(1_149, false), "nothing");
  assertEquals(liveness.check(1_150, false), "pong");
  assertEquals(liveness.check(1_150, false), "nothing");
  assertEquals(liveness.deadlineMs, 1_200);
  liveness.paused(true, 1_190, false);
  assertEquals(liveness.deadlineMs, 1_200, "a deadline that runs is not moved");
  liveness.paused(false, 1_190, false);
  assertEquals(liveness.deadlineMs, Infinity);
});

test("a paused peer that never asked is told four times a second", () => {
  const liveness = new Liveness(NEVER);
  liveness.paused(true, 0, false);
  assertEquals(liveness.deadlineMs, 250);
});

test("a flood of PINGs does not make us flood", () => {
  const liveness = new Liveness(NEVER);
  for (let ms = 0; ms < 5; ms++) liveness.pinged(ms);
  liveness.paused(true, 100, false);
  assertEquals(liveness.deadlineMs, 110);
});

test("a deadline is granted a little once, because input may be waiting to be read", () => {
  const liveness = new Liveness({ ...NEVER, heartbeatIntervalMs: 100, heartbeatTimeoutMs: 50 });
  liveness.handshaken(0);
  assertEquals(liveness.check(100, true), "ping");
  assertEquals(liveness.check(5_000, true), "ping");
  assertEquals(liveness.check(5_000, true), "nothing");
  assertEquals(liveness.check(5_010, true), "heartbeatTimeout");
});

test("bytes within the grace save the peer", () => {
  const liveness = new Liveness({ ...NEVER, heartbeatIntervalMs: 100, heartbeatTimeoutMs: 50 });
  liveness.handshaken(0);
  assertEquals(liveness.check(100, true), "ping");
  assertEquals(liveness.check(150, true), "nothing");
  liveness.heard(155);
  assertEquals(liveness.check(160, true), "nothing");
});

test("a peer in the middle of whose message we are gets PONGs as long as bytes come, and no longer", () => {
  const liveness = new Liveness(NEVER);
  liveness.heard(0);
  liveness.paused(false, 0, true);
  assertEquals(liveness.check(249, true), "nothing");
  assertEquals(liveness.check(250, true), "pong");
  liveness.heard(400);
  assertEquals(liveness.check(500, true), "pong");
  assertEquals(liveness.check(750, true), "nothing");
  assertEquals(liveness.deadlineMs, Infinity, "nothing came: no timer either");
  liveness.heard(900);
  liveness.paused(false, 900, true);
  assertEquals(liveness.check(900, true), "pong");
  liveness.paused(false, 950, false);
  assertEquals(liveness.deadlineMs, Infinity);
});

test("the time-out of a PING that waits for a write begins anew with each part that is taken, and with the PING itself", () => {
  const liveness = new Liveness({ ...NEVER, heartbeatIntervalMs: 100, heartbeatTimeoutMs: 50 });
  liveness.handshaken(0);
  liveness.writing(0, 90);
  assertEquals(liveness.check(100, true), "ping");
  assertEquals([liveness.pingDue, liveness.deadlineMs], [true, 150]);
  liveness.written(140);
  assertEquals(liveness.deadlineMs, 190);
  liveness.takePing();
  liveness.writing(0, 140);
  liveness.written(180);
  assertEquals(liveness.deadlineMs, 200, "the next PING");
  assertEquals(liveness.check(200, true), "ping");
  assertEquals(liveness.deadlineMs, 230, "the one that is on its way is waited for");
  liveness.written(210);
  assertEquals(liveness.deadlineMs, 230, "whatever else is taken");
});
