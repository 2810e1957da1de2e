import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { TraceRecord } from "../../src/ports.ts";
import { SOCKET_EVENT_TYPES, type SocketEvent } from "../../src/session/events.ts";
import { Context } from "../../src/socket/context.ts";
import { Pull, Push } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";

test("a host that watches hears of every event, and of every state of what connects, with the socket it belongs to", async () => {
  const world = new World(1);
  const records: TraceRecord[] = [];
  const host = { ...world.host, trace: (record: TraceRecord): void => void records.push(record) };
  const context = new Context({ host, transports: { sim: world.network } });
  const [pull, push] = [new Pull({ context }), new Push({ context, reconnectInterval: 50 })];
  const events: SocketEvent[] = [];
  for (const socket of [pull, push]) {
    for (const type of SOCKET_EVENT_TYPES) socket.events.on(type, (event) => void events.push(event));
  }
  push.connect("sim://work");
  await world.driveFor(10);
  await world.driveTo(pull.bind("sim://work"));
  await world.driveTo(push.ready());
  push.close();
  await world.drive(() => pull.peers.length === 0);
  pull.close();
  await world.driveIdle();
  const traced = records.flatMap((record) => record.kind === "event" ? [record.event] : []);
  assertEquals(traced as SocketEvent[], events);
  assert(events.length >= 10, `${events.length} events`);
  const states = records.flatMap((record) => record.kind === "state" ? [record] : []);
  assertEquals(states.map(({ state }) => state), [
    "dialing",
    "backoff",
    "dialing",
    "handshaking",
    "ready",
    "closed",
  ]);
  assert(states.every(({ address, socketType }) => address === "sim://work" && socketType === "PUSH"));
  assertEquals(new Set(records.map(({ socketType, socketId }) => `${socketType} ${socketId}`)).size, 2);
});
