import { test } from "node:test";
import { Buffer } from "node:buffer";
import { assert, assertEquals } from "@std/assert";
import { Dealer, Publisher, Router, Subscriber, XPublisher, XSubscriber } from "../../src/socket/sockets.ts";
import { textOf } from "../unit/building_blocks.ts";
import { World } from "../support/world.ts";
import { Scene } from "./scene.ts";

// Callers reuse their memory. What a socket keeps of it must be a copy, also where `slice` makes none.

/** As Buffer does it: `slice` is a view. */
class Sliced extends Uint8Array {
  override slice(start: number = 0, end: number = this.length): Uint8Array<ArrayBuffer> {
    return new Sliced(this.buffer as ArrayBuffer, this.byteOffset + start, end - start);
  }
}

const KINDS: readonly (readonly [string, (bytes: number) => Uint8Array])[] = [
  ["Buffer", (bytes) => Buffer.alloc(bytes)],
  ["a Uint8Array whose slice is a view", (bytes) => new Sliced(bytes)],
];
const PLACES = ["sim://place", "inproc://place"];
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function write(into: Uint8Array, letters: string): Uint8Array {
  into.set(new TextEncoder().encode(letters));
  return into;
}

for (const [kind, make] of KINDS) {
  for (const place of PLACES) {
    test(`${kind}, reused for every topic, subscribes to each of them over ${place}`, async () => {
      const world = new World(1);
      const scene = new Scene(world);
      const { context } = scene;
      const xpub = scene.add(new XPublisher({ context, verbosity: "allSubsUnsubs" }));
      await scene.bind(xpub, place);
      const memory = make(1);
      for (const socket of [new Subscriber({ context }), new XSubscriber({ context })]) {
        scene.add(socket).connect(place);
        for (const topic of ["1", "2", "3"]) socket.subscribe(write(memory, topic));
        write(memory, "x");
        const told: string[] = [];
        while (told.length < 3) told.push(textOf(await world.driveTo(xpub.receive())));
        assertEquals(told.sort(), ["\x011", "\x012", "\x013"]);
        for (const topic of ["1", "2", "3"]) socket.unsubscribe(write(memory, topic));
        write(memory, "x");
        while (told.length < 6) told.push(textOf(await world.driveTo(xpub.receive())));
        assertEquals(told.slice(3).sort(), ["\x001", "\x002", "\x003"]);
      }
      await scene.end();
    });

    test(`options keep what ${kind} held when they were set, as peers see over ${place}`, async () => {
      const world = new World(2);
      const scene = new Scene(world);
      const { context } = scene;
      const memory = write(make(2), "me");
      const dealer = scene.add(new Dealer({ context, routingId: memory, metadata: { "X-Is": memory } }));
      const xpub = scene.add(new XPublisher({ context, welcomeMessage: memory }));
      write(memory, "no");
      const router = scene.add(new Router({ context }));
      await scene.bind(router, place);
      dealer.connect(place);
      await dealer.send("hello");
      assertEquals(textOf(await world.driveTo(router.receive())), "me|hello");
      // Only streams tell metadata.
      if (place.startsWith("sim")) assertEquals(text(router.peers[0]!.metadata.get("x-is")!), "me");
      await scene.bind(xpub, `${place}-welcome`);
      for (let turn = 0; turn < 2; turn++) {
        const sub = scene.add(new Subscriber({ context }));
        sub.subscribe("");
        sub.connect(`${place}-welcome`);
        const [welcome] = await world.driveTo(sub.receive());
        assertEquals(text(welcome!), "me");
        welcome!.fill(0);
      }
      await scene.end();
    });

    test(`a ROUTER's peer has the name that ${kind} held at connect, over ${place}`, async () => {
      const world = new World(3);
      const scene = new Scene(world);
      const { context } = scene;
      const dealer = scene.add(new Dealer({ context }));
      const router = scene.add(new Router({ context, mandatory: true }));
      await scene.bind(dealer, place);
      const memory = write(make(2), "id");
      router.connect(place, { routingId: memory });
      write(memory, "no");
      await router.send(["id", "hello"]);
      assertEquals(textOf(await world.driveTo(dealer.receive())), "hello");
      await scene.end();
    });

    test(`what ${kind} held is received as a plain Uint8Array, whose slice is a copy, over ${place}`, async () => {
      const world = new World(4);
      const scene = new Scene(world);
      const { context } = scene;
      const [one, two] = [scene.add(new Dealer({ context })), scene.add(new Dealer({ context }))];
      await scene.bind(one, place);
      two.connect(place);
      for (const bytes of [1, 20_000, 2_000_000]) {
        await world.driveTo(two.send([write(make(bytes), "a"), make(bytes)]));
        await world.driveTo(two.send(write(make(bytes), "a")));
        for (let turn = 0; turn < 2; turn++) {
          for (const frame of await world.driveTo(one.receive())) {
            assert(Object.getPrototypeOf(frame) === Uint8Array.prototype, "a plain Uint8Array");
            assertEquals(frame.length, bytes);
            const copy = frame.slice();
            frame[0] = 0;
            copy[0] = 255;
            assertEquals(frame[0], 0);
          }
        }
      }
      await scene.end();
    });
  }

  test(`${kind} that is reused while somebody waits for a subscription or for room changes neither wait`, async () => {
    const world = new World(5);
    const scene = new Scene(world);
    const { context } = scene;
    const pub = scene.add(new Publisher({ context }));
    await scene.bind(pub, "sim://pub");
    const memory = write(make(2), "ab");
    const subscribed = pub.subscribed(memory);
    write(memory, "no");
    const sub = scene.add(new Subscriber({ context }));
    sub.subscribe("ab");
    sub.connect("sim://pub");
    await world.driveTo(subscribed);

    const router = scene.add(new Router({ context, mandatory: true, sendHighWaterMark: 1 }));
    router.connect("sim://later", { routingId: "ab" });
    await router.send(["ab", "1"]);
    const room = router.waitWritable({ routingId: write(memory, "ab") });
    let told = false;
    room.then(() => told = true);
    // No peer has this name, so waiting for it would be over at once.
    write(memory, "no");
    // Something else changes, and everybody who waits looks again.
    router.linger = 0;
    await world.settle();
    assertEquals(told, false);
    const dealer = scene.add(new Dealer({ context }));
    await scene.bind(dealer, "sim://later");
    await world.driveTo(room);
    await scene.end();
  });
}

test("writing into what an option, a peer or a message shows changes nothing in the socket", async () => {
  const world = new World(6);
  const scene = new Scene(world);
  const { context } = scene;
  const bytes = (letters: string): Uint8Array => new TextEncoder().encode(letters);
  const dealer = scene.add(
    new Dealer({ context, routingId: bytes("me"), metadata: { "X-Is": bytes("me") } }),
  );
  const xpub = scene.add(new XPublisher({ context, welcomeMessage: bytes("me") }));
  for (const shown of [dealer.routingId, dealer.metadata["X-Is"], xpub.welcomeMessage]) {
    (shown as Uint8Array).fill(0);
  }
  for (const shown of [dealer.routingId, dealer.metadata["X-Is"], xpub.welcomeMessage]) {
    assertEquals(text(shown as Uint8Array), "me");
  }
  const router = scene.add(new Router({ context }));
  await scene.bind(router, "inproc://router");
  dealer.connect("inproc://router");
  router.peers[0]!.identity.fill(0);
  assertEquals(text(dealer.routingId as Uint8Array), "me");
  await dealer.send("hello");
  const [id] = await world.driveTo(router.receive());
  id!.fill(0);
  dealer.disconnect("inproc://router");
  // The name is free again: nobody stands under it any more.
  const next = scene.add(new Dealer({ context, routingId: "me" }));
  next.connect("inproc://router");
  await world.driveTo(next.ready());
  await next.send("again");
  assertEquals(textOf(await world.driveTo(router.receive())), "me|again");
  await scene.end();
});
