import { test } from "node:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { XPublisher } from "../../mod.ts";
import { within } from "../interop/support/deadline.ts";
import { collectEvents, nextEvent } from "../interop/support/events.ts";
import {
  bytesOf,
  commandBytes,
  frameBytes,
  handshakeBytes,
  type RawClient,
} from "../interop/support/raw_client.ts";
import { Arena, type AttackedType } from "./arena.ts";

// Peers that subscribe to more than a publisher can be asked to remember.

const MIB = 1_048_576;

async function subscriber(arena: Arena): Promise<RawClient> {
  const handshake = nextEvent(arena.socket, "handshake");
  const client = await arena.attacker();
  await client.write(handshakeBytes("SUB"));
  await handshake;
  return client;
}

function topics(count: number, form: "command" | "message"): Uint8Array {
  const frames = Array.from(
    { length: count },
    (_, index) =>
      form === "command" ? commandBytes("SUBSCRIBE", `topic ${index}`) : frameBytes(0, `\x01topic ${index}`),
  );
  return bytesOf(...frames);
}

/** Reads what an XPUB is told, until its socket closes. */
async function readAll(arena: Arena): Promise<number> {
  let messages = 0;
  for await (const _message of arena.socket as XPublisher) messages++;
  return messages;
}

for (const type of ["PUB", "XPUB"] as const satisfies readonly AttackedType[]) {
  for (const form of ["command", "message"] as const) {
    test(`a peer with more topics than ${type} allows is closed, told in ${form} form`, async () => {
      const arena = await Arena.open(type, { subscriptionsMax: 100 });
      const reading = type === "XPUB" ? readAll(arena) : undefined;
      const lost = collectEvents(arena.socket, "disconnect");
      const modest = await subscriber(arena);
      await modest.write(topics(100, form));
      const client = await subscriber(arena);
      const refused = nextEvent(arena.socket, "disconnect");
      await client.write(topics(101, form));
      const { error } = await arena.assertRefused(refused, client, "ERR_PEER_SUBSCRIPTIONS");
      assertStringIncludes(error!.message, "100 topics");
      assertEquals(lost.length, 1, "the one at its limit stays");
      await arena.close();
      await reading;
    });
  }

  test(`a peer whose topics have more bytes than ${type} allows is closed`, async () => {
    const arena = await Arena.open(type, { subscriptionBytesMax: 100_000 });
    const client = await subscriber(arena);
    const refused = nextEvent(arena.socket, "disconnect");
    await client.write(
      bytesOf(commandBytes("SUBSCRIBE", "a".repeat(60_000)), commandBytes("SUBSCRIBE", "b".repeat(60_000))),
    );
    await arena.assertRefused(refused, client, "ERR_PEER_SUBSCRIPTIONS");
    await arena.close();
  });
}

interface Flood {
  readonly what: string;
  readonly options: object;
  readonly bytes: Uint8Array;
}

const ON_AND_OFF = bytesOf(commandBytes("SUBSCRIBE", "x"), commandBytes("CANCEL", "x"));
const LARGE_ON_AND_OFF = bytesOf(
  commandBytes("SUBSCRIBE", "x".repeat(100_000)),
  commandBytes("CANCEL", "x".repeat(100_000)),
);

/** Writes `bytes` for ever, some 10 kB at a time. */
async function flood(client: RawClient, bytes: Uint8Array): Promise<void> {
  const block = bytesOf(...new Array(Math.ceil(10_000 / bytes.length)).fill(bytes));
  while (await client.write(block));
}

/** What nobody reads must be bounded as well. */
const FLOODS: readonly Flood[] = [
  { what: "subscribes and cancels for ever", options: {}, bytes: ON_AND_OFF },
  { what: "subscribes and cancels for ever in manual mode", options: { manual: true }, bytes: ON_AND_OFF },
  { what: "cancels for ever in manual mode", options: { manual: true }, bytes: commandBytes("CANCEL", "x") },
  {
    what: "cancels for ever where every cancellation is told",
    options: { verbosity: "allSubsUnsubs" },
    bytes: commandBytes("CANCEL", "x"),
  },
  {
    what: "subscribes to the same for ever where every subscription is told",
    options: { verbosity: "allSubs" },
    bytes: commandBytes("SUBSCRIBE", "x"),
  },
  {
    what: "subscribes and cancels a large topic for ever",
    options: { subscriptionBytesMax: 4 * MIB },
    bytes: LARGE_ON_AND_OFF,
  },
];

for (const { what, options, bytes } of FLOODS) {
  test(`a peer that ${what} is closed where an XPUB does not read`, async () => {
    const arena = await Arena.open("XPUB", { subscriptionsMax: 1_000 });
    // Only now: in manual mode nobody would have let the good peer have its topic.
    Object.assign(arena.socket, options);
    const client = await subscriber(arena);
    const refused = nextEvent(arena.socket, "disconnect");
    const flooding = flood(client, bytes);
    await arena.assertRefused(refused, client, "ERR_PEER_SUBSCRIPTIONS");
    await within(flooding, "the end of the flood");
    arena.assertMemoryIsFlat();
    await arena.close();
  });
}
