/**
 * Plays conformance vectors against the codecs. README.md describes the format; engine vectors are played by
 * engine_player.ts.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { assert, assertEquals } from "@std/assert";
import { copyOf } from "../../src/bytes/bytes.ts";
import { DEFAULT_LIMITS } from "../../src/engine/limits.ts";
import { type PeerCode, PeerError } from "../../src/errors.ts";
import {
  type Command,
  decodeCommand,
  decodeLegacySubscription,
  encodeCancel,
  encodeError,
  encodePing,
  encodePong,
  encodeReady,
  encodeSubscribe,
  encodeSubscriptionFrame,
} from "../../src/zmtp/commands.ts";
import { FrameDecoder, type FrameLimits } from "../../src/zmtp/frame_decoder.ts";
import { frameHeaderBytes, writeFrameHeader } from "../../src/zmtp/frame_encoder.ts";
import { acceptMechanism, encodeGreeting, GreetingDecoder } from "../../src/zmtp/greeting.ts";
import { acceptPeer, decodeMetadata, encodeMetadata } from "../../src/zmtp/metadata.ts";
import type { SocketType } from "../../src/zmtp/socket_type.ts";
import { forEachChunking } from "./chunks.ts";
import { bytesOf } from "./notation.ts";

/** Fields that every vector has. */
export interface VectorBase {
  readonly spec: string;
  readonly name: string;
}

/** A greeting as a vector tells it. */
export interface GreetingFact {
  readonly major: number;
  readonly minor: number;
  readonly mechanism: string;
  readonly asServer: boolean;
}

/** A command as a vector tells it; byte fields in the notation. */
export type CommandFact =
  | { readonly name: "READY"; readonly metadata: string }
  | { readonly name: "ERROR"; readonly reason: string }
  | { readonly name: "SUBSCRIBE" | "CANCEL"; readonly topic: string }
  | { readonly name: "PING"; readonly ttlMs: number; readonly context: string }
  | { readonly name: "PONG"; readonly context: string }
  | { readonly name: "unknown"; readonly commandName: string };

/** A message or a command as a vector tells it. */
export type SeenFact = { readonly message: readonly string[] } | { readonly command: string };

type Failing = { readonly error?: PeerCode };

/** One vector for a codec, by its `play`. */
export type CodecVector =
  & VectorBase
  & (
    | {
      readonly play: "greeting.encode";
      readonly mechanism: string;
      readonly asServer: boolean;
      readonly minor?: number;
      readonly out: string;
    }
    | {
      readonly play: "greeting.decode";
      readonly in: string;
      readonly consumed: number;
      readonly greeting?: GreetingFact;
    } & Failing
    | { readonly play: "greeting.accept"; readonly in: string; readonly mechanism: string } & Failing
    | {
      readonly play: "metadata.encode";
      readonly properties: readonly (readonly [string, string])[];
      readonly out: string;
    }
    | {
      readonly play: "metadata.decode";
      readonly in: string;
      readonly propertiesMax?: number;
      readonly metadata?: readonly (readonly [string, string])[];
    } & Failing
    | {
      readonly play: "peer.accept";
      readonly ours: SocketType;
      readonly in: string;
      readonly peer?: { readonly socketType: SocketType | null; readonly identity: string };
    } & Failing
    | { readonly play: "command.encode"; readonly command: CommandFact; readonly out: string }
    | { readonly play: "command.decode"; readonly in: string; readonly command?: CommandFact } & Failing
    | {
      readonly play: "subscription.encode";
      readonly topic: string;
      readonly on: boolean;
      readonly legacy: boolean;
      readonly out: string;
    }
    | { readonly play: "subscription.decode"; readonly in: string; readonly subscription: CommandFact | null }
    | {
      readonly play: "frame.header";
      readonly flags: number;
      readonly bodyBytes: number;
      readonly out: string;
    }
    | {
      readonly play: "frame.decode";
      readonly in: string;
      readonly limits?: Partial<FrameLimits>;
      readonly seen: readonly SeenFact[];
      readonly unfinished?: boolean;
    } & Failing
  );

type Plays = { readonly [P in CodecVector["play"]]: (vector: Extract<CodecVector, { play: P }>) => void };

const PLAYS: Plays = {
  "greeting.encode": (vector) => assertEquals(encodeGreeting(vector), bytesOf(vector.out)),
  "greeting.decode": playGreetingDecode,
  "greeting.accept": (vector) => {
    const decoder = new GreetingDecoder();
    decoder.push(bytesOf(vector.in), 0);
    assertEquals(acceptMechanism(vector.mechanism, decoder.result!)?.code, vector.error);
  },
  "metadata.encode": (vector) => {
    const properties = vector.properties.map(([name, value]) => [name, bytesOf(value)] as const);
    assertEquals(encodeMetadata(properties), bytesOf(vector.out));
  },
  "metadata.decode": (vector) => {
    const metadata = decodeMetadata(bytesOf(vector.in), { propertiesMax: vector.propertiesMax ?? 64 });
    const expected = vector.metadata?.map(([name, value]) => [name, bytesOf(value)] as [string, Uint8Array]);
    assertOutcome(vector, metadata, (map) => assertEquals([...map], expected));
  },
  "peer.accept": (vector) => {
    const metadata = decodeMetadata(bytesOf(vector.in), { propertiesMax: 64 });
    assert(!(metadata instanceof PeerError), String(metadata));
    assertOutcome(vector, acceptPeer(vector.ours, metadata), (peer) => {
      assertEquals(
        { socketType: peer.socketType ?? null, identity: peer.identity },
        { ...vector.peer!, identity: bytesOf(vector.peer!.identity) },
      );
    });
  },
  "command.encode": (vector) => assertEquals(encode(vector.command), bytesOf(vector.out)),
  "command.decode": (vector) =>
    assertOutcome(
      vector,
      decodeCommand(bytesOf(vector.in)),
      (command) => assertEquals(command, commandOf(vector.command!)),
    ),
  "subscription.encode": (vector) =>
    assertEquals(
      encodeSubscriptionFrame(bytesOf(vector.topic), vector.on, vector.legacy),
      bytesOf(vector.out),
    ),
  "subscription.decode": (vector) => {
    const expected = vector.subscription === null ? undefined : commandOf(vector.subscription);
    assertEquals(decodeLegacySubscription(bytesOf(vector.in)) as Command | undefined, expected);
  },
  "frame.header": (vector) => {
    const header = new Uint8Array(frameHeaderBytes(vector.bodyBytes));
    assertEquals(writeFrameHeader(header, 0, vector.flags, vector.bodyBytes), header.length);
    assertEquals(header, bytesOf(vector.out));
  },
  "frame.decode": playFrameDecode,
};

/** Plays one vector; throws where the codec does otherwise. */
export function playCodec(vector: CodecVector): void {
  const play = PLAYS[vector.play] as ((vector: CodecVector) => void) | undefined;
  assert(play !== undefined, `unknown play "${vector.play}"`);
  play(vector);
}

/** All vectors of the folder that are of ZMTP, with the file they stand in. The runners start in the project's folder. */
export function readVectors<V extends VectorBase>(): { readonly file: string; readonly vector: V }[] {
  const folder = "tests/conformance/vectors";
  return readdirSync(folder).filter((file) =>
    file.endsWith(".json") && !/^(?:log|http|websocket)_/.test(file)
  ).sort()
    .flatMap((file) => {
      const vectors = JSON.parse(readFileSync(`${folder}/${file}`, "utf8")) as readonly V[];
      return vectors.map((vector) => ({ file, vector }));
    });
}

/** The bytes of a message's frames or a command, from the notation. */
export function seenOf(fact: SeenFact): unknown {
  return "message" in fact ? { message: fact.message.map(bytesOf) } : { command: bytesOf(fact.command) };
}

/** Splits whole messages that lie back to back: the naive twin of the decoder's fast path. */
export function splitMessages(bytes: Uint8Array): Uint8Array[][] {
  const messages: Uint8Array[][] = [];
  let frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const flags = bytes[at]!;
    assert(flags <= 3, "a run holds message frames only");
    const long = (flags & 2) !== 0;
    const size = long
      ? Number(new DataView(bytes.buffer, bytes.byteOffset + at + 1, 8).getBigUint64(0))
      : bytes[at + 1]!;
    const bodyAt = at + (long ? 9 : 2);
    at = bodyAt + size;
    assert(at <= bytes.length, "a run holds whole frames only");
    frames.push(bytes.slice(bodyAt, at));
    if ((flags & 1) !== 0) continue;
    messages.push(frames);
    frames = [];
  }
  assertEquals(frames.length, 0, "a run holds whole messages only");
  return messages;
}

function playGreetingDecode(vector: Extract<CodecVector, { play: "greeting.decode" }>): void {
  forEachChunking(bytesOf(vector.in), (chunks, size) => {
    const decoder = new GreetingDecoder();
    let consumed = 0;
    for (const chunk of chunks) consumed += decoder.push(chunk, 0);
    const { greeting, error } = vector;
    assertEquals(
      { consumed, greeting: decoder.result, error: decoder.error?.code },
      { consumed: vector.consumed, greeting, error },
      `chunks of ${size}`,
    );
  });
}

function playFrameDecode(vector: Extract<CodecVector, { play: "frame.decode" }>): void {
  const expected = vector.seen.map(seenOf);
  forEachChunking(bytesOf(vector.in), (chunks, size) => {
    const seen: unknown[] = [];
    const decoder = new FrameDecoder(
      {
        run: (bytes, start, end, messages) => {
          const split = splitMessages(bytes.subarray(start, end));
          assertEquals(split.length, messages, "messages in a run");
          for (const message of split) seen.push({ message });
        },
        message: (frames, bytes) => {
          assertEquals(frames.reduce((sum, frame) => sum + frame.length, 0), bytes, "bytes of a message");
          seen.push({ message: frames.map(copyOf) });
        },
        command: (body) => void seen.push({ command: copyOf(body) }),
      },
      { ...DEFAULT_LIMITS, ...vector.limits },
    );
    for (const chunk of chunks) {
      const at = decoder.decode(chunk, 0, 1_000);
      if (decoder.error !== undefined) break;
      assertEquals(at, chunk.length, "all of a chunk is decoded");
    }
    assertEquals(
      { seen, error: decoder.error?.code },
      { seen: expected, error: vector.error },
      `chunks of ${size}`,
    );
    if (vector.error === undefined) {
      assertEquals(decoder.midMessage, vector.unfinished ?? false, "unfinished");
    }
  });
}

function assertOutcome<T extends object>(
  vector: VectorBase & Failing,
  outcome: T | PeerError,
  check: (value: T) => void,
): void {
  if (outcome instanceof PeerError || vector.error !== undefined) {
    assertEquals(outcome instanceof PeerError ? outcome.code : outcome, vector.error as unknown);
  } else check(outcome);
}

function commandOf(fact: CommandFact): Command {
  switch (fact.name) {
    case "READY":
      return { ...fact, metadata: bytesOf(fact.metadata) };
    case "SUBSCRIBE":
    case "CANCEL":
      return { ...fact, topic: bytesOf(fact.topic) };
    case "PING":
    case "PONG":
      return { ...fact, context: bytesOf(fact.context) };
    default:
      return fact;
  }
}

function encode(fact: CommandFact): Uint8Array {
  switch (fact.name) {
    case "READY":
      return encodeReady(bytesOf(fact.metadata));
    case "ERROR":
      return encodeError(fact.reason);
    case "SUBSCRIBE":
      return encodeSubscribe(bytesOf(fact.topic));
    case "CANCEL":
      return encodeCancel(bytesOf(fact.topic));
    case "PING":
      return encodePing(fact.ttlMs, bytesOf(fact.context));
    case "PONG":
      return encodePong(bytesOf(fact.context));
    default:
      throw new TypeError(`nobody encodes "${fact.name}"`);
  }
}
