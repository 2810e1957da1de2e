import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { type Expiry, Liveness, type Timings } from "../../src/engine/liveness.ts";
import { type TimerName, TimerTable } from "../../src/engine/timers.ts";

const NAMES: readonly TimerName[] = ["handshake", "heartbeat", "timeout", "ttl"];

test("a fresh table waits for nothing", () => {
  const timers = new TimerTable();
  assertEquals(timers.earliestMs, Infinity);
  for (const name of NAMES) assertEquals([timers.isSet(name), timers.isDue(name, 1e15)], [false, false]);
});

test("the earliest deadline is what is waited for, and each timer has one slot", () => {
  const timers = new TimerTable();
  timers.set("ttl", 30);
  timers.set("heartbeat", 20);
  timers.set("timeout", 40);
  assertEquals(timers.earliestMs, 20);
  timers.set("heartbeat", 50);
  assertEquals(timers.earliestMs, 30);
  timers.stop("ttl");
  assertEquals([timers.earliestMs, timers.isSet("ttl")], [40, false]);
  timers.stopAll();
  assertEquals(timers.earliestMs, Infinity);
});

test("a timer is due at its deadline, not before; a deadline of 0 is one", () => {
  const timers = new TimerTable();
  timers.set("handshake", 10);
  assertEquals([
    timers.isDue("handshake", 9.999),
    timers.isDue("handshake", 10),
    timers.isDue("handshake", 11),
  ], [
    false,
    true,
    true,
  ]);
  timers.set("ttl", 0);
  assertEquals([timers.isSet("ttl"), timers.earliestMs, timers.isDue("ttl", 0)], [true, 0, true]);
});

function livenessOf(timings: Partial<Timings> = {}): Liveness {
  return new Liveness({
    handshakeMs: 0,
    heartbeatIntervalMs: 0,
    heartbeatTimeoutMs: 0,
    heartbeatTtlMs: 0,
    ...timings,
  });
}

/** Everything that is due at `nowMs`. */
function due(liveness: Liveness, nowMs: number, listening = true): Expiry[] {
  const all: Expiry[] = [];
  for (
    let one = liveness.check(nowMs, listening);
    one !== "nothing";
    one = liveness.check(nowMs, listening)
  ) {
    all.push(one);
    if (one !== "ping" && one !== "pong") break;
  }
  return all;
}

test("all times off: nothing is ever due", () => {
  const liveness = livenessOf();
  liveness.started(0);
  liveness.handshaken(0);
  liveness.heard(0);
  assertEquals([liveness.deadlineMs, due(liveness, 1e12)], [Infinity, []]);
});

test("the handshake's deadline is granted a moment once, because input may wait to be looked at", () => {
  const liveness = livenessOf({ handshakeMs: 1_000 });
  liveness.started(500);
  assertEquals(liveness.deadlineMs, 1_500);
  assertEquals(due(liveness, 1_500), []);
  assertEquals(liveness.deadlineMs, 1_510);
  assertEquals(due(liveness, 1_509), []);
  assertEquals(due(liveness, 1_510), ["handshakeTimeout"]);
});

test("what is heard during the handshake renews nothing: a dribbler gains no time", () => {
  const liveness = livenessOf({ handshakeMs: 1_000 });
  liveness.started(0);
  for (let ms = 0; ms <= 1_000; ms += 10) due(liveness, ms);
  assertEquals(due(liveness, 1_010), ["handshakeTimeout"]);
});

test("PINGs go out in every interval, also late ones, never two at once", () => {
  const liveness = livenessOf({ heartbeatIntervalMs: 100 });
  liveness.handshaken(0);
  assertEquals([due(liveness, 99), due(liveness, 100), due(liveness, 150), due(liveness, 230)], [
    [],
    ["ping"],
    [],
    ["ping"],
  ]);
  assertEquals(due(liveness, 5_000), ["ping"], "a process that did not run owes one PING, not fifty");
});

test("silence after a PING ends the connection; any byte before the end takes it back", () => {
  const liveness = livenessOf({ heartbeatIntervalMs: 100, heartbeatTimeoutMs: 50 });
  liveness.handshaken(0);
  due(liveness, 100);
  due(liveness, 150);
  liveness.heard(155);
  assertEquals(due(liveness, 199), [], "heard in the moment of grace");
  due(liveness, 200);
  assertEquals(due(liveness, 250), []);
  assertEquals(due(liveness, 260), ["heartbeatTimeout"]);
});

test("a time-out longer than the interval counts from the first PING that was not answered", () => {
  const liveness = livenessOf({ heartbeatIntervalMs: 100, heartbeatTimeoutMs: 350 });
  liveness.handshaken(0);
  for (const ms of [100, 200, 300, 400]) assertEquals(due(liveness, ms), ["ping"]);
  due(liveness, 450);
  assertEquals(due(liveness, 460), ["heartbeatTimeout"]);
});

test("the peer's promise ends the connection, is renewed by every byte, and may be taken back", () => {
  const liveness = livenessOf();
  liveness.handshaken(0);
  liveness.promised(300, 0);
  liveness.heard(200);
  assertEquals([due(liveness, 310), liveness.deadlineMs], [[], 500]);
  due(liveness, 500);
  assertEquals(due(liveness, 510), ["heartbeatTimeout"]);
  liveness.promised(0, 520);
  assertEquals([liveness.deadlineMs, due(liveness, 1e9)], [Infinity, []]);
});

test("while we do not listen, a peer's silence says nothing, but our PINGs go on", () => {
  const liveness = livenessOf({ heartbeatIntervalMs: 100, heartbeatTimeoutMs: 100 });
  liveness.handshaken(0);
  liveness.promised(150, 0);
  for (let ms = 100; ms <= 3_000; ms += 100) assertEquals(due(liveness, ms, false), ["ping"], `${ms}`);
  assertEquals(due(liveness, 3_050, true), [], "and what was due meanwhile is not due now");
  liveness.stop();
  assertEquals([liveness.deadlineMs, due(liveness, 1e9)], [Infinity, []]);
});

test("a pause that comes and goes puts no PONG off", () => {
  const liveness = livenessOf();
  liveness.handshaken(0);
  const pongs: number[] = [];
  for (let ms = 0; ms <= 2_000; ms += 10) {
    liveness.paused(ms % 20 === 0, ms, false);
    if (due(liveness, ms, false).includes("pong")) pongs.push(ms);
  }
  // Four a second, as far as it is paused just then.
  assertEquals(pongs, [260, 520, 780, 1_040, 1_300, 1_560, 1_820]);
});
