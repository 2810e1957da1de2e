import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { SubscriptionsTotal } from "../../src/pattern/subscriptions/subscriptions_total.ts";
import { Context, type Publisher } from "../../mod.ts";
import { until, within } from "../interop/support/deadline.ts";
import { codeOf, collectEvents, nextEvent } from "../interop/support/events.ts";
import {
  bytesOf,
  commandBytes,
  frameHeader,
  handshakeBytes,
  type RawClient,
} from "../interop/support/raw_client.ts";
import { Arena, type AttackedType } from "./arena.ts";

// Many peers that each keep below every limit of one connection. What they take together is bounded, and a good peer is
// served all the while.

const MIB = 1_048_576;

async function connected(arena: Arena, type: "PUSH" | "SUB"): Promise<RawClient> {
  const handshake = nextEvent(arena.socket, "handshake");
  const client = await arena.attacker();
  await client.write(handshakeBytes(type));
  await handshake;
  return client;
}

test("peers in the middle of large frames hold no more than the bound together", async () => {
  const context = new Context({ pendingTotalBytesMax: 4 * MIB });
  const arena = await Arena.open("PULL", { context });
  const lost = collectEvents(arena.socket, "disconnect");
  const { pendingTotal } = context.runtime;
  let highest = 0;
  for (let i = 0; i < 20; i++) {
    const client = await connected(arena, "PUSH");
    void client.write(bytesOf(frameHeader(0, 256 * MIB), new Uint8Array(MIB)));
    await arena.assertServes();
    highest = Math.max(highest, pendingTotal.bytes);
  }
  // Those that have stopped make room for those that wait, until all that came is there.
  await until(() => {
    highest = Math.max(highest, pendingTotal.bytes);
    return lost.length > 0;
  }, "the first to be given up");
  assertEquals(codeOf(lost[0]!.error), "ERR_PEER_PENDING");
  assertLess(highest, 4 * MIB + 21 * 2 * 65_536);
  await arena.assertServes();
  await arena.close();
  assertEquals(pendingTotal.bytes, 0);
});

for (const type of ["PUB", "XPUB"] as const satisfies readonly AttackedType[]) {
  test(`the topics of all peers of a ${type} are bounded: the one with most goes`, async () => {
    const context = new Context({ subscriptionsTotalBytesMax: MIB });
    const arena = await Arena.open(type, { context });
    const lost = collectEvents(arena.socket, "disconnect");
    const subscriptionsTotal = SubscriptionsTotal.of(context.runtime);
    for (let i = 0; i < 6; i++) {
      const client = await connected(arena, "SUB");
      const topics = Array.from({ length: 600 }, (_, topic) => commandBytes("SUBSCRIBE", `${i} ${topic}`));
      await client.write(bytesOf(...topics));
      await until(() => subscriptionsTotal.bytes > 600 * 1_024, "the topics to be there");
      await arena.assertServes();
      assert(subscriptionsTotal.bytes <= MIB);
    }
    await until(() => lost.length >= 5, "all but the last to go");
    assertEquals(new Set(lost.map(({ error }) => codeOf(error))), new Set(["ERR_PEER_SUBSCRIPTIONS"]));
    await arena.close();
    assertEquals(subscriptionsTotal.bytes, 0);
  });
}

test("what waits for subscribers that do not read is bounded for all of them together", async () => {
  const context = new Context({ queuedTotalBytesMax: 8 * MIB });
  const arena = await Arena.open("PUB", { context, sendHighWaterMark: 0 });
  const publisher = arena.socket as Publisher;
  const drops = collectEvents(publisher, "drop");
  for (let i = 0; i < 10; i++) {
    const client = await connected(arena, "SUB");
    client.stopReading();
    await client.write(commandBytes("SUBSCRIBE", `flood`));
    await within(publisher.subscribed("flood"), "the subscription");
  }
  const body = new Uint8Array(MIB);
  const { queuedTotal } = context.runtime;
  let highest = 0;
  for (let i = 0; drops.length < 3; i++) {
    await within(publisher.send(["flood", body]), "a publisher never waits");
    highest = Math.max(highest, queuedTotal.bytes);
    if (i % 10 === 0) await arena.assertServes();
  }
  await arena.assertServes();
  assertGreater(highest, 4 * MIB);
  // Each may be one message above its share.
  assertLess(highest, (8 + 11) * MIB);
  assert(drops.every(({ peer }) => peer !== undefined));
  await arena.close();
});
