/**
 * The options of a topic: ranges, defaults, and what must fit together.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import type { Durability } from "../store/store.ts";
import type { Ack, Order, Retention, TopicOptions } from "../topic_options.ts";
import {
  bytesField,
  checkGiven,
  choiceField,
  type Fields,
  fillDefaults,
  isName,
  msField,
  NAME_ALLOWED,
  refuseValue,
  show,
  textsField,
} from "./fields.ts";

/** A topic's options as a caller may give them: in part. */
export interface TopicInput {
  readonly order?: Order | undefined;
  readonly ack?: Ack | undefined;
  readonly retention?: Partial<Retention> | undefined;
  readonly segmentBytes?: number | undefined;
  readonly leaseMs?: number | undefined;
  readonly syncIntervalMs?: number | undefined;
}

/** What a topic's options are checked against, as far as it is known. */
export interface TopicSurroundings {
  /** Of the store that carries the topic. */
  readonly durability?: Durability | undefined;
  /** Bytes of the largest batch that a broker takes. */
  readonly batchBytesMax?: number | undefined;
  /** Bytes of a broker's staging buffers. */
  readonly stagingBufferBytes?: number | undefined;
  /** Bytes of memory that a memory store may use for the topic. */
  readonly memoryBytesMax?: number | undefined;
  /** How errors call the topic's options: `topics.orders.`. */
  readonly prefix?: string | undefined;
}

/** Why there is no order 1 and 3. */
export const ORDERS_ELSEWHERE =
  "1 and 3 are levels of other systems, Scalog's cuts and Corfu's tokens, and mean nothing here";

const MIB = 1_048_576;
/** A store that survives nothing: small segments, because retention frees whole ones. */
export const SEGMENT_BYTES_MEMORY: number = 16 * MIB;
export const SEGMENT_BYTES_FILES: number = 64 * MIB;
/** Bytes of a segment that are not payload, at least: its own header and those of a payload and its order. */
export const SEGMENT_RESERVED_BYTES = 4_096;
/** Segments that a memory store needs: one that is appended to and one that is read. */
export const MEMORY_SEGMENTS_MIN = 2;
const SEGMENT_BYTES_MIN = 8_192;
/** Bytes of the largest segment and, therefore, of everything that must fit into one. */
export const SEGMENT_BYTES_MAX: number = 1_024 * MIB;
/** Ten years: longer than any machine keeps a record by accident. */
const AGE_MS_MAX = 315_360_000_000;

/** Every option of a topic. */
export const TOPIC_FIELDS: Fields = {
  order: choiceField(
    "what the positions promise: 0 a broker's append order, 2 total order by arrival, 4 and 5 total order with first-in " +
      "first-out per session",
    [0, 2, 4, 5],
    5,
    ORDERS_ELSEWHERE,
  ),
  ack: choiceField(
    "when a record counts as published: 0 taken by the client's window, 1 ordered and written, 2 synced to the disk",
    [0, 1, 2],
    1,
  ),
  "retention.bytesMax": bytesField("keep at most so many bytes; 0: no bound", 0, 0),
  "retention.ageMsMax": msField("keep records no longer than this; 0: no bound", 0, 0, AGE_MS_MAX),
  "retention.keepFor": textsField(
    "consumers whose committed position holds back retention",
    `a list of different names of consumers, each ${NAME_ALLOWED}`,
    isName,
    [],
  ),
  segmentBytes: {
    ...bytesField("bytes of one segment", SEGMENT_BYTES_FILES, SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
    value: undefined,
    valueText: "16MiB in memory, at most half of memoryBytesMax, 64MiB in files; more where a batch needs it",
  },
  leaseMs: msField("a session with a gap older than this is fenced", 30_000, 100, 86_400_000),
  syncIntervalMs: msField(
    "between two syncs of a topic that nobody waits for; 0: only when a segment is full and at the end",
    1_000,
    0,
    3_600_000,
  ),
};

const TOPIC_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;
/** What an error says a topic's name may be. */
export const TOPIC_NAME_ALLOWED =
  "1 to 200 of the characters A-Z a-z 0-9 . _ -, the first of them a letter or digit";

/** Whether `name` can name a topic: it is also the name of a folder. */
export function isTopicName(name: string): boolean {
  return TOPIC_NAME.test(name);
}

/**
 * Answers `name` when it can name a topic.
 *
 * @throws {MisuseError} `ERR_OPTION`
 */
export function checkTopicName(name: unknown): string {
  if (typeof name === "string" && isTopicName(name)) return name;
  throw new MisuseError("ERR_OPTION", `Cannot name a topic ${show(name)}: allowed is ${TOPIC_NAME_ALLOWED}`);
}

/**
 * Checks options that a caller gave in part, and answers these alone: what a client sends to a broker.
 *
 * @throws {MisuseError} `ERR_OPTION`: an unknown option, or a value that is not allowed.
 */
export function checkTopicRequest(input: unknown, prefix: string = ""): TopicInput {
  return checkGiven("a topic", TOPIC_FIELDS, input, prefix);
}

/**
 * Checks a topic's options by themselves and against their surroundings, and fills in the defaults.
 *
 * @throws {MisuseError} `ERR_OPTION`: the message names the field, the value and what is allowed.
 */
export function checkTopicOptions(input: unknown, surroundings: TopicSurroundings = {}): TopicOptions {
  const { durability, prefix = "" } = surroundings;
  const given = checkTopicRequest(input, prefix) as Readonly<Record<string, unknown>>;
  const filled = fillDefaults(TOPIC_FIELDS, given);
  filled["segmentBytes"] ??= defaultSegmentBytes(surroundings);
  const options = filled as unknown as TopicOptions;
  if (options.ack === 2 && durability !== undefined && durability !== "machine") {
    const store = durability === "none" ? "in memory" : "without syncs to the disk";
    refuseValue(
      `${prefix}ack`,
      2,
      `0 or 1: a store ${store} (durability "${durability}") cannot keep a record through a crash of the machine; ` +
        `2 needs durability "machine", which a log with "dir" has`,
    );
  }
  checkSegment(options, surroundings);
  Object.freeze(options.retention);
  return Object.freeze(options);
}

/** Bytes of the smallest segment that a broker of these sizes can use. */
export function segmentBytesMin(
  { batchBytesMax = 0, stagingBufferBytes = 0 }: Pick<
    TopicSurroundings,
    "batchBytesMax" | "stagingBufferBytes"
  >,
): number {
  return Math.max(SEGMENT_BYTES_MIN, stagingBufferBytes, batchBytesMax + SEGMENT_RESERVED_BYTES);
}

/** What fits the surroundings: nobody is to be told of an option that they have not set. */
function defaultSegmentBytes(surroundings: TopicSurroundings): number {
  const { durability, memoryBytesMax = Infinity } = surroundings;
  const usual = durability === "none"
    ? Math.min(SEGMENT_BYTES_MEMORY, Math.floor(memoryBytesMax / MEMORY_SEGMENTS_MIN))
    : SEGMENT_BYTES_FILES;
  return Math.min(SEGMENT_BYTES_MAX, Math.max(usual, segmentBytesMin(surroundings)));
}

function checkSegment({ segmentBytes }: TopicOptions, surroundings: TopicSurroundings): void {
  const { batchBytesMax, stagingBufferBytes, memoryBytesMax, durability, prefix = "" } = surroundings;
  const path = `${prefix}segmentBytes`;
  if (stagingBufferBytes !== undefined && segmentBytes < stagingBufferBytes) {
    refuseValue(path, segmentBytes, `stagingBufferBytes (${stagingBufferBytes}) or more`);
  }
  if (batchBytesMax !== undefined && segmentBytes < batchBytesMax + SEGMENT_RESERVED_BYTES) {
    refuseValue(
      path,
      segmentBytes,
      `${
        batchBytesMax + SEGMENT_RESERVED_BYTES
      } or more: batchBytesMax (${batchBytesMax}) and the segment's headers`,
    );
  }
  if (durability !== "none" || memoryBytesMax === undefined) return;
  if (segmentBytes * MEMORY_SEGMENTS_MIN > memoryBytesMax) {
    refuseValue(path, segmentBytes, `at most half of memoryBytesMax (${memoryBytesMax}) in a memory store`);
  }
}
