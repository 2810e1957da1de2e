import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { Liveness } from "../../src/engine/liveness.ts";

const NEVER = { handshakeMs: 0, heartbeatIntervalMs: 0, heartbeatTimeoutMs: 0, heartbeatTtlMs: 0 };

test("a paused peer gets PONGs unasked, twice as often as it asked, until it is read again", () => {
  const liveness = new Liveness(NEVER);
  liveness.pinged(1_000);
  liveness.pinged(1_100);
  liveness.paused(true, 1_100);
  assertEquals(liveness.deadlineMs, 1_150);
  assertEquals(liveness.check(1_149, false), "nothing");
  assertEquals(liveness.check(1_150, false), "pong");
  assertEquals(liveness.check(1_150, false), "nothing");
  assertEquals(liveness.deadlineMs, 1_200);
  liveness.paused(true, 1_190);
  assertEquals(liveness.deadlineMs, 1_200, "a deadline that runs is not moved");
  liveness.paused(false, 1_190);
  assertEquals(liveness.deadlineMs, Infinity);
});

test("a paused peer that never asked is told four times a second", () => {
  const liveness = new Liveness(NEVER);
  liveness.paused(true, 0);
  assertEquals(liveness.deadlineMs, 250);
});

test("a flood of PINGs does not make us flood", () => {
  const liveness = new Liveness(NEVER);
  for (let ms = 0; ms < 5; ms++) liveness.pinged(ms);
  liveness.paused(true, 100);
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
