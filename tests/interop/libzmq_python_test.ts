import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { freshAddress } from "./support/addresses.ts";
import { converse, LEGAL_PAIRS, MESSAGES, openCouple } from "./support/conversations.ts";
import { findPythonPeer } from "./support/libzmq.ts";
import { PeerProcess } from "./support/peer_process.ts";

// The same conversations with another libzmq: the system's, under Python's binding, with blocking calls.

const command = findPythonPeer();
const skip = command === undefined ? "no Python here has the package zmq" : false;
let peer: PeerProcess | undefined;

for (const pair of LEGAL_PAIRS) {
  for (const bound of ["ours", "theirs"] as const) {
    test(`our ${pair[0]} and the ${pair[1]} of libzmq under Python understand each other, ${bound} bound`, {
      skip,
    }, async () => {
      peer ??= new PeerProcess(command!);
      const couple = await openCouple(peer, pair, { bound, address: freshAddress("tcp") });
      await converse(couple, MESSAGES);
      await Promise.all([couple.ours.close(), couple.theirs.close()]);
    });
  }
}

test("the Python process ends in order", { skip }, async () => {
  assertEquals(await peer?.leave(), 0);
});
