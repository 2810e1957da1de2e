import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { freshAddress } from "./support/addresses.ts";
import { describeBodies, hexOfText } from "./support/bodies.ts";
import { until } from "./support/deadline.ts";
import { codeOf, collectEvents, nextEvent } from "./support/events.ts";
import { hasNodePeer, startNodePeer } from "./support/libzmq.ts";
import type { PeerProcess } from "./support/peer_process.ts";
import { Relay } from "./support/relay.ts";
import { OwnSpeaker, PeerSpeaker } from "./support/speakers.ts";

// PING and PONG with libzmq, in both directions.

const skip = hasNodePeer() ? false : "the npm package zeromq does not load in a Node process";
const INTERVAL_MS = 40;
const TIMEOUT_MS = 1_200;
/** As many answers as take longer than the time-out: one that is not disarmed would show. */
const PONGS = 36;
const HEARTBEATS = {
  heartbeatInterval: INTERVAL_MS,
  heartbeatTimeout: TIMEOUT_MS,
  heartbeatTimeToLive: 2_000,
};
let peer: PeerProcess | undefined;

function libzmq(): PeerProcess {
  return peer ??= startNodePeer();
}

async function exchange(one: OwnSpeaker, other: PeerSpeaker, text: string): Promise<void> {
  const hex = hexOfText(text);
  await one.send([{ text }]);
  assertEquals(await other.receive(), [[hex]]);
  await other.send([{ text }]);
  assertEquals(await one.receive(), [[hex]]);
}

for (const bound of ["ours", "theirs"] as const) {
  test(`both sides' PINGs are answered and nobody is given up, ${bound} bound`, { skip }, async () => {
    const ours = new OwnSpeaker("DEALER", HEARTBEATS);
    const theirs = await PeerSpeaker.open(libzmq(), "DEALER", HEARTBEATS);
    const lost = collectEvents(ours.socket, "disconnect");
    const relay = await Relay.open(await (bound === "ours" ? ours : theirs).bind(freshAddress("tcp")));
    await (bound === "ours" ? theirs : ours).connect(relay.endpoint);
    await exchange(ours, theirs, "before");
    const pongs = (): number => Math.min(relay.inward.of("PONG"), relay.outward.of("PONG"));
    await until(() => pongs() >= PONGS, `${PONGS} PONGs passed in both directions`);
    assertEquals(lost, []);
    assertEquals(libzmq().events.filter((event) => event === `${theirs.name} disconnect`), []);
    await exchange(ours, theirs, "behind");
    await Promise.all([ours.close(), theirs.close()]);
    await relay.close();
  });
}

test("PINGs of libzmq alone are answered by a socket without heartbeats of its own", { skip }, async () => {
  const ours = new OwnSpeaker("PULL");
  const theirs = await PeerSpeaker.open(libzmq(), "PUSH", HEARTBEATS);
  const relay = await Relay.open(await ours.bind(freshAddress("tcp")));
  await theirs.connect(relay.endpoint);
  await until(() => relay.outward.of("PONG") >= PONGS, `we answered ${PONGS} times`);
  assertEquals(libzmq().events.filter((event) => event === `${theirs.name} disconnect`), []);
  assertEquals(relay.outward.of("PING"), 0);
  await Promise.all([ours.close(), theirs.close()]);
  await relay.close();
});

test("libzmq gets its PONGs from an application of ours that has stopped to receive", { skip }, async () => {
  const ours = new OwnSpeaker("PULL", { receiveHighWaterMark: 10 });
  const theirs = await PeerSpeaker.open(libzmq(), "PUSH", {
    heartbeatInterval: INTERVAL_MS,
    heartbeatTimeout: TIMEOUT_MS,
  });
  const lost = collectEvents(ours.socket, "disconnect");
  const relay = await Relay.open(await ours.bind(freshAddress("tcp")));
  await theirs.connect(relay.endpoint);
  const texts = Array.from({ length: 300 }, (_, index) => `message ${index}`);
  for (const text of texts) await theirs.send([{ text }]);
  await until(() => relay.outward.of("PONG") >= PONGS, `we answered ${PONGS} times`);
  assertEquals(lost, []);
  assertEquals(await ours.receive(texts.length), texts.map((text) => [hexOfText(text)]));
  await Promise.all([ours.close(), theirs.close()]);
  await relay.close();
});

for (const readsAll of [false, true]) {
  const relayed = readsAll ? "reads all at once and delays" : "takes no more than it passes on";
  test(
    `our PINGs do not end our own large frame on its slow way to libzmq: a relay ${relayed}`,
    { skip },
    async () => {
      const ours = new OwnSpeaker("PUSH", { heartbeatInterval: 50, heartbeatTimeout: 200 });
      const theirs = await PeerSpeaker.open(libzmq(), "PULL");
      const lost = collectEvents(ours.socket, "disconnect");
      // Five times the time-out, and nothing comes back meanwhile.
      const relay = await Relay.open(await theirs.bind(freshAddress("tcp")), { bytesPerMs: 1_000, readsAll });
      await ours.connect(relay.endpoint);
      const messages = [[{ seed: 1, bytes: 1_000_000 }], [{ text: "behind" }]];
      const received = theirs.receive(2);
      received.catch(() => {});
      for (const message of messages) await ours.send(message);
      assertEquals(await received, messages.map(describeBodies));
      await until(() => relay.outward.of("PONG") > 0, "a PING was answered");
      assertEquals(lost, []);
      await Promise.all([ours.close(), theirs.close()]);
      await relay.close();
    },
  );
}

test("a libzmq peer that stops is noticed, and found again when it goes on", { skip }, async () => {
  const stopping = startNodePeer();
  const ours = new OwnSpeaker("DEALER", { heartbeatInterval: INTERVAL_MS, reconnectInterval: 10 });
  const theirs = await PeerSpeaker.open(stopping, "DEALER");
  await ours.connect(await theirs.bind(freshAddress("tcp")));
  await exchange(ours, theirs, "before");
  const lost = nextEvent(ours.socket, "disconnect");
  stopping.pause();
  assertEquals(codeOf((await lost).error), "ERR_PEER_HEARTBEAT_TIMEOUT");
  stopping.resume();
  const back = nextEvent(ours.socket, "handshake");
  await back;
  await exchange(ours, theirs, "behind");
  await ours.close();
  assertEquals(await stopping.leave(), 0);
});

test(
  "a libzmq peer that promised a time to live and stops is noticed without PINGs of ours",
  { skip },
  async () => {
    const stopping = startNodePeer();
    const ours = new OwnSpeaker("DEALER");
    const theirs = await PeerSpeaker.open(stopping, "DEALER", { ...HEARTBEATS, heartbeatTimeToLive: 300 });
    const relay = await Relay.open(await ours.bind(freshAddress("tcp")));
    await theirs.connect(relay.endpoint);
    await until(() => relay.outward.of("PONG") > 0, "we have read a PING");
    const lost = nextEvent(ours.socket, "disconnect");
    stopping.pause();
    assertEquals(codeOf((await lost).error), "ERR_PEER_HEARTBEAT_TIMEOUT");
    stopping.resume();
    await relay.close();
    await ours.close();
    assertEquals(await stopping.leave(), 0);
  },
);

test("both sides notice when nothing passes between them any more", { skip }, async () => {
  const ours = new OwnSpeaker("DEALER", HEARTBEATS);
  const theirs = await PeerSpeaker.open(libzmq(), "DEALER", HEARTBEATS);
  const relay = await Relay.open(await theirs.bind(freshAddress("tcp")));
  await ours.connect(relay.endpoint);
  await exchange(ours, theirs, "before");
  const lost = nextEvent(ours.socket, "disconnect");
  relay.freeze();
  assertEquals(codeOf((await lost).error), "ERR_PEER_HEARTBEAT_TIMEOUT");
  await until(() => libzmq().events.includes(`${theirs.name} disconnect`), "libzmq noticed as well");
  await relay.close();
  await Promise.all([ours.close(), theirs.close()]);
});

test("the libzmq process ends in order", { skip }, async () => {
  assertEquals(await peer?.leave(), 0);
});
