import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { SocketEvent } from "../../src/session/events.ts";
import { Dealer, Router } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";
import { textOf } from "../unit/building_blocks.ts";
import { Scene } from "./scene.ts";

// A Router can tell a peer whose name is taken, or was taken over, nothing but that it closes. Two that live and have one
// name must not take turns for ever at the speed of their reconnects.

const MINUTE_MS = 60_000;

for (const place of ["sim://router", "inproc://router"]) {
  for (const options of [{}, { reconnectInterval: 10, reconnectMaxInterval: 60_000 }]) {
    test(`two peers of one name at a handover ROUTER displace each other ever less often over ${place}, ${JSON.stringify(options)}`, async () => {
      const world = new World(1);
      const scene = new Scene(world);
      const { context } = scene;
      const router = scene.add(new Router({ context, handover: true }));
      const handshakes: number[] = [];
      router.events.on("handshake", () => void handshakes.push(world.nowMs));
      await scene.bind(router, place);
      const twins = [0, 1].map(() => scene.add(new Dealer({ context, routingId: "twin", ...options })));
      for (const twin of twins) twin.connect(place);
      await world.driveFor(MINUTE_MS);
      const first = handshakes.length;
      assert(first > 2 && first < 40, `${first} switches in a minute`);
      await world.driveFor(MINUTE_MS);
      const second = handshakes.length - first;
      assert(second < 30, `${second} switches in the next minute`);
      // Whoever is left alone gets in, and is served.
      twins[0]!.close();
      await world.driveFor(MINUTE_MS);
      assertEquals(router.peers.length, 1);
      await twins[1]!.send("alone");
      assertEquals(textOf(await world.driveTo(router.receive())), "twin|alone");
      await scene.end();
    });
  }

  test(`a peer whose name is taken asks ever less often, and gets in when it is free, over ${place}`, async () => {
    const world = new World(2);
    const scene = new Scene(world);
    const { context } = scene;
    const router = scene.add(new Router({ context }));
    const refused: SocketEvent[] = [];
    router.events.on("disconnect", (event) => void refused.push(event));
    await scene.bind(router, place);
    const owner = scene.add(new Dealer({ context, routingId: "name" }));
    owner.connect(place);
    await world.driveTo(router.ready());
    const other = scene.add(new Dealer({ context, routingId: "name" }));
    other.connect(place);
    await world.driveFor(MINUTE_MS);
    assert(refused.length > 2 && refused.length < 40, `${refused.length} refusals in a minute`);
    owner.close();
    await other.send("free");
    assertEquals(textOf(await world.driveTo(router.receive())), "name|free");
    await scene.end();
  });
}

test("a connection that lived for half a minute is made again at once, however often that happens", async () => {
  const world = new World(3);
  const scene = new Scene(world);
  const { context } = scene;
  const router = scene.add(new Router({ context }));
  await scene.bind(router, "sim://router");
  const dealer = scene.add(new Dealer({ context, reconnectInterval: 50 }));
  const waits: number[] = [];
  dealer.events.on("connect:retry", ({ interval }) => void waits.push(interval!));
  dealer.connect("sim://router");
  for (let life = 0; life < 12; life++) {
    await world.driveTo(dealer.ready());
    await world.driveFor(30_000);
    world.links.at(-1)!.cut();
    await world.drive(() => waits.length === life + 1);
  }
  for (const wait of waits) assert(wait >= 50 && wait <= 100, `${wait} ms`);
  await scene.end();
});

test("an interval of 0 does not try hundreds of times a second", async () => {
  const world = new World(4);
  const scene = new Scene(world);
  const { context } = scene;
  const dealer = scene.add(new Dealer({ context, reconnectInterval: 0 }));
  const waits: number[] = [];
  dealer.events.on("connect:retry", ({ interval }) => void waits.push(interval!));
  dealer.connect("sim://nobody");
  await world.driveFor(1_000);
  assert(waits.length > 10 && waits.length <= 100, `${waits.length} attempts in a second`);
  for (const wait of waits) assert(wait >= 10, `${wait} ms`);
  assertEquals(dealer.reconnectInterval, 0);
  await scene.end();
});
