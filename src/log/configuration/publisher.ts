/**
 * The options of publishers.
 *
 * @module
 */

import type { Durability } from "../store/store.ts";
import type { Ack, TopicOptions } from "../topic_options.ts";
import {
  bytesField,
  checkGiven,
  choiceField,
  countField,
  type Fields,
  fillDefaults,
  isName,
  msField,
  NAME_ALLOWED,
  refuseValue,
  textField,
} from "./fields.ts";
import { checkTopicRequest, SEGMENT_BYTES_MAX, type TopicInput } from "./topic.ts";

/** Everything about a publisher. */
export interface PublisherOptions {
  /** The publisher's name: exclusive, and known to the log after a restart. `undefined`: a session of its own. */
  readonly name: string | undefined;
  /** When `publish` resolves. `undefined`: as its topic has it. Never lower than that. */
  readonly ack: Ack | undefined;
  /** Bytes at which a batch is sent. A larger record goes as a batch of its own. */
  readonly batchBytes: number;
  /** Records at which a batch is sent. */
  readonly batchRecordsMax: number;
  /** Milliseconds that a record may wait for others. */
  readonly lingerMs: number;
  /** Bytes that may be under way. */
  readonly windowBytes: number;
  /** Batches that may be under way. */
  readonly windowBatches: number;
  /** Milliseconds until the first batch without an answer is sent again; doubles with each try. */
  readonly resendTimeoutMs: number;
  /** What the topic is made with, or must be like. */
  readonly onTopic: TopicInput | undefined;
}

/** A publisher's options as a caller may give them: in part. */
export type PublisherInput = {
  readonly [Name in keyof PublisherOptions]?: PublisherOptions[Name] | undefined;
};

const KIB = 1_024;
const MIB = 1_048_576;
const WINDOW_BYTES: number = 8 * MIB;
const WINDOW_BYTES_MAX = 4_096 * MIB;

/** Every option of a publisher but `onTopic`. */
export const PUBLISHER_FIELDS: Fields = {
  name: textField(
    "exclusive name by which the log knows the publisher after a restart",
    NAME_ALLOWED,
    isName,
  ),
  ack: {
    ...choiceField(
      "when a record counts as published: 0 taken by the window, 1 ordered and written, 2 synced",
      [0, 1, 2],
      undefined,
    ),
    valueText: "as its topic",
  },
  batchBytes: bytesField("bytes at which a batch is sent", 256 * KIB, 64, SEGMENT_BYTES_MAX),
  batchRecordsMax: countField("records at which a batch is sent", "records", 65_536, 1, 16 * MIB),
  lingerMs: msField("a record may wait so long for others", 0, 0, 60_000),
  windowBytes: {
    ...bytesField("bytes that may be under way", WINDOW_BYTES, 64, WINDOW_BYTES_MAX),
    value: undefined,
    valueText: "8MiB, or batchBytes if that is more",
  },
  windowBatches: countField("batches that may be under way", "batches", 1_024, 1, MIB),
  resendTimeoutMs: msField(
    "the first batch without an answer is sent again after this, then after twice as long",
    2_000,
    10,
    600_000,
  ),
};

// Any value passes here; the topic's options are checked by themselves.
const WITH_TOPIC: Fields = {
  ...PUBLISHER_FIELDS,
  onTopic: { kind: "text", allows: () => true, allowed: "", value: undefined, about: "" },
};

/** What a publisher's options are checked against, as far as it is known. */
export interface PublisherSurroundings {
  /** Bytes of the largest batch that the broker takes. */
  readonly batchBytesMax?: number | undefined;
}

/**
 * Checks a publisher's options, and fills in the defaults; `batchBytes` is by default what the broker takes, where that is less.
 *
 * @throws {MisuseError} `ERR_OPTION`: the message names the field, the value and what is allowed.
 */
export function checkPublisherOptions(
  input: unknown = {},
  { batchBytesMax = Infinity }: PublisherSurroundings = {},
  prefix: string = "",
): PublisherOptions {
  const given = checkGiven("a publisher", WITH_TOPIC, input, prefix);
  const onTopic = given["onTopic"];
  const filled = fillDefaults(PUBLISHER_FIELDS, given);
  if (given["batchBytes"] === undefined) {
    const least = Math.min(batchBytesMax, (given["windowBytes"] as number | undefined) ?? Infinity);
    filled["batchBytes"] = Math.min(filled["batchBytes"] as number, least);
  }
  filled["windowBytes"] ??= Math.max(WINDOW_BYTES, filled["batchBytes"] as number);
  filled["onTopic"] = onTopic === undefined ? undefined : checkTopicRequest(onTopic, `${prefix}onTopic.`);
  const options = Object.freeze(filled) as unknown as PublisherOptions;
  if (options.batchBytes > batchBytesMax) {
    refuseValue(
      `${prefix}batchBytes`,
      options.batchBytes,
      `at most the broker's batchBytesMax (${batchBytesMax})`,
    );
  }
  if (options.windowBytes < options.batchBytes) {
    refuseValue(
      `${prefix}windowBytes`,
      options.windowBytes,
      `batchBytes (${options.batchBytes}) or more: the window must hold a batch`,
    );
  }
  const leaseMs = options.onTopic?.leaseMs;
  if (leaseMs !== undefined) checkLease(leaseMs, options.resendTimeoutMs, `${prefix}onTopic.leaseMs`);
  return options;
}

/** Times `resendTimeoutMs` after which a batch was sent again twice, with a wait that doubles: 1 + 2. */
export const LEASE_RESEND_TIMEOUTS = 3;

/**
 * A gap must be able to close before its session is fenced: the lease is longer than two resends take.
 *
 * @throws {MisuseError} `ERR_OPTION`
 */
export function checkLease(leaseMs: number, resendTimeoutMs: number, path: string = "leaseMs"): void {
  const min = LEASE_RESEND_TIMEOUTS * resendTimeoutMs;
  if (leaseMs > min) return;
  refuseValue(
    path,
    leaseMs,
    `more than ${min} milliseconds: ${LEASE_RESEND_TIMEOUTS} times the publisher's resendTimeoutMs (${resendTimeoutMs}), ` +
      `in which a lost batch is sent again twice`,
  );
}

/** A topic as a publisher finds it. */
export interface PublishedTopic {
  readonly options: TopicOptions;
  readonly durability: Durability;
}

/**
 * Checks a publisher's options against its topic, and answers the ack that holds.
 *
 * @throws {MisuseError} `ERR_OPTION`: a lower ack than the topic's, ack 2 where nothing is synced, or resends that come
 * after the lease.
 */
export function checkPublisherForTopic(publisher: PublisherOptions, topic: PublishedTopic): Ack {
  const { ack = topic.options.ack } = publisher;
  if (ack < topic.options.ack) {
    refuseValue("ack", ack, `the topic's (${topic.options.ack}) or higher`);
  }
  if (ack === 2 && topic.durability !== "machine") {
    refuseValue("ack", 2, `0 or 1: the topic's store has durability "${topic.durability}" and syncs nothing`);
  }
  checkLease(topic.options.leaseMs, publisher.resendTimeoutMs);
  return ack;
}
