import { createHash } from "node:crypto";
import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { type Scheme, WEB_SCHEMES } from "../interop/support/addresses.ts";
import { describeFrame, makeBody } from "../interop/support/bodies.ts";
import { loopTurn, within } from "../interop/support/deadline.ts";
import { closeLane, type Lane, numberedBody, openLane, receiveNumbered } from "./lanes.ts";

// A receiver that stops until its sender is blocked by everything in between: the receiver's high-water mark and pending
// bound, the system's buffers, the sender's high-water mark. What arrives afterwards is what was sent.

const MIB = 1_048_576;
/** Small enough to be full soon; the system's buffers come on top. */
const MARKS = {
  sender: { sendHighWaterMark: 10 },
  receiver: { receiveHighWaterMark: 10, pendingBytesMax: 65_536 },
};
/** Turns of the event loop without progress, after which a sender counts as blocked. */
const IDLE_TURNS = 100;

/** Sizes from one byte to far more than a segment, so that stops fall into every place of a message. */
function bytesOf(index: number): number {
  return [4, 60, 1_000, 20_000, 70_000, 255, 256, 16_384][index % 8]!;
}

/** Sends until nothing is taken any more, and answers how many messages were. */
async function sendUntilBlocked({ sender }: Lane): Promise<{ messages: number; bytes: number }> {
  let messages = 0;
  let bytes = 0;
  for (let idle = 0; idle < IDLE_TURNS; idle++) {
    while (sender.trySend(numberedBody(messages, bytesOf(messages)))) {
      bytes += bytesOf(messages++);
      idle = 0;
    }
    await loopTurn();
  }
  return { messages, bytes };
}

for (const scheme of ["tcp", "ipc", ...WEB_SCHEMES] as const) {
  test(`a sender over ${scheme} blocks while its receiver is stopped, and everything arrives when it goes on`, async () => {
    const lane = await openLane("PUSH-PULL", scheme, MARKS);
    const { messages, bytes } = await sendUntilBlocked(lane);
    // More than both marks hold, so the system's buffers are full; and no more than they and the pending bound hold.
    assertGreater(messages, 20);
    assertLess(bytes, 64 * MIB);
    assertEquals(lane.sender.trySend(numberedBody(messages, 4)), false);
    const blocked = lane.sender.send(numberedBody(messages, bytesOf(messages)));
    await within(receiveNumbered(lane, { from: 0, to: messages + 1, bytesOf }), "all that was sent");
    await within(blocked, "the send that was blocked");
    assertEquals(lane.receiver.tryReceive(), undefined);
    await closeLane(lane);
  });

  test(`a sender over ${scheme} that was blocked many times loses and doubles nothing`, async () => {
    const lane = await openLane("PUSH-PULL", scheme, MARKS);
    let received = 0;
    let sent = 0;
    for (let round = 0; round < 5; round++) {
      while (lane.sender.trySend(numberedBody(sent, bytesOf(sent)))) sent++;
      await loopTurn();
      // Only half of what is under way, so that the stop falls elsewhere each time.
      const half = received + Math.ceil((sent - received) / 2);
      await within(receiveNumbered(lane, { from: received, to: half, bytesOf }), "half of what was sent");
      received = half;
    }
    await within(receiveNumbered(lane, { from: received, to: sent, bytesOf }), "the rest");
    assertEquals(lane.receiver.tryReceive(), undefined);
    await closeLane(lane);
  });
}

for (const scheme of ["tcp", "ipc", "inproc"] as const) {
  test(`a frame of 64 MiB passes a stopped receiver over ${scheme}`, async () => {
    const lane = await openLane("PUSH-PULL", scheme, MARKS);
    const large = makeBody({ seed: 64, bytes: 64 * MIB });
    const digest = describeFrame(large);
    await fillReceiver(lane, scheme);
    const sending = lane.sender.send(["before", large, "behind"]);
    for (let turns = 0; turns < IDLE_TURNS; turns++) await loopTurn();
    await within(receiveNumbered(lane, { from: 0, to: 10, bytesOf: () => 4 }), "what stopped the receiver");
    const message = await within(lane.receiver.receive(), "the large message");
    await within(sending, "the send of the large message");
    assertEquals(message.map(describeFrame), [
      describeFrame(Buffer.from("before")),
      digest,
      describeFrame(Buffer.from("behind")),
    ]);
    await closeLane(lane);
  });
}

/** Ten messages: the receiver's high-water mark. */
async function fillReceiver({ sender }: Lane, scheme: Scheme): Promise<void> {
  for (let index = 0; index < 10; index++) {
    await within(sender.send(numberedBody(index, 4)), `room for ten messages over ${scheme}`);
  }
}

test("a unix socket that is full to the last byte takes up again without a byte changed", async () => {
  // One long stream of one-byte differences: the digest of all of it, against that of what was sent.
  const lane = await openLane("PUSH-PULL", "ipc", MARKS);
  const sent = createHash("sha256");
  const received = createHash("sha256");
  let messages = 0;
  let bytes = 0;
  for (let idle = 0; idle < IDLE_TURNS; idle++) {
    const body = makeBody({ seed: messages, bytes: 1 + (messages * 7_919) % 3_000 });
    if (lane.sender.trySend(body)) {
      sent.update(body);
      bytes += body.length;
      messages++;
      idle = -1;
    } else {
      await loopTurn();
    }
  }
  // The system alone takes some 219 kB here.
  assert(bytes > 200_000, `blocked after ${bytes} bytes`);
  for (let index = 0; index < messages; index++) {
    const [body] = await within(lane.receiver.receive(), `message ${index} of ${messages}`);
    received.update(body!);
  }
  assertEquals(received.digest("hex"), sent.digest("hex"));
  await closeLane(lane);
});
