import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { encodeMessage } from "../../../src/log/wire/codec.ts";
import { HEADER_BYTES, HEADER_CRC_AT, TYPE_AT, TYPES, VERSION_AT } from "../../../src/log/wire/layout.ts";
import type * as M from "../../../src/log/wire/messages.ts";
import { batchOf, bodyOf, type Peer } from "./broker_peer.ts";
import { BrokerScene } from "./broker_scene.ts";

/**
 * - `new`: nothing was said.
 * - `greeted`: hello was said; there is no topic.
 * - `busy`: it has the topic, session 1, cursor 1 and the consumer with handle 1.
 */
type LinkState = "new" | "greeted" | "busy";

function inState(state: LinkState, store: "memory" | "machine" = "memory"): Peer {
  const scene = new BrokerScene({ store });
  const peer = scene.peer({ greet: state !== "new" });
  if (state !== "busy") return peer;
  peer.openTopic();
  peer.openSession({ session: 1n });
  peer.publish({ session: 1n, epoch: 1 }, 0, "first");
  peer.wait("ack");
  peer.subscribe();
  peer.say({ type: "openConsumer", request: 9, topic: "orders", consumer: "c" });
  scene.settle();
  peer.told.length = 0;
  return peer;
}

/** What was told: types, and codes of errors. */
function answers(peer: Peer): string {
  peer.scene.settle();
  return peer.told.splice(0).map((message) => {
    if (message.type === "refused" || message.type === "cursorEnded") {
      return message.error.code.replace("ERR_LOG_", "");
    }
    return message.type === "fenced" ? `fenced ${message.reason}` : message.type;
  }).join(", ");
}

const topic = "orders";
const open: M.OpenSession = {
  type: "openSession",
  request: 5,
  topic,
  publisher: "",
  session: 77n,
  epoch: 0,
  acknowledged: 0,
  ack: 1,
  windowBatches: 4,
  windowBytes: 4_096,
};
const subscribe: M.Subscribe = {
  type: "subscribe",
  request: 5,
  cursor: 2,
  topic,
  start: "earliest",
  from: 0n,
  generation: 0,
  creditBytes: 1_000,
};
const read: M.Read = { type: "read", request: 5, topic, from: 0n, bytesMax: 1_000, waitMs: 0 };
const commit: M.Commit = { type: "commit", request: 5, handle: 1, epoch: 1, position: 1n, generation: 1 };
const one = bodyOf(["second"]);

/** Every message that a client may say, and what a link is told in each of its states. "": nothing. */
const TABLE: readonly (readonly [string, M.ClientMessage, string, string, string])[] = [
  ["hello", { type: "hello", versionMin: 1, versionMax: 9, features: 0 }, "welcome", "welcome", "welcome"],
  [
    "hello of a later version alone",
    { type: "hello", versionMin: 2, versionMax: 9, features: 0 },
    "UNSUPPORTED",
    "UNSUPPORTED",
    "UNSUPPORTED",
  ],
  [
    "openTopic",
    { type: "openTopic", request: 5, topic, options: {} },
    "UNSUPPORTED",
    "topicOpened",
    "topicOpened",
  ],
  [
    "openTopic with another order",
    { type: "openTopic", request: 5, topic, options: { order: 0 } },
    "UNSUPPORTED",
    "topicOpened",
    "TOPIC",
  ],
  [
    "openTopic with a name that is none",
    { type: "openTopic", request: 5, topic: "../orders", options: {} },
    "UNSUPPORTED",
    "TOPIC",
    "TOPIC",
  ],
  [
    "openTopic with segments that are too small",
    { type: "openTopic", request: 5, topic: "small", options: { segmentBytes: 5 } },
    "UNSUPPORTED",
    "TOPIC",
    "TOPIC",
  ],
  ["openSession", open, "UNSUPPORTED", "TOPIC", "sessionOpened"],
  [
    "openSession for a session that is not there",
    { ...open, epoch: 1 },
    "UNSUPPORTED",
    "TOPIC",
    "fenced sessionUnknown",
  ],
  [
    "openSession for an epoch that is not there",
    { ...open, session: 1n, epoch: 9 },
    "UNSUPPORTED",
    "TOPIC",
    "fenced sessionUnknown",
  ],
  [
    "openSession for a new epoch",
    { ...open, session: 1n },
    "UNSUPPORTED",
    "TOPIC",
    "fenced superseded, sessionOpened",
  ],
  [
    "openSession that resumes",
    { ...open, session: 1n, epoch: 1, acknowledged: 1 },
    "UNSUPPORTED",
    "TOPIC",
    "sessionOpened",
  ],
  ["openSession with less than the topic's ack", { ...open, ack: 0 }, "UNSUPPORTED", "TOPIC", "TOPIC"],
  [
    "openSession with an ack that memory cannot give",
    { ...open, ack: 2 },
    "UNSUPPORTED",
    "TOPIC",
    "TOPIC",
  ],
  [
    "openSession with a name that is none",
    { ...open, session: 0n, publisher: "a\nb" },
    "UNSUPPORTED",
    "TOPIC",
    "TOPIC",
  ],
  ["batch", batchOf(1n, 1, 1, one, 1), "SESSION_UNKNOWN", "SESSION_UNKNOWN", "ack, records"],
  [
    "batch of another session",
    batchOf(9n, 1, 1, one, 1),
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
    "SESSION_UNKNOWN",
  ],
  ["yield", { type: "yield", session: 1n, epoch: 1, limit: 1 }, "UNSUPPORTED", "", ""],
  ["yield of another session", { type: "yield", session: 9n, epoch: 1, limit: 1 }, "UNSUPPORTED", "", ""],
  ["closeSession", { type: "closeSession", session: 1n, epoch: 1 }, "UNSUPPORTED", "", ""],
  ["closeSession of another epoch", { type: "closeSession", session: 1n, epoch: 2 }, "UNSUPPORTED", "", ""],
  ["read", read, "TOPIC", "TOPIC", "records"],
  ["read of what is not there yet", { ...read, from: 5n }, "TOPIC", "TOPIC", "records"],
  ["read that may not have a byte", { ...read, bytesMax: 0 }, "TOPIC", "TOPIC", "records"],
  ["subscribe", subscribe, "UNSUPPORTED", "", "subscribed, records"],
  ["subscribe, with the same cursor", { ...subscribe, cursor: 1 }, "UNSUPPORTED", "", "subscribed, records"],
  ["subscribe from the latest", { ...subscribe, start: "latest" }, "UNSUPPORTED", "", "subscribed"],
  [
    "subscribe from a time",
    { ...subscribe, start: "timestamp", from: 5n },
    "UNSUPPORTED",
    "",
    "subscribed, records",
  ],
  [
    "subscribe from a time to come",
    {
      ...subscribe,
      start: "timestamp",
      from: 9_000_000_000_000n,
    },
    "UNSUPPORTED",
    "",
    "subscribed",
  ],
  [
    "subscribe from the tail",
    { ...subscribe, start: "position", from: 1n },
    "UNSUPPORTED",
    "",
    "subscribed",
  ],
  [
    "subscribe from a position to come",
    { ...subscribe, start: "position", from: 2n },
    "UNSUPPORTED",
    "",
    "CUT",
  ],
  [
    "subscribe to a name that is none",
    { ...subscribe, topic: "/" },
    "UNSUPPORTED",
    "TOPIC",
    "TOPIC",
  ],
  ["credit", { type: "credit", cursor: 1, consumedBytes: 9 }, "UNSUPPORTED", "", ""],
  ["credit of another cursor", { type: "credit", cursor: 9, consumedBytes: 9 }, "UNSUPPORTED", "", ""],
  ["unsubscribe", { type: "unsubscribe", cursor: 1 }, "UNSUPPORTED", "", ""],
  ["unsubscribe another cursor", { type: "unsubscribe", cursor: 9 }, "UNSUPPORTED", "", ""],
  [
    "openConsumer",
    { type: "openConsumer", request: 5, topic, consumer: "d" },
    "UNSUPPORTED",
    "TOPIC",
    "consumerOpened",
  ],
  [
    "openConsumer with the same name",
    { type: "openConsumer", request: 5, topic, consumer: "c" },
    "UNSUPPORTED",
    "TOPIC",
    "consumerSuperseded, consumerOpened",
  ],
  [
    "openConsumer with a name that is none",
    { type: "openConsumer", request: 5, topic, consumer: "\0" },
    "UNSUPPORTED",
    "TOPIC",
    "TOPIC",
  ],
  ["commit", commit, "UNSUPPORTED", "SUPERSEDED", "done"],
  ["commit, back", { ...commit, position: 0n }, "UNSUPPORTED", "SUPERSEDED", "done"],
  ["commit beyond the tail", { ...commit, position: 2n }, "UNSUPPORTED", "SUPERSEDED", "CUT"],
  ["commit with another handle", { ...commit, handle: 9 }, "UNSUPPORTED", "SUPERSEDED", "SUPERSEDED"],
  ["commit of another epoch", { ...commit, epoch: 9 }, "UNSUPPORTED", "SUPERSEDED", "SUPERSEDED"],
  ["closeConsumer", { type: "closeConsumer", handle: 1 }, "UNSUPPORTED", "", ""],
  ["closeConsumer with another handle", { type: "closeConsumer", handle: 9 }, "UNSUPPORTED", "", ""],
  ["trim", { type: "trim", request: 5, topic, before: 1n }, "UNSUPPORTED", "TOPIC", "done"],
  ["trim beyond the tail", { type: "trim", request: 5, topic, before: 99n }, "UNSUPPORTED", "TOPIC", "done"],
  ["status", { type: "status", request: 5 }, "statusReport", "statusReport", "statusReport"],
  ["unsupported", { type: "unsupported", request: 5, unknownType: 99 }, "", "", ""],
];

for (const [name, message, ...told] of TABLE) {
  test(`what a link is told: ${name}`, () => {
    (["new", "greeted", "busy"] as const).forEach((state, at) => {
      const peer = inState(state);
      const bodies = message.type === "batch" ? [one.slice()] : [];
      peer.say(message, ...bodies);
      const requests = peer.told.flatMap((answer) => "request" in answer ? [answer.request] : []);
      assertEquals(answers(peer), told[at], state);
      const asked = "request" in message ? message.request : 0;
      assert(requests.every((request) => request === asked || request === 0), `${state}: ${requests}`);
      assert(peer.open, "the link stays");
      // Whatever it was, the next message is understood.
      peer.say({ type: "status", request: 8 });
      assertEquals(answers(peer), "statusReport");
      peer.vanish();
      peer.scene.settle();
      peer.scene.assertNothingHeld();
    });
  });
}

test("the table has every type that clients say", () => {
  const said = new Set(TABLE.map(([, { type }]) => type));
  const types = Object.entries(TYPES).filter(([, number]) => number % 2 === 1).map(([type]) => type);
  assertEquals([...said].sort(), types.sort());
});

test("a type that nobody knows, and one that only brokers say, is answered by unsupported; the link stays", () => {
  for (const state of ["new", "greeted", "busy"] as const) {
    const peer = inState(state);
    const [header] = encodeMessage({ type: "status", request: 5 }, crc32);
    header![TYPE_AT] = 99;
    signed(header!);
    peer.raw([header!]);
    peer.say({ type: "done", request: 6, position: 0n } as unknown as M.ClientMessage);
    assertEquals(peer.expect("unsupported"), { type: "unsupported", request: 5, unknownType: 99 });
    assertEquals(peer.expect("unsupported"), {
      type: "unsupported",
      request: 6,
      unknownType: TYPES.done,
    });
    assert(peer.open);
  }
});

test("what cannot be read is refused, with the request where it can be told, and the link stays", () => {
  for (const state of ["new", "greeted", "busy"] as const) {
    const peer = inState(state);
    const frames = (): Uint8Array[] =>
      encodeMessage({ type: "openTopic", request: 5, topic, options: {} }, crc32);
    const broken: [string, number, (frames: Uint8Array[]) => Uint8Array[]][] = [
      ["MALFORMED", 0, () => []],
      ["MALFORMED", 0, () => [new Uint8Array(0)]],
      ["MALFORMED", 0, ([header]) => [header!.subarray(0, HEADER_BYTES - 1)]],
      ["MALFORMED", 0, ([header, body]) => [flipped(header!, HEADER_BYTES - 1), body!]],
      ["MALFORMED", 5, ([header]) => [header!]],
      ["MALFORMED", 5, ([header, body]) => [header!, body!, body!]],
      ["MALFORMED", 5, ([header, body]) => [header!, flipped(body!, 3)]],
      ["MALFORMED", 5, ([header, body]) => [header!, body!.subarray(1)]],
    ];
    for (const [code, request, damage] of broken) {
      peer.raw(damage(frames()));
      peer.expectRefused(`ERR_LOG_${code}`, request);
    }
    const [later, body] = frames();
    later![VERSION_AT] = 7;
    signed(later!);
    peer.raw([later!, body!]);
    peer.expectRefused("ERR_LOG_UNSUPPORTED", 5);
    peer.assertQuiet();
    assert(peer.open);
  }
});

test("hello is answered with what both need to know, however often; versions that do not meet with both", () => {
  const scene = new BrokerScene();
  const peer = scene.peer({ greet: false });
  for (let times = 0; times < 3; times++) {
    peer.say({ type: "hello", versionMin: 1, versionMax: 255, features: 0xffff_ffff });
    const { version, features, batchBytesMax, logId } = peer.expect("welcome");
    assertEquals([version, features, batchBytesMax], [1, 0, 1_024]);
    assertEquals(logId, scene.broker.logId);
  }
  const other = scene.peer({ greet: false });
  for (const [versionMin, versionMax] of [[9, 9], [2, 2], [2, 255]] as const) {
    other.say({ type: "hello", versionMin, versionMax, features: 0 });
    const { error } = other.expectRefused("ERR_LOG_UNSUPPORTED", 0);
    assertEquals(error.message, `This broker speaks version 1, the client ${versionMin} to ${versionMax}`);
  }
  other.say({ type: "openTopic", request: 3, topic, options: {} });
  other.expectRefused("ERR_LOG_UNSUPPORTED", 3);
  other.say({ type: "hello", versionMin: 1, versionMax: 1, features: 0 });
  other.expect("welcome");
});

function signed(header: Uint8Array): void {
  const view = new DataView(header.buffer, header.byteOffset);
  view.setUint32(HEADER_CRC_AT, crc32(header.subarray(0, HEADER_CRC_AT), 0), true);
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice();
  copy[at]! ^= 1;
  return copy;
}
