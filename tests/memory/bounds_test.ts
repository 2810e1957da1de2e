// runtimes: node
import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLess } from "@std/assert";
import { Context, Publisher, Pull, Push, Subscriber } from "../../mod.ts";
import { freshAddress, SCHEMES } from "../interop/support/addresses.ts";
import { loopTurn, until, within } from "../interop/support/deadline.ts";
import { collectEvents } from "../interop/support/events.ts";

// Memory stays within the bounds that options set: counted by the sockets' own counters where they can be read, and by
// the process where they cannot.

const KIB = 1_024;
const MIB = 1_024 * KIB;
/** What the system may hold for one connection: both ends' buffers, grown as far as it lets them. */
const SYSTEM_BYTES_MAX = 16 * MIB;
/** Chunks that a transport may deliver at once, and a segment that is written at once. */
const SLACK_BYTES = MIB;
const IDLE_TURNS = 50;

/** Sends `body` until nothing is taken for many turns of the event loop; answers how many messages were. */
async function sendUntilFull(push: Push, body: Uint8Array): Promise<number> {
  let messages = 0;
  for (let idle = 0; idle < IDLE_TURNS; idle++) {
    while (push.trySend(body)) {
      messages++;
      idle = 0;
    }
    await loopTurn();
  }
  return messages;
}

for (const bytes of [100, 10 * KIB, 100 * KIB]) {
  test(`a PUSH without a peer takes its mark in bytes and one message of ${bytes} bytes more`, async () => {
    const push = new Push({ sendHighWaterMark: 0, sendHighWaterMarkBytes: MIB, linger: 0 });
    // Nobody listens here: 1 is a port of the system's own.
    push.connect("tcp://127.0.0.1:1");
    const taken = await sendUntilFull(push, new Uint8Array(bytes)) * bytes;
    assertLess(taken, MIB + bytes);
    // Framing counts as well.
    assertGreater(taken, 0.9 * MIB - bytes);
    push.close();
  });
}

for (const scheme of ["tcp", "ipc"] as const) {
  for (const bytes of [100, 10 * KIB, 100 * KIB]) {
    test(`a PUSH and a stopped PULL over ${scheme} keep to their bounds with messages of ${bytes} bytes`, async () => {
      const context = new Context();
      const pull = new Pull({
        context,
        receiveHighWaterMark: 0,
        receiveHighWaterMarkBytes: MIB,
        pendingBytesMax: MIB,
      });
      const push = new Push({ sendHighWaterMark: 0, sendHighWaterMarkBytes: MIB });
      await pull.bind(freshAddress(scheme));
      push.connect(pull.lastEndpoint!);
      await within(push.ready(), "the two to meet");
      const rssBefore = process.memoryUsage().rss;
      const messages = await sendUntilFull(push, new Uint8Array(bytes));
      const { pendingTotal } = context.runtime;
      assertGreaterOrEqual(pendingTotal.bytes, MIB, "the pending bound was reached");
      assertLess(pendingTotal.bytes, MIB + SLACK_BYTES);
      // Sender's mark, receiver's mark, pending bound, each with what may be above it; and the system's.
      assertLess(messages * bytes, 3 * (MIB + SLACK_BYTES) + SYSTEM_BYTES_MAX);
      assertLess(process.memoryUsage().rss - rssBefore, 96 * MIB);
      for (let i = 0; i < messages; i++) await within(pull.receive(), `message ${i} of ${messages}`);
      assertEquals(pendingTotal.bytes, 0);
      push.close();
      pull.close();
    });
  }
}

test("messages by number are bounded over inproc by both marks together", async () => {
  const pull = new Pull({ receiveHighWaterMark: 10 });
  const push = new Push({ sendHighWaterMark: 10 });
  await pull.bind(freshAddress("inproc"));
  push.connect(pull.lastEndpoint!);
  assertEquals(await sendUntilFull(push, new Uint8Array(1)), 20);
  push.close();
  pull.close();
});

test("many senders to one stopped receiver share one bound, and lose nothing", async () => {
  const pendingTotalBytesMax = 2 * MIB;
  const context = new Context({ pendingTotalBytesMax });
  const pull = new Pull({ context, receiveHighWaterMark: 1 });
  await pull.bind(freshAddress("ipc"));
  const pushes = Array.from({ length: 20 }, () => new Push({ sendHighWaterMark: 10 }));
  for (const push of pushes) push.connect(pull.lastEndpoint!);
  await within(pull.ready({ peers: pushes.length }), "all senders");
  const counts = await Promise.all(pushes.map((push) => sendUntilFull(push, new Uint8Array(10 * KIB))));
  const messages = counts.reduce((sum, count) => sum + count, 0);
  const { pendingTotal } = context.runtime;
  assertGreaterOrEqual(pendingTotal.bytes, pendingTotalBytesMax);
  // Each may have had one chunk on its way when the bound was reached.
  assertLess(pendingTotal.bytes, pendingTotalBytesMax + pushes.length * 256 * KIB);
  for (let i = 0; i < messages; i++) await within(pull.receive(), `message ${i} of ${messages}`);
  assertEquals(pull.tryReceive(), undefined);
  assertEquals(pendingTotal.bytes, 0);
  for (const push of pushes) push.close();
  pull.close();
});

for (const scheme of SCHEMES) {
  test(`what a publisher drops over ${scheme} for a subscriber that does not keep up is counted to the last`, async () => {
    const publisher = new Publisher({ sendHighWaterMark: 100 });
    const subscriber = new Subscriber({ receiveHighWaterMark: 100, pendingBytesMax: 64 * KIB });
    subscriber.subscribe();
    const drops = collectEvents(publisher, "drop");
    await publisher.bind(freshAddress(scheme));
    subscriber.connect(publisher.lastEndpoint!);
    await within(publisher.subscribed(""), "the subscription");
    const sent = 20_000;
    for (let i = 0; i < sent; i++) await publisher.send(new Uint8Array(KIB));
    let received = 0;
    const counted = (): number => drops.reduce((sum, { count }) => sum + (count ?? 0), 0);
    await until(() => {
      while (subscriber.tryReceive() !== undefined) received++;
      return received + counted() >= sent;
    }, "every message is received or counted");
    assertGreater(counted(), 0);
    assertEquals(received + counted(), sent);
    assert(drops.every(({ error }) => error !== undefined && error.message.length > 0));
    publisher.close();
    subscriber.close();
  });
}

test("thousands of sockets that come and go leave no memory that grows", async () => {
  const round = async (): Promise<void> => {
    const pull = new Pull();
    await pull.bind(freshAddress("tcp"));
    const pushes = Array.from({ length: 50 }, () => new Push());
    for (const push of pushes) push.connect(pull.lastEndpoint!);
    await within(Promise.all(pushes.map((push) => push.send(new Uint8Array(KIB)))), "all sends");
    for (let i = 0; i < pushes.length; i++) await within(pull.receive(), `message ${i}`);
    await within(
      Promise.all([pull, ...pushes].map((socket) => socket[Symbol.asyncDispose]())),
      "all to be closed",
    );
  };
  // As many as it takes until the heap has the size that this work needs.
  for (let i = 0; i < 30; i++) await round();
  const rssBefore = process.memoryUsage().rss;
  for (let i = 0; i < 50; i++) await round();
  // A segment that leaks with each connection would come to 160 MiB.
  assertLess(process.memoryUsage().rss - rssBefore, 80 * MIB);
});
