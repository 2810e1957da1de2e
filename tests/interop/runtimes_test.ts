import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { freshAddress } from "./support/addresses.ts";
import { converse, type Couple, LEGAL_PAIRS, MESSAGES, openCouple } from "./support/conversations.ts";
import { PeerProcess } from "./support/peer_process.ts";
import { moduleCommand, OWN_RUNTIME, RUNTIME_NAMES, type RuntimeName, whyNot } from "./support/runtimes.ts";

// This runtime, bound, with the two others, every legal pair. Run on all three, the file covers every couple of runtimes in
// both directions of bind and connect.

const PEER = "tests/interop/hawser_peer";
const peers = new Map<RuntimeName, PeerProcess>();

function peerOn(runtime: RuntimeName): PeerProcess {
  const peer = peers.get(runtime) ?? new PeerProcess(moduleCommand(runtime, PEER));
  peers.set(runtime, peer);
  return peer;
}

async function close({ ours, theirs }: Couple): Promise<void> {
  await Promise.all([ours.close(), theirs.close()]);
}

for (const runtime of RUNTIME_NAMES.filter((name) => name !== OWN_RUNTIME)) {
  const skip = whyNot(runtime, PEER);
  for (const scheme of ["tcp", "ipc"] as const) {
    test(
      `all pairs on ${OWN_RUNTIME} and ${runtime} understand each other over ${scheme}`,
      { skip },
      async () => {
        for (const pair of LEGAL_PAIRS) {
          const couple = await openCouple(peerOn(runtime), pair, {
            bound: "ours",
            address: freshAddress(scheme),
          });
          await converse(couple, MESSAGES);
          await close(couple);
        }
      },
    );
  }

  test(`64 MiB pass between ${OWN_RUNTIME} and ${runtime} in both directions`, { skip }, async () => {
    const couple = await openCouple(peerOn(runtime), ["PAIR", "PAIR"], {
      bound: "ours",
      address: freshAddress("tcp"),
    });
    await converse(couple, [[{ seed: 64, bytes: 64 * 1_048_576 }]]);
    await close(couple);
  });

  test(`the ${runtime} process ends by itself once its sockets are closed`, { skip }, async () => {
    assertEquals(await peerOn(runtime).leave(), 0);
  });
}
