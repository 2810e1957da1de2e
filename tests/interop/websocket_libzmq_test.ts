import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { Pull, Push } from "../../mod.ts";
import { converse, LEGAL_PAIRS, MESSAGES, openCouple } from "./support/conversations.ts";
import { within } from "./support/deadline.ts";
import { hasNodePeer, startNodePeer } from "./support/libzmq.ts";
import type { PeerProcess } from "./support/peer_process.ts";
import { PeerSpeaker } from "./support/speakers.ts";

// The npm package zeromq has libzmq's WebSocket transport, which is in no released libzmq. Every legal pair of socket
// types, in both directions of bind and connect.

const skip = hasNodePeer() ? false : "the npm package zeromq does not load in a Node process";
let peer: PeerProcess | undefined;

for (const pair of LEGAL_PAIRS) {
  for (const bound of ["ours", "theirs"] as const) {
    test(`our ${pair[0]} and libzmq's ${pair[1]} understand each other over ws, ${bound} bound`, {
      skip,
    }, async () => {
      peer ??= startNodePeer();
      const couple = await openCouple(peer, pair, { bound, address: "ws://127.0.0.1:*" });
      await converse(couple, MESSAGES);
      await Promise.all([couple.ours.close(), couple.theirs.close()]);
    });
  }
}

test("libzmq connects to a path of ours", { skip }, async () => {
  peer ??= startNodePeer();
  const pull = new Pull();
  // It asks for no more than the last part of a path.
  await pull.bind("ws://127.0.0.1:*/work");
  const theirPush = await PeerSpeaker.open(peer, "PUSH", {});
  await theirPush.connect(pull.lastEndpoint!);
  await theirPush.send([{ text: "there" }]);
  assertEquals((await within(pull.receive(), "a message")).toString(), "116,104,101,114,101");
  await Promise.all([pull[Symbol.asyncDispose](), theirPush.close()]);
});

/** Long enough for some heartbeats, short enough for a test. */
const BEATS_MS = 600;
const HEARTBEAT = { heartbeatInterval: 20, heartbeatTimeout: 200 };

test("libzmq answers our heartbeats at the level of WebSocket, though it sends nothing else", {
  skip,
}, async () => {
  peer ??= startNodePeer();
  const theirPull = await PeerSpeaker.open(peer, "PULL", {});
  const push = new Push(HEARTBEAT);
  const lost: string[] = [];
  push.events.on("disconnect", ({ error }) => void lost.push(String(error)));
  push.connect(await theirPull.bind("ws://127.0.0.1:*"));
  const endMs = performance.now() + BEATS_MS;
  while (performance.now() < endMs) {
    await push.send(new Uint8Array(300_000));
    await theirPull.receive(1);
  }
  assertEquals(lost, []);
  await Promise.all([push[Symbol.asyncDispose](), theirPull.close()]);
});

test("libzmq's heartbeats over ws are answered, though we send nothing else", { skip }, async () => {
  peer ??= startNodePeer();
  const theirPush = await PeerSpeaker.open(peer, "PUSH", { ...HEARTBEAT, heartbeatTimeToLive: 1_000 });
  const pull = new Pull();
  const lost: string[] = [];
  pull.events.on("disconnect", ({ error }) => void lost.push(String(error)));
  await pull.bind("ws://127.0.0.1:*");
  await theirPush.connect(pull.lastEndpoint!);
  const endMs = performance.now() + BEATS_MS;
  while (performance.now() < endMs) {
    await theirPush.send([{ seed: 1, bytes: 200_000 }]);
    await within(pull.receive(), "a message");
  }
  assertEquals(lost, []);
  await Promise.all([pull[Symbol.asyncDispose](), theirPush.close()]);
});

test("the libzmq process ends in order", { skip }, async () => {
  assertEquals(await peer?.leave(), 0);
});
