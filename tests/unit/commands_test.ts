import { test } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "../support/properties.ts";
import { asciiBytes, asciiText, concat } from "../../src/bytes/bytes.ts";
import { BugError, PeerError } from "../../src/errors.ts";
import {
  type Command,
  commandData,
  decodeCommand,
  decodeLegacySubscription,
  encodeCancel,
  encodeCommand,
  encodeCommandFrame,
  encodeError,
  encodeLegacySubscription,
  encodePing,
  encodePong,
  encodeReady,
  encodeSubscribe,
  encodeSubscriptionFrame,
} from "../../src/zmtp/commands.ts";
import { encodeFrame } from "../../src/zmtp/frame_encoder.ts";
import { FLAG_COMMAND } from "../../src/zmtp/wire.ts";

const A = asciiBytes("A");

function accepted(body: Uint8Array): Command {
  const command = decodeCommand(body);
  assert(!(command instanceof PeerError), String(command));
  return command;
}

function refused(body: Uint8Array): void {
  const command = decodeCommand(body);
  assertInstanceOf(command, PeerError, JSON.stringify(command));
  assertEquals(command.code, "ERR_PEER_COMMAND");
}

function body(name: string, ...data: number[]): Uint8Array {
  return concat([Uint8Array.of(name.length), asciiBytes(name), Uint8Array.from(data)]);
}

test("a body is the name's length, the name and the data", () => {
  assertEquals(encodeReady(Uint8Array.of(1, 2)), body("READY", 1, 2));
  assertEquals(encodeSubscribe(A), body("SUBSCRIBE", 0x41));
  assertEquals(encodeCancel(A), body("CANCEL", 0x41));
  assertEquals(encodePing(1_000, A), body("PING", 0, 10, 0x41));
  assertEquals(encodePing(0), body("PING", 0, 0));
  assertEquals(encodePong(A), body("PONG", 0x41));
  assertEquals(encodeError("no"), body("ERROR", 2, 0x6e, 0x6f));
  assertEquals(encodeCommand("HELLO", A), body("HELLO", 0x41));
});

test("encodeCommandFrame() adds a header, with eight bytes of size from 256 bytes on", () => {
  assertEquals(encodeCommandFrame(encodeSubscribe(A)), concat([Uint8Array.of(4, 11), encodeSubscribe(A)]));
  const short = encodePong(new Uint8Array(0));
  assertEquals(encodeCommandFrame(short), concat([Uint8Array.of(4, 5), short]));
  const long = encodeSubscribe(new Uint8Array(246));
  assertEquals(encodeCommandFrame(long), concat([Uint8Array.of(6, 0, 0, 0, 0, 0, 0, 1, 0), long]));
});

test("a 3.0 peer is told a subscription as a message", () => {
  assertEquals(encodeLegacySubscription(A, true), Uint8Array.of(1, 0x41));
  assertEquals(encodeLegacySubscription(A, false), Uint8Array.of(0, 0x41));
  assertEquals(encodeSubscriptionFrame(A, true, true), Uint8Array.of(0, 2, 1, 0x41));
  assertEquals(encodeSubscriptionFrame(A, false, true), Uint8Array.of(0, 2, 0, 0x41));
});

test("encodeSubscriptionFrame() writes what encoding the body and framing it would, at every border of the size", () => {
  for (const bytes of [0, 1, 244, 245, 246, 247, 248, 249, 253, 254, 255, 256, 70_000]) {
    const topic = new Uint8Array(bytes).fill(0x61);
    for (const on of [true, false]) {
      const command = on ? encodeSubscribe(topic) : encodeCancel(topic);
      assertEquals(encodeSubscriptionFrame(topic, on, false), encodeFrame(FLAG_COMMAND, command));
      assertEquals(
        encodeSubscriptionFrame(topic, on, true),
        encodeFrame(0, encodeLegacySubscription(topic, on)),
      );
    }
  }
});

test("a topic of 255 bytes makes a long frame for a 3.0 peer", () => {
  const frame = encodeSubscriptionFrame(new Uint8Array(255), true, true);
  assertEquals(frame.subarray(0, 10), Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 1, 0, 1));
  assertEquals(frame.length, 9 + 256);
});

test("a TTL travels in tenths of a second, rounded up, and stops at the largest instead of wrapping", () => {
  const ticks = (ttlMs: number) => [...encodePing(ttlMs).subarray(5, 7)];
  assertEquals(ticks(0), [0, 0]);
  assertEquals(ticks(1), [0, 1]);
  assertEquals(ticks(100), [0, 1]);
  assertEquals(ticks(101), [0, 2]);
  assertEquals(ticks(65_600), [2, 0x90]);
  assertEquals(ticks(6_553_500), [0xff, 0xff]);
  assertEquals(ticks(6_553_600), [0xff, 0xff]);
  assertEquals(ticks(Infinity), [0xff, 0xff]);
  assertThrows(() => encodePing(-1), BugError);
  assertThrows(() => encodePing(NaN), BugError);
});

test("the TTL of a PING is told in milliseconds, without a wrap at 65.5 s", () => {
  for (
    const [high, low, ttlMs] of [[0, 0, 0], [0, 1, 100], [2, 0x90, 65_600], [0xff, 0xff, 6_553_500]] as const
  ) {
    assertEquals(accepted(body("PING", high, low)), { name: "PING", ttlMs, context: new Uint8Array(0) });
  }
});

test("a PING's context comes back in the PONG, and beyond 16 bytes it is cut", () => {
  for (let bytes = 0; bytes <= 40; bytes++) {
    const context = Uint8Array.from({ length: bytes }, (_, i) => i);
    const ping = accepted(body("PING", 0, 1, ...context));
    assert(ping.name === "PING");
    assertEquals(ping.context, context.subarray(0, 16));
    assertEquals(encodePong(ping.context), body("PONG", ...context.subarray(0, 16)));
    assertEquals(encodePong(context), body("PONG", ...context.subarray(0, 16)));
  }
  assertEquals(encodePing(0, new Uint8Array(16)).length, 23);
  assertThrows(() => encodePing(0, new Uint8Array(17)), BugError);
});

test("a PING without a whole TTL is refused", () => {
  refused(body("PING"));
  refused(body("PING", 1));
  assertEquals(accepted(body("PING", 0, 1)).name, "PING");
});

test("an ERROR tells its reason, printable whatever it holds; data behind it say nothing", () => {
  assertEquals(accepted(body("ERROR", 3, 0x34, 0x30, 0x30)), { name: "ERROR", reason: "400" });
  assertEquals(accepted(body("ERROR", 0)), { name: "ERROR", reason: "" });
  assertEquals(accepted(body("ERROR", 2, 0x1b, 0xff)), { name: "ERROR", reason: "\\x1b\\xff" });
  assertEquals(accepted(body("ERROR", 1, 0x61, 0x62)), { name: "ERROR", reason: "a" });
  refused(body("ERROR"));
  refused(body("ERROR", 1));
  refused(body("ERROR", 255, ...new Uint8Array(254)));
});

test("encodeError() cuts a reason at 255 characters and sends only printable ones", () => {
  assertEquals(encodeError("x".repeat(300)), body("ERROR", 255, ...new Uint8Array(255).fill(0x78)));
  assertEquals(encodeError("a\né😀~"), body("ERROR", 5, ...asciiBytes("a???~")));
  assertEquals(accepted(encodeError("")), { name: "ERROR", reason: "" });
});

test("a body without a whole name is refused", () => {
  refused(new Uint8Array(0));
  refused(Uint8Array.of(0));
  refused(Uint8Array.of(0, 0x41));
  refused(Uint8Array.of(1));
  refused(Uint8Array.of(5, ...asciiBytes("READ")));
  refused(Uint8Array.of(255, ...asciiBytes("READY")));
});

test("a name counts exactly as spelled, and an unknown one is no error", () => {
  for (const name of ["ping", "PINGS", "JOIN", "SUBSCRIB", "READY\0", "A"]) {
    assertEquals(accepted(body(name)).name, "unknown", name);
  }
  assertEquals(accepted(body("\x1b!", 1)), { name: "unknown", commandName: "\\x1b!" });
  assertEquals(accepted(body("x".repeat(255))), { name: "unknown", commandName: "x".repeat(255) });
});

test("empty topics, empty metadata and empty contexts are legal", () => {
  assertEquals(accepted(body("SUBSCRIBE")), { name: "SUBSCRIBE", topic: new Uint8Array(0) });
  assertEquals(accepted(body("CANCEL")), { name: "CANCEL", topic: new Uint8Array(0) });
  assertEquals(accepted(body("READY")), { name: "READY", metadata: new Uint8Array(0) });
  assertEquals(accepted(body("PONG")), { name: "PONG", context: new Uint8Array(0) });
});

test("what was encoded is decoded, also from the middle of a larger chunk", () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(fc.property(bytes, fc.nat(20), (data, before) => {
    const cases: [Uint8Array, Command][] = [
      [encodeReady(data), { name: "READY", metadata: data }],
      [encodeSubscribe(data), { name: "SUBSCRIBE", topic: data }],
      [encodeCancel(data), { name: "CANCEL", topic: data }],
      [encodePong(data.subarray(0, 16)), { name: "PONG", context: data.subarray(0, 16) }],
      [encodePing(500, data.subarray(0, 16)), { name: "PING", ttlMs: 500, context: data.subarray(0, 16) }],
    ];
    for (const [encoded, expected] of cases) {
      const chunk = new Uint8Array(before + encoded.length + 3).fill(0xee);
      chunk.set(encoded, before);
      assertEquals(accepted(chunk.subarray(before, before + encoded.length)), expected);
    }
  }));
});

test("decoded bytes are plain views, whatever the body was a subclass of", () => {
  const command = accepted(Buffer.from(encodeSubscribe(A)));
  assert(command.name === "SUBSCRIBE");
  assertStrictEquals(command.topic.constructor, Uint8Array);
});

test("decodeLegacySubscription() reads frames that begin with 01 or 00, and no others", () => {
  assertEquals(decodeLegacySubscription(Uint8Array.of(1, 0x41)), { name: "SUBSCRIBE", topic: A });
  assertEquals(decodeLegacySubscription(Uint8Array.of(0, 0x41)), { name: "CANCEL", topic: A });
  assertEquals(decodeLegacySubscription(Uint8Array.of(1)), { name: "SUBSCRIBE", topic: new Uint8Array(0) });
  assertEquals(decodeLegacySubscription(new Uint8Array(0)), undefined);
  for (let first = 2; first < 256; first++) {
    assertEquals(decodeLegacySubscription(Uint8Array.of(first, 0x41)), undefined);
  }
});

test("commandData() answers the data of the named command only", () => {
  assertEquals(commandData(body("HELLO", 1, 2), "HELLO"), Uint8Array.of(1, 2));
  assertEquals(commandData(body("HELLO"), "HELLO"), new Uint8Array(0));
  for (
    const other of [
      body("HELLOS", 1),
      body("HELL", 0x4f),
      Uint8Array.of(5, ...asciiBytes("HELL")),
      new Uint8Array(0),
    ]
  ) {
    assertEquals(commandData(other, "HELLO"), undefined, asciiText(other));
  }
});

test("random bytes give a command or a PeerError, and never anything else", () => {
  const names = fc.constantFrom("READY", "ERROR", "SUBSCRIBE", "CANCEL", "PING", "PONG", "X");
  const almost = fc.tuple(names, fc.uint8Array({ maxLength: 20 }), fc.nat(3)).map(([name, data, lie]) => {
    const bytes = concat([Uint8Array.of(name.length + Math.max(0, lie - 1)), asciiBytes(name), data]);
    return bytes;
  });
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), almost), (bytes) => {
      const command = decodeCommand(bytes);
      if (command instanceof PeerError) assertEquals(command.code, "ERR_PEER_COMMAND");
      seen.add(command.name);
      decodeLegacySubscription(bytes);
    }),
    { numRuns: 1_000, seed: 1 },
  );
  assertEquals(
    [...seen].sort(),
    ["CANCEL", "ERROR", "PING", "PONG", "PeerError", "READY", "SUBSCRIBE", "unknown"],
    "the generator must reach every kind of answer",
  );
});
