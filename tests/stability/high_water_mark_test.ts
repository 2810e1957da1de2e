import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { type Scheme, SCHEMES, WEB_SCHEMES } from "../interop/support/addresses.ts";
import { within } from "../interop/support/deadline.ts";
import { OWN_RUNTIME } from "../interop/support/runtimes.ts";
import {
  closeLane,
  type Lane,
  type LaneOptions,
  numberedBody,
  openLane,
  passNumbered,
  type Range,
} from "./lanes.ts";

// Everything arrives through a high-water mark of ten, however often it stops: nobody may be left asleep.

const MARKS: LaneOptions = { sender: { sendHighWaterMark: 10 }, receiver: { receiveHighWaterMark: 10 } };
const MANY = 200_000;

function numbered(messages: number): Range {
  return { from: 0, to: messages, bytesOf: (index) => 4 + index % 60 };
}

function countsFor(scheme: Scheme): readonly number[] {
  // On Node the longest one goes over tls and ws as well.
  if (WEB_SCHEMES.includes(scheme)) {
    return OWN_RUNTIME === "node" && scheme !== "wss" && scheme !== "worker" ? [2_000, MANY] : [2_000];
  }
  // The long one takes seconds where each stop costs a turn of the event loop.
  return OWN_RUNTIME === "node" || scheme === "tcp" ? [2_000, 10_000, MANY] : [2_000, 10_000];
}

for (const scheme of [...SCHEMES, ...WEB_SCHEMES]) {
  for (const messages of countsFor(scheme)) {
    test(`${messages} messages pass a high-water mark of ten over ${scheme}, awaited one by one`, async () => {
      const lane = await openLane("PUSH-PULL", scheme, MARKS);
      await passNumbered(lane, numbered(messages), `${messages} messages over ${scheme}`);
      await closeLane(lane);
    });
  }

  test(`10000 messages pass a high-water mark of ten over ${scheme} by try-calls and waits`, async () => {
    const lane = await openLane("PUSH-PULL", scheme, MARKS);
    const { from, to, bytesOf } = numbered(10_000);
    await within(
      Promise.all([trySendAll(lane, { from, to, bytesOf }), tryReceiveAll(lane, to)]),
      "10000 messages",
    );
    await closeLane(lane);
  });

  test(`a thousand sends in flight at once pass a high-water mark of one over ${scheme} in their order`, async () => {
    const marks = { sender: { sendHighWaterMark: 1 }, receiver: { receiveHighWaterMark: 1 } };
    const lane = await openLane("PUSH-PULL", scheme, marks);
    const sends = Array.from({ length: 1_000 }, (_, index) => lane.sender.send(numberedBody(index, 8)));
    await within(Promise.all([tryReceiveAll(lane, 1_000), ...sends]), "1000 sends");
    await closeLane(lane);
  });
}

async function trySendAll({ sender }: Lane, { from, to, bytesOf }: Range): Promise<void> {
  for (let index = from; index < to;) {
    if (sender.trySend(numberedBody(index, bytesOf(index)))) index++;
    else await sender.waitWritable();
  }
}

async function tryReceiveAll({ receiver }: Lane, messages: number): Promise<void> {
  for (let index = 0; index < messages;) {
    const message = receiver.tryReceive();
    if (message === undefined) {
      await receiver.waitReadable();
      continue;
    }
    const [body] = message;
    assert(body !== undefined && body.length >= 4);
    assertEquals(new DataView(body.buffer, body.byteOffset).getUint32(0), index);
    index++;
  }
  assertEquals(receiver.tryReceive(), undefined);
}
