/**
 * Plays the vectors of WebSocket against the bridge over bytes. See README.md.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { assertEquals } from "@std/assert";
import { concat } from "../../src/bytes/bytes.ts";
import { PeerError } from "../../src/errors.ts";
import type { Host } from "../../src/ports.ts";
import { encodeCommandFrame, encodeReady } from "../../src/zmtp/commands.ts";
import { encodeGreeting } from "../../src/zmtp/greeting.ts";
import { encodeMetadata } from "../../src/zmtp/metadata.ts";
import { bridged } from "../support/bridged_streams.ts";
import { RecordingHandlers } from "../support/recording_handlers.ts";
import { ScriptedStream } from "../support/scripted_stream.ts";
import { frame, framesIn } from "../support/web_socket_frames.ts";
import { forEachChunking } from "./chunks.ts";
import { bytesOf } from "./notation.ts";

export type Role = "client" | "server";

/** One fact about what a peer sends and what becomes of it. */
export interface WebSocketVector {
  readonly spec: string;
  readonly name: string;
  readonly play: "websocket";
  /** Ours. Default: either. */
  readonly roles?: readonly Role[];
  readonly frameBytesMax?: number;
  readonly protocol?: string;
  /** The peer has not sent its READY yet. */
  readonly unready?: true;
  /** Frames of the peer, unmasked; those for a server are masked by the player. */
  readonly in?: readonly string[];
  /** Bytes of the peer as they are. */
  readonly raw?: string;
  /** ZMTP that our engine writes. */
  readonly send?: string;
  /** ZMTP that our engine gets. */
  readonly up?: string;
  /** Frames that leave, unmasked; of a close frame the code alone. */
  readonly out?: readonly string[];
  /** Our engine hears that the peer sends no more. */
  readonly ended?: true;
  readonly error?: string;
}

export function readWebSocketVectors(): { readonly file: string; readonly vector: WebSocketVector }[] {
  const folder = "tests/conformance/vectors";
  return readdirSync(folder).filter((file) => /^websocket_.*\.json$/.test(file)).sort().flatMap((file) => {
    const vectors = JSON.parse(readFileSync(`${folder}/${file}`, "utf8")) as readonly WebSocketVector[];
    return vectors.map((vector) => ({ file, vector }));
  });
}

const BINARY = 0x82;
const CLOSE = 0x88;

/** Time stands still, and chance is a counter. */
function hostOf(): Host {
  let drawn = 1;
  return {
    nowMs: () => 0,
    wallMs: () => 0,
    schedule: () => () => {},
    microtask: (run) => run(),
    turn: (run) => run(),
    random: (into) => into.forEach((_, index) => into[index] = drawn++ * 37),
    keepAlive: () => {},
  };
}

function ready(type: string): Uint8Array {
  return encodeReady(encodeMetadata([["Socket-Type", Uint8Array.from(type, (one) => one.charCodeAt(0))]]));
}

/** Masks frames one by one, each with a key of its own. */
function forServer(frames: readonly Uint8Array[]): Uint8Array {
  return concat(frames.map((bytes, index) => {
    const { frames: [plain], rest } = framesIn(bytes);
    if (plain === undefined || rest.length > 0) throw new SyntaxError("an item of `in` is not one frame");
    return frame(plain.first, plain.payload, [0x11 + index, 0x80, 0xff, index]);
  }));
}

/** What the peer sends. */
function bytesIn(vector: WebSocketVector, role: Role): Uint8Array {
  if (vector.raw !== undefined) return bytesOf(vector.raw);
  const frames = (vector.in ?? []).map(bytesOf);
  return role === "server" ? forServer(frames) : concat(frames);
}

/** One frame that left, as it stands in the vectors. */
function told(role: Role, { first, payload, masked }: ReturnType<typeof framesIn>["frames"][0]): Uint8Array {
  assertEquals(masked, role === "client", "only clients mask");
  return frame(first, first === CLOSE ? payload.slice(0, 2) : payload);
}

/** Plays a vector in one role, in every cut of what the peer sends. */
export function playWebSocket(vector: WebSocketVector, role: Role): void {
  forEachChunking(bytesIn(vector, role), (chunks, chunkBytes) => {
    const stream = new ScriptedStream();
    const { protocol = "ZWS2.0/NULL", frameBytesMax = 100_000 } = vector;
    const handlers = new RecordingHandlers();
    const options = { host: hostOf(), protocol, frameBytesMax };
    const transport = handlers.transport = bridged(stream.dial, role, options)(handlers);
    stream.open();
    transport.write(encodeGreeting({ mechanism: "NULL", asServer: false }));
    transport.write(encodeCommandFrame(ready("PUSH")));
    if (vector.unready === undefined) {
      const hello = frame(BINARY, concat([Uint8Array.of(2), ready("PULL")]));
      stream.handlers.data(role === "server" ? forServer([hello]) : hello);
    }
    stream.taken.length = 0;
    const before = concat(handlers.chunks).length;
    for (const chunk of chunks) stream.handlers.data(chunk);
    if (vector.send !== undefined) transport.write(bytesOf(vector.send));
    const out = framesIn(stream.written);
    if (stream.flushes > 0) stream.close();
    const { cause } = handlers;
    const seen = {
      up: concat(handlers.chunks).slice(before) as Uint8Array,
      out: out.frames.map((one) => told(role, one)),
      ended: handlers.ended,
      error: cause instanceof PeerError ? cause.code : cause,
    };
    const expected = {
      up: bytesOf(vector.up ?? ""),
      out: (vector.out ?? []).map(bytesOf),
      ended: vector.ended ?? false,
      error: vector.error,
    };
    assertEquals(seen, expected, `as ${role}, chunks of ${chunkBytes}`);
    assertEquals([out.rest.length, handlers.problems], [0, []]);
  });
}
