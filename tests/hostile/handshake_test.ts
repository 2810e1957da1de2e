import { test } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { within } from "../interop/support/deadline.ts";
import { codeOf, collectEvents, nextEvent } from "../interop/support/events.ts";
import {
  bytesOf,
  commandBytes,
  frameBytes,
  frameHeader,
  greetingBytes,
  handshakeBytes,
  propertyBytes,
  type RawClient,
} from "../interop/support/raw_client.ts";
import { loopTurn } from "../interop/support/deadline.ts";
import { Arena } from "./arena.ts";

// Peers that go wrong before they have said who they are. No time-out helps here, unless a test says so: each must be
// turned away by the first byte that tells.

const NO_TIME_OUT = { handshakeInterval: 0 };
const SOCKET_TYPE = propertyBytes("Socket-Type", "PUSH");

interface Fault {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly code: string;
  readonly type?: "handshake:error:auth";
}

function ready(...properties: readonly Uint8Array[]): Uint8Array {
  return bytesOf(greetingBytes(), commandBytes("READY", bytesOf(...properties)));
}

const FAULTS: readonly Fault[] = [
  {
    what: "a web browser",
    bytes: bytesOf("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    code: "ERR_PEER_VERSION",
  },
  { what: "one wrong byte", bytes: bytesOf([0x42]), code: "ERR_PEER_VERSION" },
  { what: "junk", bytes: new Uint8Array(100_000).fill(0x55), code: "ERR_PEER_VERSION" },
  {
    what: "a signature that ends wrong",
    bytes: bytesOf([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7e]),
    code: "ERR_PEER_VERSION",
  },
  { what: "ZMTP 2.0", bytes: bytesOf([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1]), code: "ERR_PEER_VERSION" },
  { what: "an unknown mechanism", bytes: greetingBytes({ mechanism: "MAGIC" }), code: "ERR_PEER_MECHANISM" },
  {
    what: "a mechanism with something behind it",
    bytes: greetingBytes({ mechanism: "NULL\0X" }),
    code: "ERR_PEER_MECHANISM",
  },
  {
    what: "a message before READY",
    bytes: bytesOf(greetingBytes(), frameBytes(0, "hello")),
    code: "ERR_PEER_FRAME",
  },
  {
    what: "a command with MORE",
    bytes: bytesOf(greetingBytes(), frameBytes(5, "\x05READY")),
    code: "ERR_PEER_FRAME",
  },
  { what: "reserved flags", bytes: bytesOf(greetingBytes(), [0xfc, 0]), code: "ERR_PEER_FRAME" },
  {
    what: "a READY of 1 GiB, its header alone",
    bytes: bytesOf(greetingBytes(), frameHeader(4, 2 ** 30)),
    code: "ERR_PEER_FRAME_SIZE",
  },
  {
    what: "a READY of 2^63 bytes",
    bytes: bytesOf(greetingBytes(), frameHeader(4, 2n ** 63n)),
    code: "ERR_PEER_FRAME_SIZE",
  },
  { what: "an empty command", bytes: bytesOf(greetingBytes(), frameBytes(4, "")), code: "ERR_PEER_COMMAND" },
  {
    what: "a command name beyond the end",
    bytes: bytesOf(greetingBytes(), frameBytes(4, "\xc8READY")),
    code: "ERR_PEER_COMMAND",
  },
  {
    what: "another command than READY",
    bytes: bytesOf(greetingBytes(), commandBytes("HELLO")),
    code: "ERR_PEER_COMMAND",
  },
  {
    what: "metadata with a value beyond the end",
    bytes: ready(propertyBytes("Socket-Type", "PUSH", 5)),
    code: "ERR_PEER_METADATA",
  },
  {
    what: "metadata with a value of 2^32 - 1 bytes",
    bytes: ready(propertyBytes("Socket-Type", "PUSH", 2 ** 32 - 1)),
    code: "ERR_PEER_METADATA",
  },
  {
    what: "metadata with a name beyond the end",
    bytes: ready(bytesOf([0xff], "Socket-Type")),
    code: "ERR_PEER_METADATA",
  },
  {
    what: "metadata with an empty name",
    bytes: ready(SOCKET_TYPE, propertyBytes("", "x")),
    code: "ERR_PEER_METADATA",
  },
  {
    what: "metadata that end in a size",
    bytes: ready(SOCKET_TYPE, bytesOf([1], "X", [0, 0])),
    code: "ERR_PEER_METADATA",
  },
  {
    what: "a thousand properties",
    bytes: ready(
      SOCKET_TYPE,
      ...Array.from({ length: 1_000 }, (_, index) => propertyBytes(`X-${index}`, "")),
    ),
    code: "ERR_PEER_METADATA",
  },
  { what: "a socket type that does not fit", bytes: handshakeBytes("SUB"), code: "ERR_PEER_SOCKET_TYPE" },
  { what: "an unknown socket type", bytes: handshakeBytes("FLOOD"), code: "ERR_PEER_SOCKET_TYPE" },
  {
    what: "an identity of 256 bytes",
    bytes: ready(SOCKET_TYPE, propertyBytes("Identity", "i".repeat(256))),
    code: "ERR_PEER_IDENTITY",
    type: "handshake:error:auth",
  },
  {
    what: "a refusal",
    bytes: bytesOf(greetingBytes(), commandBytes("ERROR", "\x0dI do not like")),
    code: "ERR_PEER_ERROR",
    type: "handshake:error:auth",
  },
];

test("peers that go wrong in the handshake are turned away at the byte that tells, and a good one is served", async () => {
  const arena = await Arena.open("PULL", NO_TIME_OUT);
  for (const { what, bytes, code, type = "handshake:error:protocol" } of FAULTS) {
    try {
      await arena.assertRefuses(bytes, type, code);
    } catch (error) {
      throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
    }
  }
  assertEquals(arena.socket.peers.length, 1);
  await arena.close();
});

for (const part of [0, 1, 10, 32, 63, 64, 70]) {
  test(`a peer that says ${part} bytes of its handshake and then nothing is closed in time`, async () => {
    const arena = await Arena.open("PULL", { handshakeInterval: 100 });
    const bytes = handshakeBytes("PUSH").subarray(0, part);
    await arena.assertRefuses(bytes, "handshake:error:other", "ERR_PEER_HANDSHAKE_TIMEOUT");
    await arena.close();
  });
}

test("a peer that says its handshake byte by byte, for ever, is closed in time", async () => {
  const arena = await Arena.open("PULL", { handshakeInterval: 100 });
  const refused = nextEvent(arena.socket, "handshake:error:other");
  const client = await arena.attacker();
  const dripping = drip(client);
  await arena.assertRefused(refused, client, "ERR_PEER_HANDSHAKE_TIMEOUT");
  await dripping;
  await arena.close();
});

/** A greeting, and then a command whose 60 000 bytes come one a turn. */
async function drip(client: RawClient): Promise<void> {
  await client.write(bytesOf(greetingBytes(), frameHeader(4, 60_000)));
  while (await client.write(bytesOf([5]))) await loopTurn();
}

test("a peer that leaves in the middle of its handshake is reported", async () => {
  const arena = await Arena.open("PULL", NO_TIME_OUT);
  const refused = nextEvent(arena.socket, "handshake:error:other");
  const client = await arena.attacker();
  await client.write(greetingBytes().subarray(0, 20));
  client.end();
  const { error } = await refused;
  assert(error !== undefined, "the event says why");
  await within(client.closed, "the end of the connection");
  await arena.assertServes();
  await arena.close();
});

test("handshakes that never end lock nobody out: at the limit the oldest goes, and good peers come in all the while", async () => {
  const arena = await Arena.open("PULL", { handshakesMax: 5, ...NO_TIME_OUT });
  const givenUp = collectEvents(arena.socket, "handshake:error:other");
  const clients: RawClient[] = [];
  for (let round = 1; round <= 4; round++) {
    // More than fit, each with a little of a greeting: some progress, but none that would end.
    const flood = await Promise.all(Array.from({ length: 6 }, () => arena.attacker()));
    await Promise.all(flood.map((client) => client.write(greetingBytes().subarray(0, 20))));
    clients.push(...flood);
    const handshake = nextEvent(arena.socket, "handshake");
    await (await arena.attacker()).write(handshakeBytes("PUSH"));
    await handshake;
    await arena.assertServes();
    assertEquals(arena.socket.peers.length, 1 + round);
  }
  const oldest = clients.slice(0, -5);
  await within(Promise.all(oldest.map((client) => client.closed)), "the oldest to be closed");
  assert(givenUp.length >= oldest.length);
  assert(givenUp.every(({ error }) => codeOf(error) === "ERR_PEER_HANDSHAKES"));
  assertStringIncludes(givenUp[0]!.error!.message, "limit of 5 unfinished handshakes");
  await arena.close();
});

test("a thousand peers that come and go at once leave nothing behind", async () => {
  const arena = await Arena.open("PULL", NO_TIME_OUT);
  for (let round = 0; round < 20; round++) {
    const clients = await Promise.all(Array.from({ length: 50 }, () => arena.attacker()));
    await Promise.all(clients.map((client) => client.write(greetingBytes())));
    for (const client of clients) client.destroy();
  }
  await arena.assertServes();
  assertEquals(arena.socket.peers.length, 1);
  await arena.close();
});

test("a second peer with the routing id of the first is turned away, and the first keeps its place", async () => {
  const arena = await Arena.open("ROUTER");
  const properties = bytesOf(propertyBytes("Socket-Type", "DEALER"), propertyBytes("Identity", "good"));
  const bytes = bytesOf(greetingBytes(), commandBytes("READY", properties));
  await arena.assertRefuses(bytes, "disconnect", "ERR_PEER_IDENTITY");
  await arena.close();
});
