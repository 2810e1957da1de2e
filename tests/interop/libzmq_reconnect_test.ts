import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { freshAddress } from "./support/addresses.ts";
import { hexOfText } from "./support/bodies.ts";
import { until } from "./support/deadline.ts";
import { nextEvent } from "./support/events.ts";
import { hasNodePeer, startNodePeer } from "./support/libzmq.ts";
import type { PeerProcess } from "./support/peer_process.ts";
import { OwnSpeaker, PeerSpeaker, type Speaker } from "./support/speakers.ts";

// Either side goes away and comes back at the same place.

const skip = hasNodePeer() ? false : "the npm package zeromq does not load in a Node process";
let peer: PeerProcess | undefined;

function libzmq(): PeerProcess {
  return peer ??= startNodePeer();
}

async function tell(from: Speaker, to: Speaker, ...texts: readonly string[]): Promise<void> {
  for (const text of texts) await from.send([{ text }]);
  assertEquals(await to.receive(texts.length), texts.map((text) => [hexOfText(text)]));
}

/** How often libzmq reported `event` of a socket. */
function heardOf(speaker: PeerSpeaker, event: string): number {
  return libzmq().events.filter((line) => line === `${speaker.name} ${event}`).length;
}

for (const scheme of ["tcp", "ipc"] as const) {
  test(
    `libzmq finds our socket again after it was closed and bound anew over ${scheme}`,
    { skip },
    async () => {
      const theirs = await PeerSpeaker.open(libzmq(), "DEALER", { reconnectInterval: 10 });
      const first = new OwnSpeaker("DEALER");
      const address = await first.bind(freshAddress(scheme));
      await theirs.connect(address);
      await tell(theirs, first, "to the first");
      await tell(first, theirs, "from the first");
      await first.close();
      await until(() => heardOf(theirs, "disconnect") === 1, "libzmq noticed that we are gone");
      const second = new OwnSpeaker("DEALER");
      await second.bind(address);
      await tell(second, theirs, "from the second");
      await tell(theirs, second, "to", "the", "second");
      await Promise.all([second.close(), theirs.close()]);
    },
  );

  test(
    `what was sent while libzmq was away is delivered when it is bound again over ${scheme}`,
    { skip },
    async () => {
      const crashing = startNodePeer();
      const first = await PeerSpeaker.open(crashing, "PULL");
      const ours = new OwnSpeaker("PUSH", { reconnectInterval: 10 });
      const address = await first.bind(freshAddress(scheme));
      await ours.connect(address);
      await tell(ours, first, "before");
      const lost = nextEvent(ours.socket, "disconnect");
      await crashing.kill();
      await lost;
      for (const text of ["while", "it was", "away"]) await ours.send([{ text }]);
      const second = await PeerSpeaker.open(libzmq(), "PULL");
      await second.bind(address);
      await tell(ours, second);
      const expected = ["while", "it was", "away"].map((text) => [hexOfText(text)]);
      assertEquals(await second.receive(3), expected);
      await tell(ours, second, "behind");
      await Promise.all([ours.close(), second.close()]);
    },
  );

  test(
    `our bound socket goes on when a libzmq peer crashes and another comes over ${scheme}`,
    { skip },
    async () => {
      const crashing = startNodePeer();
      const first = await PeerSpeaker.open(crashing, "DEALER");
      const ours = new OwnSpeaker("DEALER");
      const address = await ours.bind(freshAddress(scheme));
      await first.connect(address);
      await tell(first, ours, "from the first");
      assertEquals(ours.socket.peers.length, 1);
      const lost = nextEvent(ours.socket, "disconnect");
      await crashing.kill();
      await lost;
      assertEquals(ours.socket.peers.length, 0);
      const second = await PeerSpeaker.open(libzmq(), "DEALER");
      await second.connect(address);
      await tell(ours, second, "to the second");
      await tell(second, ours, "from the second");
      await Promise.all([ours.close(), second.close()]);
    },
  );
}

test("a libzmq SUB subscribes anew at our publisher that was closed and bound again", { skip }, async () => {
  const theirs = await PeerSpeaker.open(libzmq(), "SUB", { reconnectInterval: 10 });
  await theirs.subscribe("news");
  const first = new OwnSpeaker("XPUB");
  const address = await first.bind(freshAddress("tcp"));
  await theirs.connect(address);
  assertEquals(await first.receive(), [[`01${hexOfText("news")}`]]);
  // A libzmq socket looks at a new connection only when it is used: here, while it receives.
  const hearing = theirs.receive();
  hearing.catch(() => {});
  await first.close();
  const second = new OwnSpeaker("XPUB");
  await second.bind(address);
  assertEquals(await second.receive(), [[`01${hexOfText("news")}`]]);
  await second.send([{ text: "news of today" }]);
  assertEquals(await hearing, [[hexOfText("news of today")]]);
  await Promise.all([second.close(), theirs.close()]);
});

test("our SUB subscribes anew at a libzmq publisher that crashed and came back", { skip }, async () => {
  const crashing = startNodePeer();
  const first = await PeerSpeaker.open(crashing, "XPUB");
  const address = await first.bind(freshAddress("tcp"));
  const ours = new OwnSpeaker("SUB", { reconnectInterval: 10 });
  await ours.subscribe("news");
  await ours.connect(address);
  assertEquals(await first.receive(), [[`01${hexOfText("news")}`]]);
  await crashing.kill();
  const second = await PeerSpeaker.open(libzmq(), "XPUB");
  await second.bind(address);
  assertEquals(await second.receive(), [[`01${hexOfText("news")}`]]);
  await tell(second, ours, "news of today");
  await Promise.all([ours.close(), second.close()]);
});

test("a peer that disconnects and connects again is heard again, whoever it is", { skip }, async () => {
  const ours = new OwnSpeaker("PUSH");
  const theirs = await PeerSpeaker.open(libzmq(), "PULL");
  const address = await theirs.bind(freshAddress("tcp"));
  await ours.connect(address);
  await tell(ours, theirs, "before");
  await ours.disconnect(address);
  await ours.connect(address);
  await tell(ours, theirs, "behind");
  await Promise.all([ours.close(), theirs.close()]);

  const bound = new OwnSpeaker("PULL");
  const leaving = await PeerSpeaker.open(libzmq(), "PUSH");
  const place = await bound.bind(freshAddress("tcp"));
  await leaving.connect(place);
  await tell(leaving, bound, "before");
  await leaving.disconnect(place);
  await leaving.connect(place);
  await tell(leaving, bound, "behind");
  await Promise.all([bound.close(), leaving.close()]);
});

test("the libzmq process ends in order", { skip }, async () => {
  assertEquals(await peer?.leave(), 0);
});
