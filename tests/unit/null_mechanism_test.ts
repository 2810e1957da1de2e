import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "../support/properties.ts";
import { asciiBytes, concat } from "../../src/bytes/bytes.ts";
import { MisuseError, PeerError } from "../../src/errors.ts";
import {
  encodeCommand,
  encodeError,
  encodePing,
  encodeReady,
  encodeSubscribe,
} from "../../src/zmtp/commands.ts";
import type { Mechanism, MechanismInit } from "../../src/zmtp/mechanism/mechanism.ts";
import { nullMechanism } from "../../src/zmtp/mechanism/null.ts";
import { encodeOurMetadata, property } from "../../src/zmtp/metadata.ts";

function init(changes: Partial<MechanismInit> = {}): MechanismInit {
  return {
    socketType: "DEALER",
    identity: new Uint8Array(0),
    propertiesMax: 64,
    authorizes: false,
    random: () => {},
    ...changes,
  };
}

function create(changes: Partial<MechanismInit> = {}): Mechanism {
  return nullMechanism.create(init(changes));
}

const PEER_READY = encodeReady(encodeOurMetadata({ socketType: "ROUTER", identity: asciiBytes("them") }));

test("NULL has READY to send at once, without waiting for the peer's", () => {
  const mechanism = create({ identity: asciiBytes("me"), properties: [["X-a", asciiBytes("1")]] });
  const metadata = encodeOurMetadata({
    socketType: "DEALER",
    identity: asciiBytes("me"),
    properties: [["X-a", asciiBytes("1")]],
  });
  assertEquals(mechanism.nextCommand(), encodeReady(metadata));
  assertEquals(mechanism.nextCommand(), undefined);
  assertEquals(mechanism.status, "handshaking");
});

test("the READY of a DEALER without an identity is the one that libzmq sends", () => {
  assertEquals(
    create().nextCommand(),
    concat([
      Uint8Array.of(5),
      asciiBytes("READY"),
      Uint8Array.of(11),
      asciiBytes("Socket-Type"),
      Uint8Array.of(0, 0, 0, 6),
      asciiBytes("DEALER"),
      Uint8Array.of(8),
      asciiBytes("Identity"),
      Uint8Array.of(0, 0, 0, 0),
    ]),
  );
});

test("NULL is ready once READY went both ways, in either order", () => {
  const first = create();
  first.nextCommand();
  assertEquals(first.handleCommand(PEER_READY), undefined);
  assertEquals(first.status, "ready");

  const second = create();
  assertEquals(second.handleCommand(PEER_READY), undefined);
  assertEquals(second.status, "handshaking", "our READY is still to be sent");
  assert(second.nextCommand() !== undefined);
  assertEquals(second.status, "ready");
});

test("two NULL mechanisms make each other ready and know each other's metadata", () => {
  const dealer = create({ identity: asciiBytes("d") });
  const router = create({ socketType: "ROUTER", properties: [["X-b", asciiBytes("2")]] });
  assertEquals(router.handleCommand(dealer.nextCommand()!), undefined);
  assertEquals(dealer.handleCommand(router.nextCommand()!), undefined);
  assertEquals([dealer.status, router.status], ["ready", "ready"]);
  assertEquals(property(router.peerMetadata!, "Identity"), asciiBytes("d"));
  assertEquals(property(dealer.peerMetadata!, "Socket-Type"), asciiBytes("ROUTER"));
  assertEquals(property(dealer.peerMetadata!, "X-B"), asciiBytes("2"));
});

test("an ERROR fails with its reason", () => {
  const mechanism = create();
  const error = mechanism.handleCommand(encodeError("no room"));
  assertEquals(error?.code, "ERR_PEER_ERROR");
  assert(error!.message.includes("no room"), error!.message);
  assertEquals(mechanism.status, "failed");
});

test("nothing but READY and ERROR belongs into the handshake", () => {
  for (
    const body of [encodePing(0), encodeSubscribe(asciiBytes("a")), encodeCommand("HELLO", new Uint8Array(0))]
  ) {
    const mechanism = create();
    assertEquals(mechanism.handleCommand(body)?.code, "ERR_PEER_COMMAND");
    assertEquals(mechanism.status, "failed");
  }
});

test("a second READY fails", () => {
  const mechanism = create();
  mechanism.handleCommand(PEER_READY);
  assertEquals(mechanism.handleCommand(PEER_READY)?.code, "ERR_PEER_COMMAND");
  mechanism.nextCommand();
  assertEquals(mechanism.status, "failed");
});

test("malformed metadata and too many properties fail", () => {
  const cases: [Uint8Array, Partial<MechanismInit>][] = [
    [encodeReady(Uint8Array.of(1)), {}],
    [PEER_READY, { propertiesMax: 1 }],
  ];
  for (const [body, changes] of cases) {
    const mechanism = create(changes);
    assertEquals(mechanism.handleCommand(body)?.code, "ERR_PEER_METADATA");
    assertEquals([mechanism.status, mechanism.peerMetadata], ["failed", undefined]);
  }
  assertEquals(create({ propertiesMax: 2 }).handleCommand(PEER_READY), undefined);
});

test("NULL keeps nothing of the chunk that a READY arrived in", () => {
  const chunk = PEER_READY.slice();
  const mechanism = create();
  mechanism.handleCommand(chunk);
  chunk.fill(0);
  assertEquals(property(mechanism.peerMetadata!, "Identity"), asciiBytes("them"));
});

test("properties that cannot be sent are the caller's mistake", () => {
  assertThrows(() => create({ properties: [["X y", new Uint8Array(0)]] }), MisuseError);
});

test("NULL travels in the clear, and its greeting never claims to be a server", () => {
  assertEquals([create().transparent, nullMechanism.name, nullMechanism.asServer], [true, "NULL", false]);
});

test("random commands make NULL ready or fail it with a PeerError", () => {
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.uint8Array({ maxLength: 30 }).map(encodeReady),
    fc.constant(PEER_READY),
  );
  fc.assert(fc.property(body, (bytes) => {
    const mechanism = create();
    mechanism.nextCommand();
    const error = mechanism.handleCommand(bytes);
    assertEquals(mechanism.status, error === undefined ? "ready" : "failed");
    if (error !== undefined) assert(error instanceof PeerError);
    else assert(mechanism.peerMetadata !== undefined);
  }));
});
