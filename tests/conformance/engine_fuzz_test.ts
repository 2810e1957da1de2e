import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../support/properties.ts";
import { asciiBytes, concat } from "../../src/bytes/bytes.ts";
import {
  encodeCommandFrame,
  encodeError,
  encodePing,
  encodeReady,
  encodeSubscribe,
} from "../../src/zmtp/commands.ts";
import { encodeGreeting } from "../../src/zmtp/greeting.ts";
import { encodeFrame } from "../../src/zmtp/frame_encoder.ts";
import { encodeOurMetadata } from "../../src/zmtp/metadata.ts";
import { PlayedEngine } from "./engine_player.ts";

const GREETING = encodeGreeting({ mechanism: "NULL", asServer: false });
const READY = encodeCommandFrame(
  encodeReady(encodeOurMetadata({ socketType: "SUB", identity: new Uint8Array(0) })),
);

/** Small limits, so that random sizes lie on both sides of them. */
const LIMITS = {
  frameBytesMax: 40,
  messageBytesMax: 60,
  messageFramesMax: 4,
  handshakeCommandBytesMax: 100,
  handshakePropertiesMax: 3,
};

interface Run {
  readonly messages: readonly unknown[];
  readonly others: readonly unknown[];
  /** The code with which the connection was closed, if it was. */
  readonly closed: string | undefined;
}

function run(stream: Uint8Array, chunkBytes: number): Run {
  const engine = new PlayedEngine({ type: "XPUB", limits: LIMITS });
  const events = engine.playBytes({}, stream, chunkBytes).events as readonly Record<string, unknown>[];
  const closed = events.filter((event) => "closed" in event);
  assert(
    closed.length <= 1 && closed[0] === (closed.length === 1 ? events.at(-1) : undefined),
    "closed is once and last",
  );
  if (closed.length === 1) assertEquals(closed[0]!.closed, "peer", "only the peer can be at fault here");
  return {
    messages: events.filter((event) => "message" in event),
    others: events.filter((event) => !("message" in event) && !("closed" in event)),
    closed: closed[0]?.error as string | undefined,
  };
}

/**
 * Two cuts of one stream. Commands are handled when their bytes arrive, ahead of messages that wait for the pipe: where
 * one of those messages closes the connection, the commands behind it may or may not have been seen.
 */
function assertAlike(actual: Run, expected: Run, told: string): void {
  assertEquals(actual.closed, expected.closed, told);
  assertEquals(actual.messages, expected.messages, told);
  const count = actual.closed === undefined
    ? Infinity
    : Math.min(actual.others.length, expected.others.length);
  assertEquals(actual.others.slice(0, count), expected.others.slice(0, count), told);
}

const body = fc.uint8Array({ maxLength: 70 });
const frame = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(fc.integer({ min: 0, max: 1 }), body).map(([more, bytes]) =>
      encodeFrame(more, bytes)
    ),
  },
  // More frames than a message may have.
  {
    weight: 1,
    arbitrary: fc.constant(concat(Array.from({ length: 5 }, () => encodeFrame(1, asciiBytes("x"))))),
  },
  // A long size for whatever body.
  {
    weight: 2,
    arbitrary: body.map((bytes) => concat([Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, bytes.length), bytes])),
  },
  {
    weight: 2,
    arbitrary: fc.uint8Array({ maxLength: 20 }).map((topic) => encodeCommandFrame(encodeSubscribe(topic))),
  },
  { weight: 2, arbitrary: fc.nat(70_000).map((ttlMs) => encodeCommandFrame(encodePing(ttlMs))) },
  { weight: 1, arbitrary: fc.constantFrom(READY, encodeCommandFrame(encodeError("no")), GREETING) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(255), body).map(([flags, bytes]) => encodeFrame(flags & 0xfd, bytes)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 12 }) },
);
const frames = fc.array(frame, { maxLength: 12 }).map((list) => concat(list));
const beginnings = fc.constantFrom(
  new Uint8Array(0),
  GREETING,
  concat([GREETING, READY]),
  concat([GREETING, READY]),
);

/** One stream for each outcome, so that none depends on the luck of a run. */
const OUTCOMES: readonly (readonly [string, Uint8Array])[] = [
  ["open", encodeFrame(0, asciiBytes("fits"))],
  ["ERR_PEER_VERSION", new Uint8Array(20).fill(0x41)],
  ["ERR_PEER_FRAME", Uint8Array.of(0xf8, 0)],
  ["ERR_PEER_FRAME_SIZE", encodeFrame(0, new Uint8Array(41))],
  [
    "ERR_PEER_MESSAGE_SIZE",
    concat([encodeFrame(1, new Uint8Array(40)), encodeFrame(0, new Uint8Array(40))]),
  ],
  ["ERR_PEER_COMMAND", READY],
  ["ERR_PEER_ERROR", encodeCommandFrame(encodeError("no"))],
];
const started = concat([GREETING, READY]);
const beginningOf = (outcome: string) =>
  outcome === "ERR_PEER_VERSION" ? new Uint8Array(0) : outcome === "ERR_PEER_ERROR" ? GREETING : started;

test("whatever arrives, an engine goes on or closes with a PeerError, and the cuts of the stream decide nothing", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(beginnings, frames, fc.integer({ min: 1, max: 200 }), (beginning, rest, chunkBytes) => {
      const stream = concat([beginning, rest]);
      const whole = run(stream, Math.max(stream.length, 1));
      assertAlike(run(stream, 1), whole, "byte by byte");
      assertAlike(run(stream, chunkBytes), whole, `chunks of ${chunkBytes}`);
      const outcome = whole.closed ?? "open";
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
    }),
    {
      numRuns: 1_500,
      examples: OUTCOMES.map(([outcome, stream]) => [beginningOf(outcome), stream, 7]),
    },
  );
  for (const [outcome] of OUTCOMES) assert(seen.has(outcome), `${outcome} was never reached: ${[...seen]}`);
});

test("a stream with one bit flipped is never answered with anything but an event", () => {
  const stream = concat([
    GREETING,
    READY,
    encodeFrame(1, asciiBytes("first")),
    encodeCommandFrame(encodePing(100, asciiBytes("ctx"))),
    encodeFrame(0, asciiBytes("last")),
    encodeCommandFrame(encodeSubscribe(asciiBytes("topic"))),
  ]);
  let refused = 0;
  for (let bit = 0; bit < stream.length * 8; bit++) {
    const flipped = stream.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const whole = run(flipped, flipped.length);
    assertAlike(run(flipped, 1), whole, `bit ${bit}`);
    if (whole.closed !== undefined) refused++;
  }
  assert(refused > 100, `only ${refused} flips were refused`);
});
