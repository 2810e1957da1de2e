/**
 * The options of a broker, and how topics get theirs: from the topic's own entry, then from what the client asked for,
 * then from the entry `*`, then from the defaults.
 *
 * @module
 */

import { MisuseError } from "../../errors.ts";
import { isPlainObject } from "../../arguments.ts";
import type { Durability } from "../store/store.ts";
import type { TopicOptions } from "../topic_options.ts";
import {
  bytesField,
  checkGiven,
  countField,
  type Fields,
  fillDefaults,
  flagField,
  mergeGiven,
  msField,
  refuseValue,
  textField,
  textsField,
} from "./fields.ts";
import {
  checkTopicOptions,
  checkTopicRequest,
  isTopicName,
  MEMORY_SEGMENTS_MIN,
  SEGMENT_BYTES_MAX,
  SEGMENT_RESERVED_BYTES,
  segmentBytesMin,
  TOPIC_NAME_ALLOWED,
  type TopicInput,
} from "./topic.ts";

/** Everything about a broker. */
export interface BrokerOptions {
  /** Endpoints to listen on. */
  readonly listen: readonly string[];
  /** The folder of the topics' files. `undefined`: topics are kept in memory. */
  readonly dir: string | undefined;
  /** `host:port`, or a port of 127.0.0.1, for metrics and status over HTTP. `undefined`: none. */
  readonly http: string | undefined;
  /** Buffers that receive batches from the network. */
  readonly stagingBuffers: number;
  /** Bytes of one of them. */
  readonly stagingBufferBytes: number;
  /** Bytes of the largest batch that is taken. */
  readonly batchBytesMax: number;
  /** Batches of one topic that wait to be ordered. */
  readonly ringSlots: number;
  /** Batches of one topic that wait for an earlier one of their session. */
  readonly holdBatchesMax: number;
  /** Bytes of them. */
  readonly holdBytesMax: number;
  /** Batches that all sessions of one topic together may have under way. */
  readonly grantBatchesMax: number;
  /** Bytes of them. */
  readonly grantBytesMax: number;
  /** Acknowledged batches of a session whose positions are kept for resends. */
  readonly runsKept: number;
  /** Sessions of one topic that are remembered. */
  readonly sessionsMax: number;
  /** A session that was silent for so long is forgotten. */
  readonly sessionIdleMs: number;
  /** Bytes of memory of one topic: all of its records in a memory store, what is kept for readers otherwise. */
  readonly memoryBytesMax: number;
  /** A batch without progress for so long ends its connection. */
  readonly payloadTimeoutMs: number;
  /** A place in the ring that was claimed and not filled for so long is given up. */
  readonly claimTimeoutMs: number;
  /** Options of topics by name; `*` is for all others. */
  readonly topics: Readonly<Record<string, TopicInput>>;
  /** Whether a client that opens a topic makes it. */
  readonly autoCreateTopics: boolean;
}

/** A broker's options as a caller may give them: in part. */
export type BrokerInput = { readonly [Name in keyof BrokerOptions]?: BrokerOptions[Name] | undefined };

/** What a broker's options are checked against. */
export interface BrokerSurroundings {
  /** Of the stores it opens. Missing: `machine` with a folder, `none` without. */
  readonly durability?: Durability | undefined;
}

const KIB = 1_024;
const MIB = 1_048_576;
const DAY_MS = 86_400_000;
const HOLD_BYTES: number = 128 * MIB;
/** What the largest segment has room for. */
const BATCH_BYTES_MAX: number = SEGMENT_BYTES_MAX - SEGMENT_RESERVED_BYTES;
const ENDPOINT = /^[a-z][a-z0-9+.-]*:\/\/.+$/;
const HOST_PORT = /^(?:(?:[^\s:/[\]]+|\[[0-9A-Fa-f:.%]+\]):)?(\d{1,5})$/;
/** Where a broker listens unless told otherwise. */
export const DEFAULT_ENDPOINT = "tcp://127.0.0.1:7780";
/** The name that stands for all topics without an entry of their own. */
export const ANY_TOPIC = "*";

/** Whether `text` looks like `scheme://address`. */
export function isEndpoint(text: string): boolean {
  return ENDPOINT.test(text);
}

function isHostPort(text: string): boolean {
  const port = HOST_PORT.exec(text)?.[1];
  return port !== undefined && Number(port) <= 65_535;
}

/** A default that follows another field. */
function follows<F extends object>(field: F, name: string): F & { value: undefined; valueText: string } {
  return { ...field, value: undefined, valueText: `as ${name}` };
}

/** Every option of a broker but `topics`. */
export const BROKER_FIELDS: Fields = {
  listen: textsField(
    "endpoints to listen on; port 0: the system chooses",
    "one or more different endpoints such as tcp://127.0.0.1:7780",
    isEndpoint,
    [DEFAULT_ENDPOINT],
    1,
  ),
  dir: textField(
    "folder of the topics' files, a ~ in front is the home folder; without one they are kept in memory",
    "the path of a folder",
    (text) => text !== "" && !text.includes("\0"),
  ),
  http: {
    ...textField(
      "where /metrics, /healthz and /status are served over HTTP; without it they are not",
      'text: host:port such as "127.0.0.1:7781", or a port of 127.0.0.1 such as "7781"; 0: the system chooses',
      isHostPort,
    ),
    numeric: true,
  },
  stagingBuffers: countField("buffers that receive batches from the network", "buffers", 32, 1, 65_536),
  stagingBufferBytes: {
    ...bytesField("bytes of one of them", MIB, 64, SEGMENT_BYTES_MAX),
    value: undefined,
    valueText: "1MiB, or batchBytesMax if that is more",
  },
  batchBytesMax: follows(
    bytesField("bytes of the largest batch that is taken", MIB, 64, BATCH_BYTES_MAX),
    "stagingBufferBytes",
  ),
  ringSlots: countField("batches of one topic that wait to be ordered", "slots", 1_024, 1, MIB),
  holdBatchesMax: countField(
    "batches of one topic that wait for an earlier one of their session",
    "batches",
    4_096,
    1,
    16 * MIB,
  ),
  holdBytesMax: {
    ...bytesField("bytes of them", HOLD_BYTES, 64),
    value: undefined,
    valueText: "128MiB, or batchBytesMax if that is more; at most half of memoryBytesMax in a memory store",
  },
  grantBatchesMax: follows(
    countField(
      "batches that all sessions of one topic together may have under way",
      "batches",
      4_096,
      1,
      16 * MIB,
    ),
    "holdBatchesMax",
  ),
  grantBytesMax: follows(bytesField("bytes of them", HOLD_BYTES, 64), "holdBytesMax"),
  runsKept: countField(
    "acknowledged runs of a session whose positions are kept for resends",
    "runs",
    64,
    0,
    65_536,
  ),
  sessionsMax: countField(
    "sessions of one topic that are remembered",
    "sessions",
    100_000,
    1,
    10_000_000,
  ),
  sessionIdleMs: msField(
    "a session that was silent for so long is forgotten",
    7 * DAY_MS,
    1_000,
    3_650 * DAY_MS,
  ),
  memoryBytesMax: bytesField(
    "memory of one topic: all of its records in a memory store, what is kept for readers otherwise",
    256 * MIB,
    64 * KIB,
  ),
  payloadTimeoutMs: msField("a batch without progress for so long ends its connection", 30_000, 1),
  claimTimeoutMs: msField(
    "a place in the ring that was claimed and not filled for so long is given up",
    30_000,
    1,
  ),
  autoCreateTopics: flagField("whether a client that opens a topic makes it", true),
};

/**
 * Checks a broker's options by themselves and against each other, and fills in the defaults.
 *
 * @throws {MisuseError} `ERR_OPTION`: the message names the field, the value and what is allowed.
 */
export function checkBrokerOptions(
  input: unknown = {},
  surroundings: BrokerSurroundings = {},
): BrokerOptions {
  const given = checkGiven("a broker", WITH_TOPICS, input);
  const filled = fillDefaults(BROKER_FIELDS, given);
  const durability = surroundings.durability ?? durabilityOf(filled as { dir: string | undefined });
  filled["stagingBufferBytes"] ??= Math.max(MIB, (given["batchBytesMax"] as number | undefined) ?? 0);
  filled["batchBytesMax"] ??= Math.min(filled["stagingBufferBytes"] as number, BATCH_BYTES_MAX);
  const holdBytes = Math.max(HOLD_BYTES, filled["batchBytesMax"] as number);
  filled["holdBytesMax"] ??= durability === "none"
    ? Math.min(holdBytes, Math.floor(filled["memoryBytesMax"] as number / 2))
    : holdBytes;
  filled["grantBatchesMax"] ??= filled["holdBatchesMax"];
  filled["grantBytesMax"] ??= filled["holdBytesMax"];
  filled["topics"] = checkTopics(given["topics"] ?? {});
  const options = Object.freeze(filled) as unknown as BrokerOptions;
  const origin = (name: keyof BrokerOptions): keyof BrokerOptions | undefined =>
    originOf(name, given, durability);
  checkSizes(options, origin);
  if (durability === "none") checkMemory(options, origin);
  if (durability === "none" && options.holdBytesMax * 2 > options.memoryBytesMax) {
    refuseValue(
      "holdBytesMax",
      options.holdBytesMax,
      `at most half of memoryBytesMax (${options.memoryBytesMax}) in a memory store: what is held lies in it`,
    );
  }
  for (const name of [ANY_TOPIC, ...Object.keys(options.topics)]) {
    topicOptionsFor(options, name, {}, { durability });
  }
  return options;
}

// Any value passes here; the walk over the topics is below.
const WITH_TOPICS: Fields = {
  ...BROKER_FIELDS,
  topics: { kind: "text", allows: () => true, allowed: "", value: undefined, about: "" },
};

/** What stores survive that are opened by these options. */
export function durabilityOf({ dir }: Pick<BrokerOptions, "dir">): Durability {
  return dir === undefined ? "none" : "machine";
}

/**
 * The options of a topic that is made. Its own entry wins over what a client asked for, so that the client can see
 * from the answer that it got something else.
 *
 * @throws {MisuseError} `ERR_OPTION`
 */
export function topicOptionsFor(
  broker: BrokerOptions,
  topic: string,
  requested: TopicInput,
  { durability }: BrokerSurroundings = {},
): TopicOptions {
  const named = topic !== ANY_TOPIC && Object.hasOwn(broker.topics, topic) ? broker.topics[topic] : undefined;
  const layers = [broker.topics[ANY_TOPIC], requested, named].map((layer) =>
    layer as Record<string, unknown>
  );
  return checkTopicOptions(mergeGiven(...layers), {
    durability: durability ?? durabilityOf(broker),
    batchBytesMax: broker.batchBytesMax,
    stagingBufferBytes: broker.stagingBufferBytes,
    memoryBytesMax: broker.memoryBytesMax,
    prefix: named !== undefined || topic === ANY_TOPIC ? `topics.${topic}.` : "",
  });
}

function checkTopics(topics: unknown): Readonly<Record<string, TopicInput>> {
  if (!isPlainObject(topics)) refuseValue("topics", topics, "an object of topics' options by their names");
  const checked: Record<string, TopicInput> = {};
  for (const [name, options] of Object.entries(topics)) {
    if (name !== ANY_TOPIC && !isTopicName(name)) {
      throw new MisuseError(
        "ERR_OPTION",
        `Cannot set option "topics.${name}": the name of a topic is ${ANY_TOPIC} for all others or ${TOPIC_NAME_ALLOWED}`,
      );
    }
    checked[name] = checkTopicRequest(options, `topics.${name}.`);
  }
  return Object.freeze(checked);
}

/** Options whose defaults follow another one's value. */
const FOLLOWED: Readonly<Record<string, keyof BrokerOptions>> = {
  batchBytesMax: "stagingBufferBytes",
  grantBatchesMax: "holdBatchesMax",
  grantBytesMax: "holdBytesMax",
};

/** The option that somebody set and that an option's value comes from; `undefined`: nobody has set any. */
function originOf(
  name: keyof BrokerOptions,
  given: Readonly<Record<string, unknown>>,
  durability: Durability,
): keyof BrokerOptions | undefined {
  if (given[name] !== undefined) return name;
  // These two follow each other.
  if (name === "stagingBufferBytes") {
    return given["batchBytesMax"] === undefined ? undefined : "batchBytesMax";
  }
  const inMemory = name === "holdBytesMax" && durability === "none";
  const followed = inMemory ? "memoryBytesMax" : FOLLOWED[name];
  return followed === undefined ? undefined : originOf(followed, given, durability);
}

/** Each row: what must not be larger than what, and why. */
const ORDERED: readonly (readonly [keyof BrokerOptions, keyof BrokerOptions, string])[] = [
  ["batchBytesMax", "stagingBufferBytes", "a batch is received into one staging buffer"],
  ["grantBatchesMax", "holdBatchesMax", "whatever was granted must find room while it waits for a gap"],
  ["grantBytesMax", "holdBytesMax", "whatever was granted must find room while it waits for a gap"],
  ["batchBytesMax", "holdBytesMax", "the largest batch must find room while it waits for a gap"],
  ["batchBytesMax", "grantBytesMax", "a session must be able to send its largest batch"],
];

/** Of two values that do not fit the one is refused that somebody has set, or that its value follows. */
function checkSizes(
  options: BrokerOptions,
  originOf: (name: keyof BrokerOptions) => keyof BrokerOptions | undefined,
): void {
  for (const [small, large, why] of ORDERED) {
    const [value, max] = [options[small] as number, options[large] as number];
    if (value <= max) continue;
    const origin = originOf(small) ?? originOf(large) ?? small;
    if (origin === small) refuseValue(small, value, `at most ${large} (${max}): ${why}`);
    if (origin === large) refuseValue(large, max, `${small} (${value}) or more: ${why}`);
    const following = originOf(small) === undefined ? large : small;
    const rule = `${small} (${value}) is at most ${large} (${max})`;
    refuseValue(origin, options[origin], `one that ${following} can follow, so that ${rule}: ${why}`);
  }
}

/** A memory store needs room for two segments, each of which holds a batch. What somebody has set of this is refused. */
function checkMemory(
  options: BrokerOptions,
  originOf: (name: keyof BrokerOptions) => keyof BrokerOptions | undefined,
): void {
  const { stagingBufferBytes, batchBytesMax, memoryBytesMax } = options;
  const bytes = segmentBytesMin(options);
  if (MEMORY_SEGMENTS_MIN * bytes <= memoryBytesMax) return;
  const larger = batchBytesMax + SEGMENT_RESERVED_BYTES >= stagingBufferBytes
    ? "batchBytesMax"
    : "stagingBufferBytes";
  const origin = originOf(larger) ?? "memoryBytesMax";
  const allowed = origin === "memoryBytesMax"
    ? `${MEMORY_SEGMENTS_MIN * bytes} or more: two segments must find room, each of ${larger} and its headers`
    : `what fits twice, with a segment's headers, into memoryBytesMax (${memoryBytesMax}) in a memory store`;
  refuseValue(origin, options[origin], allowed);
}
