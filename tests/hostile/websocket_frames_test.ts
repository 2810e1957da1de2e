import { test } from "node:test";
import { assertEquals, assertLess } from "@std/assert";
import { concat } from "../../src/bytes/bytes.ts";
import { until, within } from "../interop/support/deadline.ts";
import { nextEvent } from "../interop/support/events.ts";
import { bytesOf, propertyBytes, type RawClient } from "../interop/support/raw_client.ts";
import { frame } from "../support/web_socket_frames.ts";
import { Arena } from "./arena.ts";

// Peers that open a WebSocket and go wrong afterwards: each is closed at its limit, with an event that says why, and
// the peer that behaves, over ws too, notices nothing.

const ADDRESS = "ws://127.0.0.1:*";
const KEY = [7, 0, 200, 31];
const BINARY = 0x82;

const UPGRADE = bytesOf(
  [
    "GET / HTTP/1.1",
    "Host: 127.0.0.1",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: ZWS2.0/NULL",
    "",
    "",
  ].join("\r\n"),
);

function zws(flags: number, body: Uint8Array): Uint8Array {
  return frame(BINARY, concat([Uint8Array.of(flags), body]), KEY);
}

const READY = zws(2, bytesOf([5], "READY", propertyBytes("Socket-Type", "PUSH")));

function repeated(bytes: Uint8Array, times: number): Uint8Array {
  return concat(Array.from({ length: times }, () => bytes));
}

/** A peer that has said READY. */
async function connected(arena: Arena): Promise<RawClient> {
  const handshake = nextEvent(arena.socket, "handshake");
  const client = await arena.attacker();
  await client.write(concat([UPGRADE, READY]));
  await within(handshake, "the attacker's handshake");
  return client;
}

interface Fault {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly code: string;
}

const FAULTS: readonly Fault[] = [
  { what: "a frame that is not masked", bytes: frame(BINARY, bytesOf("\0a")), code: "ERR_WEBSOCKET" },
  { what: "text", bytes: frame(0x81, bytesOf("text"), KEY), code: "ERR_WEBSOCKET" },
  { what: "reserved bits", bytes: frame(0xf2, bytesOf("\0a"), KEY), code: "ERR_WEBSOCKET" },
  {
    what: "a length of 2^62",
    bytes: Uint8Array.of(BINARY, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, ...KEY),
    code: "ERR_PEER_FRAME_SIZE",
  },
  {
    what: "a length of one byte too many",
    bytes: Uint8Array.of(BINARY, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 2, ...KEY),
    code: "ERR_PEER_FRAME_SIZE",
  },
  {
    what: "fragments that exceed the limit together",
    bytes: concat([
      frame(0x02, new Uint8Array(700_000), KEY),
      frame(0x00, new Uint8Array(700_000), KEY),
    ]),
    code: "ERR_PEER_FRAME_SIZE",
  },
  {
    what: "a flood of empty fragments",
    bytes: concat([frame(0x02, bytesOf("\0"), KEY), repeated(frame(0x00, bytesOf(), KEY), 100_000)]),
    code: "ERR_WEBSOCKET",
  },
  {
    what: "a flood of fragments of one byte",
    bytes: concat([frame(0x02, bytesOf("\0"), KEY), repeated(frame(0x00, bytesOf("a"), KEY), 70_000)]),
    code: "ERR_WEBSOCKET",
  },
  {
    what: "a close frame with a code that is none",
    bytes: frame(0x88, bytesOf([3, 0xed]), KEY),
    code: "ERR_WEBSOCKET",
  },
  { what: "garbage", bytes: new Uint8Array(1_000_000).fill(0xa5), code: "ERR_WEBSOCKET" },
  { what: "flags that ZWS does not have", bytes: zws(0x40, bytesOf("a")), code: "ERR_WEBSOCKET" },
  {
    what: "a CREDIT for what was never sent",
    bytes: zws(2, bytesOf([6], "CREDIT", [0, 0, 0, 0, 0, 0, 0, 9])),
    code: "ERR_WEBSOCKET",
  },
];

test("a peer over ws that goes wrong after the handshake is closed, and the others are served", async () => {
  const arena = await Arena.open("PULL", { maxMessageSize: 1_048_576 }, ADDRESS);
  for (const { what, bytes, code } of FAULTS) {
    const client = await connected(arena);
    const lost = nextEvent(arena.socket, "disconnect");
    await client.write(bytes);
    await arena.assertRefused(lost, client, code).catch((cause) => {
      throw new Error(what, { cause });
    });
  }
  await arena.close();
});

test("a frame that claims 200 MB and sends nothing costs nothing", async () => {
  const arena = await Arena.open("PULL", {}, ADDRESS);
  for (let peer = 0; peer < 50; peer++) {
    const client = await connected(arena);
    await client.write(Uint8Array.of(BINARY, 0xff, 0, 0, 0, 0, 0x0b, 0xeb, 0xc2, 0, ...KEY, 7));
  }
  await arena.assertServes();
  arena.assertMemoryIsFlat();
  await arena.close();
});

test("a peer that opens a WebSocket and never says READY is gone at the handshake's deadline", async () => {
  const arena = await Arena.open("PULL", { handshakeInterval: 300 }, ADDRESS);
  const stuck = [
    bytesOf(),
    READY.subarray(0, 20),
    frame(0x02, Uint8Array.of(2), KEY),
    repeated(frame(0x89, bytesOf("ping"), KEY), 10_000),
  ];
  for (const bytes of stuck) {
    const refused = nextEvent(arena.socket, "handshake:error:other");
    const client = await arena.attacker();
    await client.write(UPGRADE);
    await until(() => client.receivedBytes > 0, "the answer to the upgrade");
    await client.write(bytes);
    await arena.assertRefused(refused, client, "ERR_PEER_HANDSHAKE_TIMEOUT");
  }
  await arena.close();
});

test("a flood of PINGs is answered by one PONG for each chunk, and one that reads no answer costs no memory", async () => {
  const arena = await Arena.open("PULL", {}, ADDRESS);
  const client = await connected(arena);
  const before = client.receivedBytes;
  const lot = repeated(frame(0x89, new Uint8Array(125).fill(9), KEY), 1_000);
  for (let round = 0; round < 10; round++) await client.write(lot);
  await client.write(frame(0x89, bytesOf("last"), KEY));
  await until(() => client.receivedBytes > before, "a PONG");
  const deaf = await connected(arena);
  deaf.stopReading();
  for (let round = 0; round < 100; round++) await deaf.write(lot);
  await arena.assertServes();
  assertLess(client.receivedBytes - before, 10_001 * 127 + 100);
  await arena.close();
});

test("what a peer sends after its close frame is not read, and it is lost like any other", async () => {
  const arena = await Arena.open("PULL", {}, ADDRESS);
  const client = await connected(arena);
  const lost = nextEvent(arena.socket, "disconnect");
  await client.write(
    concat([frame(0x88, bytesOf([3, 0xe8]), KEY), repeated(zws(0, bytesOf("late")), 1_000)]),
  );
  assertEquals((await within(lost, "the event")).error, undefined);
  client.end();
  await within(client.closed, "the end of the connection");
  await arena.assertServes();
  await arena.close();
});
