// runtimes: node
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { freshAddress } from "./support/addresses.ts";
import type { SocketType } from "../../src/zmtp/socket_type.ts";
import { type Body, describeBodies } from "./support/bodies.ts";
import { openCouple } from "./support/conversations.ts";
import { hasNodePeer, startNodePeer } from "./support/libzmq.ts";
import type { PeerProcess } from "./support/peer_process.ts";

// 64 MiB in one frame, alone and between others, both ways.

const skip = hasNodePeer() ? false : "the npm package zeromq does not load in a Node process";
const LARGE: Body = { seed: 64, bytes: 64 * 1_048_576 };
const AMONG_OTHERS: readonly Body[] = [{ text: "before" }, LARGE, { text: "behind" }];
let peer: PeerProcess | undefined;

const CASES: readonly { readonly pair: readonly [SocketType, SocketType]; readonly said: string }[] = [
  { pair: ["PUSH", "PULL"], said: "from us to libzmq" },
  { pair: ["PULL", "PUSH"], said: "from libzmq to us" },
];

for (const scheme of ["tcp", "ipc"] as const) {
  for (const { pair, said } of CASES) {
    test(`a frame of 64 MiB arrives whole over ${scheme}, ${said}`, { skip }, async () => {
      peer ??= startNodePeer();
      const { ours, theirs } = await openCouple(peer, pair, { bound: "ours", address: freshAddress(scheme) });
      const [sender, receiver] = pair[0] === "PUSH" ? [ours, theirs] : [theirs, ours];
      const received = receiver.receive(2);
      received.catch(() => {});
      await sender.send([LARGE]);
      await sender.send(AMONG_OTHERS);
      assertEquals(await received, [describeBodies([LARGE]), describeBodies(AMONG_OTHERS)]);
      await Promise.all([ours.close(), theirs.close()]);
    });
  }
}

test("the libzmq process ends in order", { skip }, async () => {
  assertEquals(await peer?.leave(), 0);
});
