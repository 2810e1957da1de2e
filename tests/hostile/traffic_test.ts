import { test } from "node:test";
import { assertEquals, assertGreater, assertLess, assertStringIncludes } from "@std/assert";
import type { Pull } from "../../mod.ts";
import { until, within } from "../interop/support/deadline.ts";
import { codeOf, collectEvents, nextEvent } from "../interop/support/events.ts";
import {
  bytesOf,
  commandBytes,
  frameBytes,
  frameHeader,
  handshakeBytes,
  type RawClient,
} from "../interop/support/raw_client.ts";
import { Arena, type AttackedType } from "./arena.ts";

// Peers that shake hands and go wrong afterwards: each is closed at its limit, with an event that says why.

const MIB = 1_048_576;
const MORE = 1;
const COMMAND = 4;
const HANDSHAKE = {
  PULL: handshakeBytes("PUSH"),
  PUB: handshakeBytes("SUB"),
  XPUB: handshakeBytes("SUB"),
  ROUTER: handshakeBytes("DEALER"),
};

async function connected(arena: Arena, type: AttackedType): Promise<RawClient> {
  const handshake = nextEvent(arena.socket, "handshake");
  const client = await arena.attacker();
  await client.write(HANDSHAKE[type]);
  await handshake;
  return client;
}

interface Fault {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly code: string;
  readonly options?: object;
}

const FAULTS: readonly Fault[] = [
  {
    what: "one byte more than a frame may have",
    bytes: frameHeader(0, 1_001),
    code: "ERR_PEER_FRAME_SIZE",
    options: { maxMessageSize: 1_000 },
  },
  {
    what: "a command of one byte too many",
    bytes: frameHeader(COMMAND, 1_001),
    code: "ERR_PEER_FRAME_SIZE",
    options: { maxMessageSize: 1_000 },
  },
  {
    what: "a frame beyond the default limit",
    bytes: frameHeader(0, 256 * MIB + 1),
    code: "ERR_PEER_FRAME_SIZE",
  },
  { what: "a frame of 2^63 bytes", bytes: frameHeader(0, 2n ** 63n), code: "ERR_PEER_FRAME_SIZE" },
  { what: "a frame of 2^64 - 1 bytes", bytes: frameHeader(0, 2n ** 64n - 1n), code: "ERR_PEER_FRAME_SIZE" },
  {
    what: "a frame of 2^63 bytes without a limit",
    bytes: frameHeader(0, 2n ** 63n),
    code: "ERR_PEER_FRAME_SIZE",
    options: { maxMessageSize: -1 },
  },
  {
    what: "one frame larger than a message may be",
    bytes: frameHeader(0, 10_001),
    code: "ERR_PEER_MESSAGE_SIZE",
    options: { messageBytesMax: 10_000 },
  },
  {
    what: "a last frame that makes a message too large, its header alone",
    bytes: bytesOf(frameBytes(MORE, "x".repeat(9_000)), frameHeader(0, 1_001)),
    code: "ERR_PEER_MESSAGE_SIZE",
    options: { messageBytesMax: 10_000 },
  },
  { what: "reserved flags", bytes: bytesOf([0x08, 0]), code: "ERR_PEER_FRAME" },
  { what: "a command with MORE", bytes: frameBytes(COMMAND | MORE, "\x04PING\0\0"), code: "ERR_PEER_FRAME" },
  { what: "an empty command", bytes: frameBytes(COMMAND, ""), code: "ERR_PEER_COMMAND" },
  {
    what: "a command whose name goes beyond its end",
    bytes: frameBytes(COMMAND, "\x09PING"),
    code: "ERR_PEER_COMMAND",
  },
  { what: "a PING without a time to live", bytes: commandBytes("PING"), code: "ERR_PEER_COMMAND" },
  { what: "a PING with half a time to live", bytes: commandBytes("PING", [0]), code: "ERR_PEER_COMMAND" },
  { what: "an ERROR", bytes: commandBytes("ERROR", "\x07go away"), code: "ERR_PEER_ERROR" },
  {
    what: "an ERROR whose reason goes beyond its end",
    bytes: commandBytes("ERROR", "\x99go away"),
    code: "ERR_PEER_COMMAND",
  },
];

for (const { what, bytes, code, options } of FAULTS) {
  test(`a peer that sends ${what} is closed, and a good one is served`, async () => {
    const arena = await Arena.open("PULL", options);
    const client = await connected(arena, "PULL");
    const refused = nextEvent(arena.socket, "disconnect");
    await client.write(bytes);
    await arena.assertRefused(refused, client, code);
    await arena.close();
  });
}

/** Writes again and again until the connection is gone. */
async function floodUntilClosed(client: RawClient, bytes: Uint8Array): Promise<void> {
  while (await client.write(bytes));
}

test("a message without an end is cut at its number of frames", async () => {
  const arena = await Arena.open("PULL", { messageFramesMax: 1_000 });
  const client = await connected(arena, "PULL");
  const refused = nextEvent(arena.socket, "disconnect");
  const flood = floodUntilClosed(client, bytesOf(...new Array(100).fill(frameBytes(MORE, ""))));
  const { error } = await arena.assertRefused(refused, client, "ERR_PEER_MESSAGE_SIZE");
  assertStringIncludes(error!.message, "1000 frames");
  await flood;
  await arena.close();
});

test("a message without an end is cut at its number of bytes", async () => {
  const arena = await Arena.open("PULL", { messageBytesMax: 4 * MIB });
  const client = await connected(arena, "PULL");
  const refused = nextEvent(arena.socket, "disconnect");
  const flood = floodUntilClosed(client, frameBytes(MORE, new Uint8Array(100_000)));
  const { error } = await arena.assertRefused(refused, client, "ERR_PEER_MESSAGE_SIZE");
  assertStringIncludes(error!.message, `${4 * MIB} bytes`);
  await flood;
  await arena.close();
});

test("large frames that are only announced cost nothing", async () => {
  const arena = await Arena.open("PULL");
  const clients = await Promise.all(Array.from({ length: 20 }, () => connected(arena, "PULL")));
  await Promise.all(clients.map((client) => client.write(frameHeader(0, 200 * MIB))));
  await Promise.all(clients.map((client) => client.write(new Uint8Array(1_000))));
  await arena.assertServes();
  arena.assertMemoryIsFlat();
  await arena.close();
});

/** Writes `bytes` many times over, or until the other side takes no more. */
async function floodFor(client: RawClient, bytes: Uint8Array, times: number): Promise<void> {
  for (let i = 0; i < times && await client.write(bytes); i++);
}

test("a flood of PINGs from a peer that reads no answer costs one answer, and ends the peer", async () => {
  const arena = await Arena.open("PULL");
  const client = await connected(arena, "PULL");
  const refused = nextEvent(arena.socket, "disconnect");
  client.stopReading();
  // 20 MiB of PINGs, which would be 18 MiB of PONGs.
  const pings = bytesOf(...new Array(1_000).fill(commandBytes("PING", "\0\0sixteen bytes of")));
  await within(floodFor(client, pings, 850), "the end of the flood");
  assertEquals(codeOf((await within(refused, "the disconnect")).error), "ERR_PEER_COMMAND_FLOOD");
  await arena.assertServes();
  arena.assertMemoryIsFlat();
  await arena.close();
});

for (
  const [what, command] of [["PINGs", commandBytes("PING", "\0\0x")], [
    "commands that nobody knows",
    commandBytes("BLAH", "x".repeat(50)),
  ]] as const
) {
  test(`a flood of ${what} from a peer that reads ends it, and does not keep others waiting`, async () => {
    const arena = await Arena.open("PULL");
    const client = await connected(arena, "PULL");
    const refused = nextEvent(arena.socket, "disconnect");
    const flood = floodFor(client, bytesOf(...new Array(1_000).fill(command)), 500);
    for (let i = 0; i < 20; i++) await arena.assertServes();
    await within(flood, "the end of the flood");
    assertEquals(codeOf((await within(refused, "the disconnect")).error), "ERR_PEER_COMMAND_FLOOD");
    await arena.assertServes();
    arena.assertMemoryIsFlat();
    await arena.close();
  });
}

test("a hundred PINGs at once are answered, and cost nobody the connection", async () => {
  const arena = await Arena.open("PULL");
  const client = await connected(arena, "PULL");
  const lost = collectEvents(arena.socket, "disconnect");
  const before = client.receivedBytes;
  await client.write(bytesOf(...new Array(100).fill(commandBytes("PING", "\0\0x"))));
  await until(() => client.receivedBytes > before, "a PONG");
  await arena.assertServes();
  assertEquals(lost.length, 0);
  await arena.close();
});

test("subscriptions at a socket that publishes nothing are read and forgotten", async () => {
  const arena = await Arena.open("PULL");
  const client = await connected(arena, "PULL");
  const topics = bytesOf(
    ...Array.from({ length: 1_000 }, (_, index) => commandBytes("SUBSCRIBE", `topic ${index}`)),
  );
  await within(floodFor(client, topics, 300), "all subscriptions to be read");
  await arena.assertServes();
  arena.assertMemoryIsFlat();
  await arena.close();
});

test("messages that nobody receives stop at the bounds of one connection, and the flooder waits", async () => {
  const pendingBytesMax = MIB;
  const arena = await Arena.open("PULL", { receiveHighWaterMark: 10, pendingBytesMax });
  const client = await connected(arena, "PULL");
  const lost = collectEvents(arena.socket, "disconnect");
  const message = frameBytes(0, new Uint8Array(1_000));
  const many = bytesOf(...new Array(1_000).fill(message));
  let written = 0;
  const flood = (async (): Promise<void> => {
    for (let i = 0; i < 100 && await client.write(many); i++) written += many.length;
  })();
  // Until the system's buffers are full too: then a write takes longer than fifty turns of the event loop.
  for (let before = -1, turns = 0; before !== written || turns < 50; turns++) {
    if (before !== written) turns = 0;
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assertLess(written, 90 * MIB);
  const { pendingTotal } = arena.socket.context.runtime;
  assertGreater(pendingTotal.bytes, 0);
  // At the bound it stops reading; what one read has brought may lie above.
  assertLess(pendingTotal.bytes, pendingBytesMax + MIB);
  arena.assertMemoryIsFlat();
  // Who is paused cannot be seen to leave before what it sent was received.
  client.destroy();
  await flood;
  await arena.assertServes();
  await until(() => {
    while ((arena.socket as Pull).tryReceive() !== undefined);
    return lost.length === 1;
  }, "the end of the flooder");
  assertEquals(pendingTotal.bytes, 0);
  await arena.close();
});
