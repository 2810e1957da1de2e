import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { freshAddress } from "./support/addresses.ts";
import { converse, type Couple, LEGAL_PAIRS, MESSAGES, openCouple } from "./support/conversations.ts";
import { hasNodePeer, startNodePeer } from "./support/libzmq.ts";
import type { PeerProcess } from "./support/peer_process.ts";

// Every legal pair of socket types, ours with libzmq's, in both directions of bind and connect.

const skip = hasNodePeer() ? false : "the npm package zeromq does not load in a Node process";
let peer: PeerProcess | undefined;

async function close({ ours, theirs }: Couple): Promise<void> {
  await Promise.all([ours.close(), theirs.close()]);
}

for (const scheme of ["tcp", "ipc"] as const) {
  for (const pair of LEGAL_PAIRS) {
    for (const bound of ["ours", "theirs"] as const) {
      test(`our ${pair[0]} and libzmq's ${pair[1]} understand each other over ${scheme}, ${bound} bound`, {
        skip,
      }, async () => {
        peer ??= startNodePeer();
        const couple = await openCouple(peer, pair, { bound, address: freshAddress(scheme) });
        await converse(couple, MESSAGES);
        await close(couple);
      });
    }
  }
}

test("the libzmq process ends in order", { skip }, async () => {
  assertEquals(await peer?.leave(), 0);
});
