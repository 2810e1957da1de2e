/**
 * One sender and one receiver of each pattern of the stability matrix, in this process, and the numbered messages that
 * go through them.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Dealer, Pair, Publisher, Pull, Push, Router, type Socket, Subscriber } from "../../mod.ts";
import { freshAddress, type Scheme } from "../interop/support/addresses.ts";
import { within } from "../interop/support/deadline.ts";
import { testCertificates } from "../support/certificates.ts";

/** The patterns of the matrix, and the simplest one, on which most other tests run. */
export type LaneName =
  | "PAIR"
  | "PUB-SUB"
  | "DEALER-DEALER"
  | "DEALER-ROUTER"
  | "ROUTER-ROUTER"
  | "ROUTER-ROUTER, polled"
  | "PUSH-PULL";

/** The six patterns of the matrix. */
export const MATRIX: readonly LaneName[] = [
  "PAIR",
  "PUB-SUB",
  "DEALER-DEALER",
  "DEALER-ROUTER",
  "ROUTER-ROUTER",
  "ROUTER-ROUTER, polled",
];

type Sending = Socket & Pick<Push, "send" | "trySend" | "waitWritable">;
type Receiving = Socket & Pick<Pull, "receive" | "tryReceive" | "waitReadable">;

/** A sender that is connected to a receiver. */
export interface Lane {
  readonly sender: Sending;
  readonly receiver: Receiving;
  /** What stands before the body when it is sent, and when it arrives. */
  readonly prefix: readonly Uint8Array[];
  readonly arrivingPrefix: readonly Uint8Array[];
  /** Whether the receiver asks again and again instead of waiting for each message. */
  readonly polled: boolean;
}

/** Options of both ends. */
export interface LaneOptions {
  readonly sender?: object;
  readonly receiver?: object;
}

const SENDER_ID = new TextEncoder().encode("sender");
const RECEIVER_ID = new TextEncoder().encode("receiver");

function socketsOf(name: LaneName, { sender = {}, receiver = {} }: LaneOptions): [Sending, Receiving] {
  switch (name) {
    case "PAIR":
      return [new Pair(sender), new Pair(receiver)];
    case "PUB-SUB":
      // A publisher drops what a slow subscriber has no room for, unless it is told to wait.
      return [new Publisher({ ...sender, noDrop: true }), new Subscriber(receiver)];
    case "DEALER-DEALER":
      return [new Dealer(sender), new Dealer(receiver)];
    case "DEALER-ROUTER":
      return [new Dealer({ ...sender, routingId: SENDER_ID }), new Router(receiver)];
    case "ROUTER-ROUTER":
    case "ROUTER-ROUTER, polled":
      return [
        new Router({ ...sender, routingId: SENDER_ID, mandatory: true }),
        new Router({ ...receiver, routingId: RECEIVER_ID }),
      ];
    case "PUSH-PULL":
      return [new Push(sender), new Pull(receiver)];
  }
}

/** What the two ends of an encrypted transport need; the receiver is bound. */
export async function transportOptions(scheme: Scheme): Promise<{ ofSender?: object; ofReceiver?: object }> {
  if (scheme !== "tls" && scheme !== "wss") return {};
  const { authority, server } = await testCertificates();
  return {
    ofSender: { tls: { authorities: authority.certificate } },
    ofReceiver: { tls: { certificate: server.certificate, key: server.key } },
  };
}

/** Opens a lane over a transport; the receiver is bound. Both ends know each other when this resolves. */
export async function openLane(name: LaneName, scheme: Scheme, options: LaneOptions = {}): Promise<Lane> {
  const { ofSender, ofReceiver } = await transportOptions(scheme);
  const [sender, receiver] = socketsOf(name, {
    sender: { ...options.sender, ...ofSender },
    receiver: { ...options.receiver, ...ofReceiver },
  });
  await receiver.bind(freshAddress(scheme));
  if (receiver instanceof Subscriber) receiver.subscribe();
  sender.connect(receiver.lastEndpoint!);
  await within(sender.ready(), `the two ends of ${name} over ${scheme} to meet`);
  if (sender instanceof Publisher) await within(sender.subscribed(""), "the subscription");
  const routed = name.startsWith("ROUTER");
  return {
    sender,
    receiver,
    prefix: routed ? [RECEIVER_ID] : [],
    arrivingPrefix: receiver instanceof Router ? [SENDER_ID] : [],
    polled: name.endsWith("polled"),
  };
}

/** Closes both ends and waits until nothing is left of them. */
export async function closeLane({ sender, receiver }: Lane): Promise<void> {
  await within(
    Promise.all([sender[Symbol.asyncDispose](), receiver[Symbol.asyncDispose]()]),
    "the lane to close",
  );
}

/**
 * Makes message number `index`: its number, then bytes that depend on it. Fresh memory each time, because bodies may be
 * given away.
 */
export function numberedBody(index: number, bytes: number): Uint8Array {
  const body = new Uint8Array(bytes).fill(index * 31 + 7);
  if (bytes >= 4) new DataView(body.buffer).setUint32(0, index);
  return body;
}

/** Sends messages `from` to `to`, one awaited call each. */
export async function sendNumbered(lane: Lane, range: Range): Promise<void> {
  const { sender, prefix } = lane;
  for (let index = range.from; index < range.to; index++) {
    const body = numberedBody(index, range.bytesOf(index));
    await sender.send(prefix.length === 0 ? body : [...prefix, body]);
  }
}

/** Which messages, and how long they are. */
export interface Range {
  readonly from: number;
  readonly to: number;
  readonly bytesOf: (index: number) => number;
}

/** Receives messages `from` to `to`, and fails at the first that is missing, doubled, out of order or changed. */
export async function receiveNumbered(lane: Lane, range: Range): Promise<void> {
  const { receiver, polled } = lane;
  for (let index = range.from; index < range.to; index++) {
    let message = polled ? receiver.tryReceive() : await receiver.receive();
    while (message === undefined) {
      await receiver.waitReadable();
      message = receiver.tryReceive();
    }
    checkNumbered(lane, message, index, range.bytesOf(index));
  }
}

function checkNumbered(lane: Lane, message: readonly Uint8Array[], index: number, bytes: number): void {
  const expected = [...lane.arrivingPrefix, numberedBody(index, bytes)];
  const equal = message.length === expected.length &&
    message.every((frame, at) => Buffer.compare(frame, expected[at]!) === 0);
  // Only a failure is worth a comparison that can tell the difference.
  if (!equal) assertEquals(message.map(plain), expected.map(plain), `message ${index}`);
}

/** A frame as a plain array, and as few bytes of it as tell which one it is. */
function plain(frame: Uint8Array): string {
  const head = Array.from(frame.subarray(0, 12), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${frame.length} bytes: ${head}`;
}

/** Sends and receives at the same time, all of `range`, in order and unchanged; nothing may follow. */
export async function passNumbered(lane: Lane, range: Range, what: string): Promise<void> {
  await within(Promise.all([sendNumbered(lane, range), receiveNumbered(lane, range)]), what, 100_000);
  assertEquals(lane.receiver.tryReceive(), undefined, "a message behind the last");
}
