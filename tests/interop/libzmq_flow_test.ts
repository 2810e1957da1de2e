// runtimes: node
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import type { Pull, Push } from "../../mod.ts";
import { freshAddress } from "./support/addresses.ts";
import { within } from "./support/deadline.ts";
import { hasNodePeer, startNodePeer } from "./support/libzmq.ts";
import type { PeerProcess } from "./support/peer_process.ts";
import { OwnSpeaker, PeerSpeaker } from "./support/speakers.ts";

// Many messages through small high-water marks, with libzmq at the other end: each side stops the other again and again.

const skip = hasNodePeer() ? false : "the npm package zeromq does not load in a Node process";
const MARK = 10;
const MESSAGES = 20_000;
let peer: PeerProcess | undefined;

/** Message number `index` of a flow, as the other side makes it. */
function flowBody(index: number): Uint8Array {
  const body = new Uint8Array(4 + (index * 7_919) % 200).fill(index);
  new DataView(body.buffer).setUint32(0, index);
  return body;
}

for (const scheme of ["tcp", "ipc"] as const) {
  test(
    `${MESSAGES} messages flow to libzmq over ${scheme} through marks of ${MARK}, in order`,
    { skip },
    async () => {
      peer ??= startNodePeer();
      const ours = new OwnSpeaker("PUSH", { sendHighWaterMark: MARK });
      const theirs = await PeerSpeaker.open(peer, "PULL", { receiveHighWaterMark: MARK });
      await ours.connect(await theirs.bind(freshAddress(scheme)));
      const drained = peer.ask({ do: "drain", socket: theirs.name, count: MESSAGES });
      drained.catch(() => {});
      for (let index = 0; index < MESSAGES; index++) {
        await within((ours.socket as Push).send(flowBody(index)), `room for message ${index}`);
      }
      assertEquals(await drained, -1);
      await Promise.all([ours.close(), theirs.close()]);
    },
  );

  test(
    `${MESSAGES} messages flow from libzmq over ${scheme} through marks of ${MARK}, in order`,
    { skip },
    async () => {
      peer ??= startNodePeer();
      const ours = new OwnSpeaker("PULL", { receiveHighWaterMark: MARK });
      const theirs = await PeerSpeaker.open(peer, "PUSH", { sendHighWaterMark: MARK });
      await theirs.connect(await ours.bind(freshAddress(scheme)));
      const poured = peer.ask({ do: "pour", socket: theirs.name, count: MESSAGES });
      for (let index = 0; index < MESSAGES; index++) {
        const [body] = await within((ours.socket as Pull).receive(), `message ${index}`);
        if (Buffer.compare(body!, flowBody(index)) !== 0) {
          assertEquals(body, flowBody(index), `message ${index}`);
        }
      }
      await poured;
      assertEquals((ours.socket as Pull).tryReceive(), undefined);
      await Promise.all([ours.close(), theirs.close()]);
    },
  );
}

test("the libzmq process ends in order", { skip }, async () => {
  assertEquals(await peer?.leave(), 0);
});
