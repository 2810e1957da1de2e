import { test } from "node:test";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { StreamPeer } from "../../src/session/stream_peer.ts";
import { Context } from "../../src/socket/context.ts";
import { Dealer, Router } from "../../src/socket/sockets.ts";
import { packMetadata, unpackMetadata } from "../../src/zmtp/metadata.ts";
import { World } from "../support/world.ts";

const METADATA = new Map([
  ["socket-type", Uint8Array.of(0x44, 0x45, 0x41, 0x4c, 0x45, 0x52)],
  ["identity", new Uint8Array(0)],
  // Names may hold any byte, and values be larger than one length byte tells.
  ["x-\u00e9\u00ff", Uint8Array.from({ length: 70_000 }, (_, index) => index % 251)],
]);

test("metadata comes out of its string as it went in, in order, in memory of its own each time", () => {
  for (const metadata of [METADATA, new Map<string, Uint8Array>()]) {
    const packed = packMetadata(metadata);
    assertEquals([...unpackMetadata(packed)], [...metadata]);
    for (const character of packed.substring(0, 100)) assert(character.charCodeAt(0) < 0x100);
  }
  const packed = packMetadata(METADATA);
  unpackMetadata(packed).get("socket-type")!.fill(0);
  assertEquals(unpackMetadata(packed).get("socket-type"), METADATA.get("socket-type"));
});

test("a peer is described whole, once", () => {
  const identity = Uint8Array.of(7);
  const known = new StreamPeer(3, "sim://here", { localAddress: "sim://a", remoteAddress: "sim://b" }, {
    socketType: "DEALER",
    identity,
    metadata: METADATA,
    mechanism: "NULL",
    version: "3.1",
  });
  const { peer } = known;
  assertEquals(peer, {
    id: 3,
    endpoint: "sim://here",
    localAddress: "sim://a",
    remoteAddress: "sim://b",
    socketType: "DEALER",
    identity,
    metadata: METADATA,
    mechanism: "NULL",
    version: "3.1",
    tls: undefined,
    http: undefined,
  });
  assertStrictEquals(known.peer, peer);
  assertEquals(known.id, peer.id);
});

test("events and `peers` tell of the same objects, whoever asked first", async () => {
  const world = new World(1);
  const context = new Context({ host: world.host, transports: { sim: world.network } });
  const router = new Router({ context });
  const dealer = new Dealer({ context, metadata: { "X-Told": "a" } });
  const told: unknown[] = [];
  await world.driveTo(router.bind("sim://here"));
  dealer.events.on("handshake", ({ peer }) => told.push(peer));
  dealer.connect("sim://here");
  await world.driveTo(Promise.all([router.ready(), dealer.ready()]));
  assertStrictEquals(told[0], dealer.peers[0]);
  const [peer] = router.peers;
  assertEquals(peer!.metadata.get("x-told"), Uint8Array.of(0x61));
  // Nobody listened for the handshake, but somebody does for the end.
  router.events.on("disconnect", ({ peer }) => told.push(peer));
  dealer.close();
  await world.driveFor(1_000);
  assertStrictEquals(told[1], peer);
  assertEquals(router.peers, []);
  context.close();
  await world.driveFor(10_000);
});
