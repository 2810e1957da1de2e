import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { SocketEvent } from "../../src/session/events.ts";
import type { Socket } from "../../src/socket/socket.ts";
import { Dealer, Pair, Pull, Push, Router } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";
import { Scene } from "./scene.ts";
import { errorOf, peerOf } from "../support/event_fields.ts";

// What was queued and will not be sent is never dropped in silence, unless the user asked for it.

/** The `drop` events of a socket, and that none comes after `end`. */
function drops(socket: Socket): SocketEvent[] {
  const events: SocketEvent[] = [];
  let ended = false;
  socket.events.on("end", () => void (ended = true));
  socket.events.on("drop", (event) => {
    assert(!ended, "a drop after the end");
    events.push(event);
  });
  return events;
}

function countOf(events: readonly SocketEvent[]): number {
  return events.reduce((sum, event) => sum + (event.type === "drop" ? event.count : 0), 0);
}

/** A receiver that takes one message and reads no more. */
function deaf(scene: Scene): Pull {
  return scene.add(
    new Pull({ context: scene.context, receiveHighWaterMark: 1, pendingBytesMax: 1, linger: 0 }),
  );
}

for (const place of ["sim://nobody", "inproc://nobody"]) {
  for (const lingerMs of [0, 1, 300]) {
    const told = lingerMs === 0 ? "no event" : "an event";
    test(`linger ${lingerMs} over ${place}: ${told} tells how many messages found no receiver`, async () => {
      const world = new World(1);
      const scene = new Scene(world);
      const push = scene.add(new Push({ context: scene.context, linger: lingerMs }));
      const events = drops(push);
      push.connect(place);
      for (let index = 0; index < 7; index++) await push.send(`${index}`);
      await world.driveTo(push[Symbol.asyncDispose]());
      if (lingerMs === 0) {
        assertEquals(events, []);
      } else {
        assertEquals([events.length, countOf(events), events[0]!.address], [1, 7, place]);
        assert(/linger time ran out/.test(errorOf(events[0])!.message));
      }
      await scene.end();
    });
  }
}

for (const binds of [false, true]) {
  for (const lingerMs of [0, 300]) {
    const side = binds ? "an accepted" : "a connected";
    const told = lingerMs === 0 ? "no event" : "an event";
    test(`linger ${lingerMs} with ${side} peer that takes nothing: ${told} names the peer and the count`, async () => {
      const world = new World(2, { link: { bufferBytes: 1_000, canPause: true } });
      const scene = new Scene(world);
      const push = scene.add(
        new Push({ context: scene.context, linger: lingerMs, sendHighWaterMark: 0 }),
      );
      const pull = deaf(scene);
      const events = drops(push);
      await scene.bind(binds ? push : pull, "sim://work");
      (binds ? pull : push).connect("sim://work");
      await world.driveTo(push.ready());
      const [peer] = push.peers;
      const body = new Uint8Array(1_000);
      const sent = 50;
      for (let index = 0; index < sent; index++) await world.driveTo(push.send(body));
      await world.driveFor(1_000);
      await world.driveTo(push[Symbol.asyncDispose]());
      if (lingerMs === 0) {
        assertEquals(events, []);
      } else {
        assertEquals([events.length, events[0]!.address, peerOf(events[0])], [1, "sim://work", peer]);
        const heard = scene.taps.flatMap((tap) => tap.heardMessages).length;
        // A message that left in part is among those that are told as dropped.
        const count = countOf(events);
        assert(count > 0 && heard + count >= sent, `${count} told, ${heard} of ${sent} arrived`);
        assert(count <= sent, `${count} told of ${sent}`);
      }
      await scene.end();
    });
  }
}

test("linger that is long enough tells of no drop", async () => {
  for (const place of ["sim://work", "inproc://work"]) {
    const world = new World(3);
    const scene = new Scene(world);
    const push = scene.add(new Push({ context: scene.context, linger: 5_000 }));
    const events = drops(push);
    push.connect(place);
    for (let index = 0; index < 5; index++) await push.send(`${index}`);
    const gone = push[Symbol.asyncDispose]();
    await world.driveFor(100);
    const pull = scene.add(new Pull({ context: scene.context }));
    await scene.bind(pull, place);
    await world.driveTo(gone);
    assertEquals(events, []);
    await world.drive(() => pull.readable);
    assertEquals(pull.receiveMany().length, 5);
    await scene.end();
  }
});

test("messages for a peer that is lost, refused or given up are told of", async () => {
  const world = new World(4, { link: { bufferBytes: 1_000, canPause: true } });
  const scene = new Scene(world);
  const { context } = scene;
  const body = new Uint8Array(1_000);

  // An accepted peer takes its queue with it, and so does a connection with `immediate`, or one that is not made again.
  for (const kind of ["accepted", "immediate", "never again"]) {
    const options = kind === "immediate"
      ? { immediate: true }
      : kind === "never again"
      ? { reconnectInterval: -1 }
      : {};
    const push = scene.add(new Push({ context, sendHighWaterMark: 0, ...options }));
    const events = drops(push);
    const pull = deaf(scene);
    const address = `sim://${kind.replace(" ", "-")}`;
    await scene.bind(kind === "accepted" ? push : pull, address);
    (kind === "accepted" ? pull : push).connect(address);
    await world.driveTo(push.ready());
    for (let index = 0; index < 30; index++) await world.driveTo(push.send(body));
    await world.driveFor(1_000);
    world.links.at(-1)!.cut();
    await world.drive(() => events.length > 0, { waitingFor: `the event of a peer that was ${kind}` });
    assert(countOf(events) > 0 && countOf(events) <= 30, kind);
    assertEquals(events[0]!.address, address);
    push.close();
    pull.close();
  }

  // A name that is taken: the second one's queue is dropped.
  const router = scene.add(new Router({ context, handover: true, mandatory: true, sendHighWaterMark: 0 }));
  const events = drops(router);
  await scene.bind(router, "sim://router");
  const first = scene.add(
    new Dealer({ context, routingId: "id", receiveHighWaterMark: 1, pendingBytesMax: 1 }),
  );
  first.connect("sim://router");
  await world.driveTo(router.ready());
  for (let index = 0; index < 30; index++) await world.driveTo(router.send(["id", body]));
  await world.driveFor(1_000);
  const second = scene.add(new Dealer({ context, routingId: "id", reconnectInterval: -1 }));
  second.connect("sim://router");
  await world.drive(() => events.length > 0);
  assert(/refused/.test(errorOf(events[0])!.message));
  assertEquals(peerOf(events[0])!.identity.length, 2);
  await scene.end();
});

test("inproc: what is queued when the socket is closed as its peer is found is delivered", async () => {
  const world = new World(5);
  const scene = new Scene(world);
  const { context } = scene;
  const pair = scene.add(new Pair({ context, linger: -1 }));
  const events = drops(pair);
  pair.connect("inproc://late");
  await pair.send("queued");
  pair.events.on("handshake", () => pair.close());
  const other = scene.add(new Pair({ context }));
  await scene.bind(other, "inproc://late");
  await world.drive(() => pair.closed);
  assertEquals(other.tryReceive()?.map((frame) => new TextDecoder().decode(frame)), ["queued"]);
  assertEquals(events, []);
  await scene.end();
});
