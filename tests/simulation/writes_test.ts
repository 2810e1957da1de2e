import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Pull, Push } from "../../src/socket/sockets.ts";
import { World } from "../support/world.ts";
import { messagesIn, Scene } from "./scene.ts";

/** Two connected sockets in a regular world, and the messages of one segment. */
async function connected(world: World): Promise<{ scene: Scene; push: Push; pull: Pull }> {
  const scene = new Scene(world);
  const { context } = scene;
  const pull = scene.add(new Pull({ context }));
  const push = scene.add(new Push({ context }));
  await scene.bind(pull, "sim://work");
  push.connect("sim://work");
  await world.driveTo(Promise.all([push.ready(), pull.ready()]));
  return { scene, push, pull };
}

const MESSAGES = [["one"], ["", "two", ""], ["x".repeat(300), "y"], ["last"]];
const LARGE = new Uint8Array(17_000).fill(0x61);

function received(pull: Pull): string[][] {
  return pull.receiveMany().map((message) => message.map((frame) => new TextDecoder().decode(frame)));
}

test("a segment may be taken in two parts, cut at any byte: its contents arrive unchanged and once", async () => {
  const world = new World(2, { link: { lendChance: 0 } });
  const { scene, push, pull } = await connected(world);
  const link = world.links[0]!;
  let bytes = 0;
  for (let cut = 0; cut === 0 || cut <= bytes; cut++) {
    link.toServer.acceptNext(cut);
    const tap = scene.taps.find(({ side }) => side === "dialled")!;
    const before = tap.handed.length;
    for (const message of MESSAGES) assert(push.trySend(message));
    const got: string[][] = [];
    // What is sent while the rest is lent must wait for it.
    const later = (): boolean => push.trySend([`after ${cut}`]);
    let sent = false;
    world.run(() => {
      if (!sent && tap.handed.length > before) sent = later();
      got.push(...received(pull));
      return got.length === MESSAGES.length + 1;
    }, { waitingFor: `the messages cut at ${cut}` });
    assertEquals(got, [...MESSAGES, [`after ${cut}`]]);
    bytes = tap.handed[before]!.length;
  }
  assert(bytes > 300, "the messages were one segment");
  await scene.end();
});

test("a large body by reference may be cut anywhere, with writev and without", async () => {
  for (const canGather of [true, false]) {
    const world = new World(3, { link: { canGather } });
    const { scene, push, pull } = await connected(world);
    const link = world.links[0]!;
    const total = 12 + 9 + LARGE.length + 7;
    const cuts = [0, 1, 5, 11, 12, 13, 20, 21, 22, 9_000, total - 8, total - 7, total - 6, total - 1];
    for (const cut of cuts) {
      // Without writev each chunk is a write of its own, so the same script cuts others.
      link.toServer.acceptNext(...(canGather ? [cut] : [cut % 12, cut, cut % 7]));
      push.trySend("front");
      push.trySend(LARGE);
      push.trySend("behind");
      const got: Uint8Array[][] = [];
      world.run(() => {
        got.push(...pull.receiveMany());
        return got.length === 3;
      }, { waitingFor: `a body cut at ${cut}` });
      assertEquals(got[1]![0]!.length, LARGE.length);
      assert(got[1]![0]!.every((byte) => byte === 0x61), `cut at ${cut}`);
      assertEquals(new TextDecoder().decode(got[2]![0]), "behind");
    }
    await scene.end();
  }
});

test("a connection that breaks at any byte of a segment loses that segment at most, and never delivers half a message", async () => {
  const bytes = MESSAGES.reduce((sum, frames) => {
    return sum + frames.reduce((all, frame) => all + frame.length + (frame.length > 255 ? 9 : 2), 0);
  }, 0);
  for (let at = 0; at <= bytes; at += 1) {
    for (const keepsFlight of [true, false]) {
      const world = new World(at);
      const { scene, push, pull } = await connected(world);
      const lane = world.links[0]!.toServer;
      lane.breakAt(lane.sentBytes + at, { keepsFlight });
      for (const message of MESSAGES) assert(push.trySend(message));
      world.runFor(1);
      assert(push.trySend("first of the next"));
      const got: string[][] = [];
      world.run(() => {
        got.push(...received(pull));
        return got.at(-1)?.[0] === "first of the next";
      }, { waitingFor: `the next connection after a break at ${at}` });
      const [first] = scene.taps.filter(({ side }) => side === "dialled");
      const whole = keepsFlight
        ? messagesIn([concatenated(first!.handed).slice(0, lane.sentBytes)]).length
        : 0;
      if (keepsFlight) {
        assertEquals(got, [...MESSAGES.slice(0, whole), ["first of the next"]], `break at ${at}`);
      } else assertEquals(got.slice(0, -1), MESSAGES.slice(0, got.length - 1), `break at ${at}`);
      await scene.end();
    }
  }
});

function concatenated(chunks: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
}

test("a receiver that stops fills the buffers and the marks; when it goes on, everything arrives unchanged", async () => {
  const world = new World(5, { link: { bufferBytes: 219_000, latencyMsMax: 1 } });
  const scene = new Scene(world);
  const { context } = scene;
  const pull = scene.add(new Pull({ context, receiveHighWaterMark: 10, pendingBytesMax: 100_000 }));
  const push = scene.add(new Push({ context, sendHighWaterMark: 10 }));
  await scene.bind(pull, "sim://work");
  push.connect("sim://work");
  const size = 1_000;
  let sent = 0;
  let refusedAtMs = 0;
  world.run(() => {
    while (push.trySend(new Uint8Array(size).fill(sent & 0xff))) sent++, refusedAtMs = world.nowMs;
    return world.nowMs > refusedAtMs + 1_000 || (world.host.schedule(10, () => {}, true), false);
  });
  const full = sent;
  assert(full * size > 219_000 + 100_000, `only ${full} were sent`);
  assert(
    full * size < 219_000 + 100_000 + 2 * 65_536 + 30 * size,
    `${full} were sent to a receiver that reads none`,
  );
  let count = 0;
  world.run(() => {
    while (sent < full + 500 && push.trySend(new Uint8Array(size).fill(sent & 0xff))) sent++;
    for (let message = pull.tryReceive(); message !== undefined; message = pull.tryReceive()) {
      const [body] = message;
      assertEquals(body!.length, size);
      assert(body!.every((byte) => byte === (count & 0xff)), `message ${count}`);
      count++;
    }
    return count === full + 500;
  }, { waitingFor: "all that was sent" });
  await scene.end();
});

test("one body of 64 MiB arrives through a receiver that stops again and again", async () => {
  const world = new World(6, {
    link: { bufferBytes: 1_048_576, splitBytesMax: 1_048_576, stallChance: 0.2, stallMsMax: 5 },
  });
  const { scene, push, pull } = await connected(world);
  const body = new Uint8Array(64 << 20);
  for (let at = 0; at < body.length; at += 4_099) body[at] = at % 251;
  push.trySend(["head", body, "tail"]);
  let got: Uint8Array[] | undefined;
  world.run(() => (got = pull.tryReceive()) !== undefined, { waitingFor: "the body" });
  assertEquals(got!.length, 3);
  assertEquals(got![1]!.length, body.length);
  for (let at = 0; at < body.length; at += 4_099) {
    if (got![1]![at] !== at % 251) throw new Error(`byte ${at} is wrong`);
  }
  await scene.end();
});
