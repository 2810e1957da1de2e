import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { asciiBytes, concat, NO_BYTES } from "../../../src/bytes/bytes.ts";
import {
  encodeCommand,
  encodeCommandFrame,
  encodeError,
  encodePing,
  encodePong,
  encodeReady,
} from "../../../src/zmtp/commands.ts";
import { encodeFrame } from "../../../src/zmtp/frame_encoder.ts";
import { encodeGreeting } from "../../../src/zmtp/greeting.ts";
import { encodeMetadata, encodeOurMetadata, type Property } from "../../../src/zmtp/metadata.ts";
import type { SocketType } from "../../../src/zmtp/socket_type.ts";
import * as zws from "../../../src/websocket/zws/outbound.ts";
import { ZwsSession } from "../../../src/websocket/zws/session.ts";
import { parseProtocol } from "../../../src/websocket/zws/wire.ts";

interface Told {
  readonly what: string;
  readonly flags?: number;
  readonly body?: Uint8Array;
}

interface Setting {
  readonly protocol?: string;
  readonly pings?: boolean;
  readonly windowBytes?: number;
  readonly socketType?: SocketType;
  readonly before?: (session: ZwsSession) => void;
  readonly properties?: readonly Property[];
}

const GREETING = encodeGreeting({ mechanism: "NULL", asServer: false });

function sessionOf(setting: Setting): ZwsSession {
  const { protocol = "ZWS2.0/NULL", pings = true, windowBytes = 0, before } = setting;
  const session = new ZwsSession(parseProtocol(protocol)!, { pings, windowBytes });
  before?.(session);
  return session;
}

/** Everything that a bridge would be told of `bytes`, given in chunks of `size`. */
function read(session: ZwsSession, bytes: Uint8Array, size: number): Told[] {
  const outbound = new zws.ZwsOutbound(session);
  const told: Told[] = [];
  let parts: Uint8Array[] = [];
  const endMessage = (): void => {
    if (outbound.bodyLeft > 0) return;
    const body = concat(parts);
    assertEquals(body.length, outbound.bodyBytes);
    told.push({ what: "message", flags: outbound.flags, body });
    parts = [];
  };
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = bytes.subarray(at, at + size);
    outbound.begin(chunk);
    for (let step = outbound.next(); step !== zws.ZWS_DONE; step = outbound.next()) {
      if (step === zws.ZWS_MESSAGE || step === zws.ZWS_PART) {
        parts.push(chunk.slice(outbound.partStart, outbound.partEnd));
        endMessage();
      } else if (step === zws.ZWS_WHOLE) {
        told.push({ what: "message", flags: outbound.flags, body: outbound.body });
      } else if (step === zws.ZWS_ALIVE) told.push({ what: "alive" });
      else told.push({ what: step === zws.ZWS_PING ? "ping" : "pong", body: outbound.body });
    }
  }
  assert(outbound.between && parts.length === 0, "the last message is whole");
  return told;
}

/** Reads the greeting, READY and `frames` at every chunk size, and returns what follows READY. */
function readAfterReady(setting: Setting, ...frames: Uint8Array[]): Told[] {
  const { socketType = "PUSH", properties = [] } = setting;
  const ready = encodeReady(encodeOurMetadata({ socketType, identity: NO_BYTES, properties }));
  const bytes = concat([GREETING, encodeCommandFrame(ready), ...frames]);
  const whole = read(sessionOf(setting), bytes, bytes.length);
  for (let size = 1; size < Math.min(bytes.length, 300); size++) {
    assertEquals(read(sessionOf(setting), bytes, size), whole, `chunks of ${size}`);
  }
  return whole.slice(1);
}

test("messages of every header form leave with flags and body, whatever the chunks", () => {
  for (const bytes of [0, 1, 64, 255, 256, 70_000]) {
    const body = new Uint8Array(bytes).fill(bytes);
    assertEquals(readAfterReady({}, encodeFrame(1, body), encodeFrame(0, body)), [
      { what: "message", flags: 1, body },
      { what: "message", flags: 0, body },
    ]);
  }
});

test("a subscription in message form is a message", () => {
  assertEquals(readAfterReady({ socketType: "SUB" }, encodeFrame(0, Uint8Array.of(1, 65))), [
    { what: "message", flags: 0, body: Uint8Array.of(1, 65) },
  ]);
});

test("the greeting is swallowed, and READY announces the flow and the types of RFC 45", () => {
  const types: readonly [SocketType, string][] = [["XPUB", "PUB"], ["XSUB", "SUB"], ["PUSH", "PUSH"]];
  for (const [socketType, told] of types) {
    for (const windowBytes of [0, 4_096]) {
      const property: Property = ["X-Own", asciiBytes("kept")];
      const ours = encodeOurMetadata({ socketType, identity: NO_BYTES, properties: [property] });
      const bytes = concat([GREETING, encodeCommandFrame(encodeReady(ours))]);
      const session = sessionOf({ windowBytes });
      const expected = encodeReady(encodeMetadata([
        ["Socket-Type", asciiBytes(told)],
        property,
        ["X-Hawser-Flow", asciiBytes(String(windowBytes))],
      ]));
      assertEquals(read(session, bytes, 7), [{ what: "message", flags: 2, body: expected }]);
      assertEquals(session.socketType, socketType);
    }
  }
});

test("under PLAIN a client's INITIATE and a server's READY announce the flow, HELLO stays", () => {
  const metadata = encodeOurMetadata({ socketType: "PUSH", identity: NO_BYTES });
  const hello = encodeCommand("HELLO", Uint8Array.of(1, 97, 1, 98));
  const initiate = encodeCommand("INITIATE", metadata);
  const bytes = concat([GREETING, encodeCommandFrame(hello), encodeCommandFrame(initiate)]);
  const told = read(sessionOf({ protocol: "ZWS2.0/PLAIN" }), bytes, 5);
  assertEquals(told.map(({ flags }) => flags), [2, 2]);
  assertEquals(told[0]!.body, hello);
  assertEquals(
    told[1]!.body,
    concat([initiate, encodeMetadata([["X-Hawser-Flow", asciiBytes("0")]])]),
  );
});

test("without a handshake the identity is the first message, and commands do not leave", () => {
  const ready = encodeReady(encodeOurMetadata({ socketType: "DEALER", identity: asciiBytes("me") }));
  const bytes = concat([
    GREETING,
    encodeCommandFrame(ready),
    encodeCommandFrame(encodeError("no")),
    encodeFrame(0, asciiBytes("hello")),
  ]);
  for (let size = 1; size <= bytes.length; size++) {
    assertEquals(read(sessionOf({ protocol: "ZWS2.0" }), bytes, size), [
      { what: "message", flags: 0, body: asciiBytes("me") },
      { what: "message", flags: 0, body: asciiBytes("hello") },
    ]);
  }
});

test("PING and PONG are control frames, commands between hawser peers, or answered here", () => {
  const context = Uint8Array.of(1, 2, 3, 4);
  const ping = encodePing(500, context);
  const pong = encodePong(context);
  const frames = [encodeCommandFrame(ping), encodeCommandFrame(pong)];
  const controls = [{ what: "ping", body: context }, { what: "pong", body: context }];
  const commands = [
    { what: "message", flags: 2, body: ping },
    { what: "message", flags: 2, body: pong },
  ];
  const isHawser = (session: ZwsSession): void => void session.peerIs(0);
  assertEquals(readAfterReady({}, ...frames), controls);
  assertEquals(readAfterReady({ protocol: "ZWS2.0" }, ...frames), controls);
  assertEquals(readAfterReady({ before: isHawser }, ...frames), controls);
  assertEquals(readAfterReady({ pings: false, before: isHawser }, ...frames), commands);
  assertEquals(readAfterReady({ pings: false }, ...frames), [{ what: "alive" }]);
});

test("a peer that pinged with a command is answered with one", () => {
  const pong = encodePong(Uint8Array.of(9));
  const pinged = (session: ZwsSession): void => {
    session.pingedInBand = true;
  };
  assertEquals(readAfterReady({ before: pinged }, encodeCommandFrame(pong)), [
    { what: "message", flags: 2, body: pong },
  ]);
});

test("a mechanism that seals is passed on as it is", () => {
  const hello = encodeCommand("HELLO", new Uint8Array(194));
  const sealed = encodeCommand("MESSAGE", new Uint8Array(40));
  const bytes = concat([GREETING, encodeCommandFrame(hello), encodeFrame(0, sealed)]);
  assertEquals(read(sessionOf({ protocol: "ZWS2.0/CURVE" }), bytes, 9), [
    { what: "message", flags: 2, body: hello },
    { what: "message", flags: 0, body: sealed },
  ]);
});
