import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { concat } from "../../src/bytes/bytes.ts";
import type { Message } from "../../src/pattern/pipe/pipe.ts";
import { XPublisher, XSubscriber } from "../../src/socket/sockets.ts";
import { command, greeting, message, RawPeer, ready } from "../conformance/raw_peer.ts";
import { simulate } from "../support/simulate.ts";
import { World } from "../support/world.ts";
import { textOf } from "../unit/building_blocks.ts";
import { Scene } from "./scene.ts";

// What a subscriber says reaches the publisher's application in the order in which it was said: subscriptions in either
// form, and messages of one frame or several, large or small.

/** Given away by reference. A dozen fit into what a socket hands over in one turn. */
const LARGE = "l".repeat(20_000);

/** Frames of the wire, and what the application is to receive. */
const SAID: readonly (readonly [Uint8Array, string])[] = [
  [message("first", "of", "three"), "first|of|three"],
  [command("SUBSCRIBE", new TextEncoder().encode("a")), "\x01a"],
  [message("one frame"), "one frame"],
  [message("\x01b"), "\x01b"],
  [message("two", "frames"), "two|frames"],
  [command("CANCEL", new TextEncoder().encode("a")), "\x00a"],
  [message(LARGE, "and a small one"), `${LARGE}|and a small one`],
  [command("SUBSCRIBE", new TextEncoder().encode("c")), "\x01c"],
  [message("\x00b"), "\x00b"],
  [message("", ""), "|"],
  [command("SUBSCRIBE", new Uint8Array(0)), "\x01"],
  [message("last"), "last"],
];
const STREAM = concat(SAID.map(([bytes]) => bytes));
const EXPECTED = SAID.map(([, text]) => text);

function takeAll(xpub: XPublisher, into: string[]): void {
  for (let one = xpub.tryReceive(); one !== undefined; one = xpub.tryReceive()) into.push(textOf(one));
}

for (const minor of [0, 1]) {
  for (const receiveHighWaterMark of [1, 2, 1_000]) {
    for (const reads of ["along the way", "when everything has arrived"]) {
      test(`XPUB with a mark of ${receiveHighWaterMark} tells what a 3.${minor} peer said in order, read ${reads}`, async () => {
        for (const chunkBytes of [1, 2, 3, 7, 20, 64, 1_000, 65_536, STREAM.length]) {
          // A byte at a time through the large message takes long and shows nothing more.
          const from = chunkBytes < 20 ? message(LARGE, "and a small one").length : 0;
          const said = from === 0 ? SAID : SAID.filter(([, text]) => !text.startsWith(LARGE));
          const stream = concat(said.map(([bytes]) => bytes));
          const world = new World(1);
          const scene = new Scene(world);
          const xpub = scene.add(new XPublisher({ context: scene.context, receiveHighWaterMark }));
          await scene.bind(xpub, "sim://order");
          const peer = RawPeer.connect(world, "sim://order").say(greeting(minor), ready("XSUB"));
          await world.driveTo(xpub.ready());
          const heard: string[] = [];
          for (let at = 0; at < stream.length; at += chunkBytes) {
            peer.say(stream.subarray(at, at + chunkBytes));
            await world.driveIdle();
            if (reads === "along the way") takeAll(xpub, heard);
          }
          for (let before = -1; before < heard.length;) {
            before = heard.length;
            takeAll(xpub, heard);
            await world.driveIdle();
          }
          const expected = said.map(([, text]) => text);
          assertEquals(heard, expected, `chunks of ${chunkBytes}`);
          peer.leave();
          await scene.end();
        }
      });
    }
  }
}

test("what was said together with the handshake, or just before the end, is told in order", async () => {
  for (const receiveHighWaterMark of [1, 1_000]) {
    const world = new World(2);
    const scene = new Scene(world);
    const xpub = scene.add(new XPublisher({ context: scene.context, receiveHighWaterMark }));
    await scene.bind(xpub, "sim://order");
    const peer = RawPeer.connect(world, "sim://order").say(concat([greeting(), ready("XSUB"), STREAM]));
    await world.driveTo(xpub.ready());
    await world.driveIdle();
    peer.leave();
    await world.drive(() => peer.closed);
    const heard: string[] = [];
    takeAll(xpub, heard);
    assertEquals(heard.slice(0, EXPECTED.length), EXPECTED, `a mark of ${receiveHighWaterMark}`);
    // The topics that it held end with it.
    assertEquals(heard.slice(EXPECTED.length).sort(), ["\x00", "\x00c"]);
    await scene.end();
  }
});

/** What an XSUB says one after the other: messages, topics that are new, and cancels of those. */
function converse(world: World, xsub: XSubscriber, from: number, held: string[]): string[] {
  const said: string[] = [];
  // A link of a few bytes at a time would take hours.
  const slow = world.options.link.bufferBytes < 4_096;
  for (let index = from; index < from + 12; index++) {
    const kind = world.random.pick(["small", "parts", "large", "subscribe", "subscribe", "cancel"]);
    if (kind === "subscribe" || (kind === "cancel" && held.length === 0)) {
      xsub.subscribe(`t${index}`);
      held.push(`t${index}`);
      said.push(`\x01t${index}`);
    } else if (kind === "cancel") {
      const topic = held.shift()!;
      xsub.unsubscribe(topic);
      said.push(`\x00${topic}`);
    } else {
      const parts = kind === "small"
        ? [`m${index}`]
        : kind === "parts"
        ? [`m${index}`, "", "end"]
        : [`m${index}`, slow ? "not so large" : LARGE];
      assert(xsub.trySend(parts), "there is room");
      said.push(parts.join("|"));
    }
  }
  return said;
}

for (const place of ["sim://order", "inproc://order"]) {
  test(`XPUB receives over ${place} in the order in which XSUB sent and subscribed`, async () => {
    await simulate("wire order", 25, async (world) => {
      const scene = new Scene(world);
      const { context } = scene;
      const receiveHighWaterMark = world.random.pick([1, 3, 1_000]);
      const xpub = scene.add(new XPublisher({ context, receiveHighWaterMark, verbosity: "allSubsUnsubs" }));
      const xsub = scene.add(new XSubscriber({ context, sendHighWaterMark: 0 }));
      await scene.bind(xpub, place);
      xsub.connect(place);
      await world.driveTo(Promise.all([xsub.ready(), xpub.ready()]));
      const said: string[] = [];
      const heard: Message[] = [];
      const held: string[] = [];
      for (let turn = 0; turn < 5; turn++) {
        const spoken = converse(world, xsub, turn * 12, held);
        said.push(...spoken.filter((_, index) => !isTakenBack(spoken, index)));
        await world.drive(() => {
          for (let one = xpub.tryReceive(); one !== undefined; one = xpub.tryReceive()) heard.push(one);
          return countMessages(heard.map(textOf)) === countMessages(said);
        });
        // The next turn of the loop may hand over as much again.
        await world.driveIdle();
      }
      await world.driveIdle();
      for (let one = xpub.tryReceive(); one !== undefined; one = xpub.tryReceive()) heard.push(one);
      const texts = heard.map(textOf);
      assertEquals(texts.filter((text) => said.includes(text)), said);
      await scene.end();
    });
  });
}

function countMessages(texts: readonly string[]): number {
  return texts.filter((text) => text.startsWith("m")).length;
}

/** Whether a subscription and its cancel were said in one turn: then a peer over a stream may hear of neither. */
function isTakenBack(all: readonly string[], index: number): boolean {
  const text = all[index]!;
  if (text.startsWith("\x01")) return all.includes(`\x00${text.slice(1)}`);
  if (text.startsWith("\x00")) return all.includes(`\x01${text.slice(1)}`);
  return false;
}
