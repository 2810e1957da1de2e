/**
 * What stands where in each type of message. `batch` and `records`, which carry records, are in codec_records.ts.
 *
 * @module
 */

import { NO_BYTES } from "../../bytes/bytes.ts";
import { decodeUtf8Strict, encodeUtf8 } from "../../bytes/utf8.ts";
import {
  code,
  type Field,
  FIELDS,
  flag,
  optionalU64,
  type Place,
  readU53,
  u32,
  u53,
  u64,
  viewOver,
  writeU32,
  writeU53,
} from "./fields.ts";
import {
  cutText,
  decodeError,
  decodeJson,
  decodeName,
  decodeOptions,
  encodeJson,
  errorMembers,
  type Members,
  nameFault,
} from "./json.ts";
import { COUNT_AT, FLAG_COMMITTED, FLAG_LOWERED, FLAG_SEQUENCE, SESSION_OPENED_BYTES } from "./layout.ts";
import type * as M from "./messages.ts";
import { decodeRuns, encodeRuns } from "./runs.ts";
import { Fault } from "./wire_error.ts";

/** The types that are laid out here. */
export type PlainMessage = Exclude<M.LogMessage, M.Batch | M.Records>;

/** How a body carries the properties of a message that are not in its header. */
interface Body<P> {
  /** Whether it counts something in the header's `count`. */
  readonly counts: boolean;
  encode(properties: P, header: DataView): Uint8Array;
  decode(body: Uint8Array, header: DataView): P | Fault;
}

/** The layout of one type, as codec.ts goes through it. */
export interface Layout {
  readonly places: readonly (readonly [property: string, place: Place<unknown>])[];
  readonly body: Body<unknown> | undefined;
  /** Fields that must be 0. */
  readonly unused: readonly Field[];
  /** All legal flags. */
  readonly flags: number;
}

const ALL_FIELDS = Object.keys(FIELDS) as readonly Field[];

/** All properties of `T` have a place in the header, but for those in the body, `B`. */
function layout<T extends PlainMessage, B extends keyof T = never>(
  places: { readonly [P in Exclude<keyof T, "type" | B>]: Place<T[P]> },
  body?: Body<Pick<T, B>>,
): Layout {
  const rows = Object.entries<Place<unknown>>(places);
  const used = rows.map(([, { field }]) => field);
  return {
    places: rows,
    body: body as Body<unknown> | undefined,
    unused: ALL_FIELDS.filter((field) => !used.includes(field) && !(field === "count" && body?.counts)),
    flags: rows.reduce((flags, [, place]) => flags | place.flags, 0),
  };
}

function json<P>(members: (properties: P) => unknown, read: (members: Members) => P | Fault): Body<P> {
  return {
    counts: false,
    encode: (properties) => encodeJson(members(properties)),
    decode: (body) => {
      const found = decodeJson(body);
      return found instanceof Fault ? found : read(found);
    },
  };
}

const topicBody: Body<{ readonly topic: string }> = {
  counts: false,
  encode: ({ topic }) => encodeUtf8(topic),
  decode: (body) => {
    const topic = decodeName("topic", body);
    return topic instanceof Fault ? topic : { topic };
  },
};

const textBody: Body<{ readonly message: string }> = {
  counts: false,
  encode: ({ message }) => message === "" ? NO_BYTES : encodeUtf8(cutText(message)),
  decode: (body) => {
    const message = decodeUtf8Strict(body);
    return message === undefined ? new Fault("its body is not UTF-8") : { message };
  },
};

const errorBody: Body<{ readonly error: M.RefusedError }> = json(
  ({ error }) => errorMembers(error),
  (members) => {
    const error = decodeError(members);
    return error instanceof Fault ? error : { error };
  },
);

const openTopicBody: Body<Pick<M.OpenTopic, "topic" | "options">> = json(
  ({ topic, options }) => ({ topic, options }),
  ({ topic, options = {} }) => {
    const fault = nameFault("topic", topic);
    if (fault !== undefined) return fault;
    const read = decodeOptions(options, false);
    return read instanceof Fault ? read : { topic: topic as string, options: read };
  },
);

const DURABILITIES: readonly unknown[] = ["none", "process", "machine"];

const topicOpenedBody: Body<Pick<M.TopicOpened, "topic" | "options" | "durability">> = json(
  ({ topic, options, durability }) => ({ topic, options, durability }),
  ({ topic, options, durability }) => {
    const fault = nameFault("topic", topic);
    if (fault !== undefined) return fault;
    if (!DURABILITIES.includes(durability)) return new Fault("its durability is unknown");
    const read = decodeOptions(options, true);
    if (read instanceof Fault) return read;
    return { topic: topic as string, options: read, durability: durability as M.TopicOpened["durability"] };
  },
);

const openSessionBody: Body<Pick<M.OpenSession, "topic" | "publisher" | "ack">> = json(
  ({ topic, publisher, ack }) => ({ topic, publisher, ack }),
  ({ topic, publisher, ack }) => {
    const fault = nameFault("topic", topic) ?? nameFault("publisher", publisher, true);
    if (fault !== undefined) return fault;
    if (ack !== 0 && ack !== 1 && ack !== 2) return new Fault("its ack is not 0, 1 or 2");
    return { topic: topic as string, publisher: publisher as string, ack };
  },
);

const openConsumerBody: Body<Pick<M.OpenConsumer, "topic" | "consumer">> = json(
  ({ topic, consumer }) => ({ topic, consumer }),
  ({ topic, consumer }) =>
    nameFault("topic", topic) ?? nameFault("consumer", consumer) ??
      { topic: topic as string, consumer: consumer as string },
);

const reportBody: Body<Pick<M.StatusReport, "report">> = json(
  ({ report }) => report,
  (report) => ({ report }),
);

const runsBody: Body<Pick<M.AckMessage, "runs">> = {
  counts: true,
  encode: ({ runs }, header) => {
    writeU32(header, COUNT_AT, runs.length, "runs");
    return encodeRuns(runs);
  },
  decode: (body, header) => {
    const runs = decodeRuns(body, header.getUint32(COUNT_AT, true));
    return runs instanceof Fault ? runs : { runs };
  },
};

const sessionOpenedBody: Body<Pick<M.SessionOpened, "nextSyncedBatch" | "windowBytes" | "runs">> = {
  counts: true,
  encode: ({ nextSyncedBatch, windowBytes, runs }, header) => {
    writeU32(header, COUNT_AT, runs.length, "runs");
    const body = encodeRuns(runs, SESSION_OPENED_BYTES);
    const view = viewOver(body);
    writeU53(view, 0, nextSyncedBatch, "nextSyncedBatch");
    writeU53(view, 8, windowBytes, "windowBytes");
    return body;
  },
  decode: (body, header) => {
    const runs = decodeRuns(body, header.getUint32(COUNT_AT, true), SESSION_OPENED_BYTES);
    if (runs instanceof Fault) return runs;
    const view = viewOver(body);
    const nextSyncedBatch = readU53(view, 0);
    const windowBytes = readU53(view, 8);
    if (nextSyncedBatch < 0 || windowBytes < 0) {
      return new Fault("its next synced batch or its window's bytes are above 2^53-1");
    }
    return { nextSyncedBatch, windowBytes, runs };
  },
};

const request: Place<number> = u32("request");
const session: Place<bigint> = u64("id");
const epoch: Place<number> = u32("epoch");
const generation: Place<number> = u32("generation");

/** See the module. */
export const LAYOUTS: { readonly [T in PlainMessage["type"]]: Layout } = {
  hello: layout<M.Hello>({
    features: u32("count"),
    versionMin: u53("number", 1, 255),
    versionMax: u53("limit", 1, 255),
  }),
  welcome: layout<M.Welcome>({
    logId: u64("id"),
    features: u32("count"),
    version: u53("number", 1, 255),
    brokerId: u53("limit"),
    batchBytesMax: u53("extra"),
  }),
  openTopic: layout<M.OpenTopic, "topic" | "options">({ request }, openTopicBody),
  topicOpened: layout<M.TopicOpened, "topic" | "options" | "durability">({
    request,
    generation,
    earliest: u64("number"),
    tail: u64("limit"),
  }, topicOpenedBody),
  openSession: layout<M.OpenSession, "topic" | "publisher" | "ack">({
    request,
    session,
    epoch,
    acknowledged: u53("number"),
    windowBatches: u53("limit"),
    windowBytes: u53("extra"),
  }, openSessionBody),
  sessionOpened: layout<M.SessionOpened, "nextSyncedBatch" | "windowBytes" | "runs">({
    request,
    session,
    epoch,
    nextBatch: u53("number"),
    limit: u53("limit"),
    lastSequence: optionalU64("extra", FLAG_SEQUENCE),
    generation,
  }, sessionOpenedBody),
  ack: layout<M.AckMessage, "runs">({
    session,
    epoch,
    nextBatch: u53("number"),
    limit: u53("limit"),
    nextSyncedBatch: u53("extra"),
  }, runsBody),
  grant: layout<M.Grant>({ session, epoch, limit: u53("limit"), lowered: flag(FLAG_LOWERED) }),
  yield: layout<M.Yield>({ session, epoch, limit: u53("limit") }),
  closeSession: layout<M.CloseSession>({ session, epoch }),
  fenced: layout<M.Fenced>({
    session,
    epoch,
    nextBatch: u53("number"),
    reason: code("gap", "staleEpoch", "superseded", "sessionUnknown"),
  }),
  read: layout<M.Read, "topic">({
    request,
    from: u64("number"),
    bytesMax: u53("limit"),
    waitMs: u53("extra"),
  }, topicBody),
  subscribe: layout<M.Subscribe, "topic">({
    request,
    cursor: u53("id"),
    start: code("position", "earliest", "latest", "timestamp"),
    from: u64("number"),
    creditBytes: u53("limit"),
    generation,
  }, topicBody),
  subscribed: layout<M.Subscribed>({
    request,
    cursor: u53("id"),
    position: u64("number"),
    tail: u64("limit"),
    generation,
  }),
  credit: layout<M.Credit>({ cursor: u53("id"), consumedBytes: u53("number") }),
  unsubscribe: layout<M.Unsubscribe>({ cursor: u53("id") }),
  cursorEnded: layout<M.CursorEnded, "error">({ cursor: u53("id") }, errorBody),
  openConsumer: layout<M.OpenConsumer, "topic" | "consumer">({ request }, openConsumerBody),
  consumerOpened: layout<M.ConsumerOpened>({
    request,
    handle: u53("id"),
    epoch,
    position: optionalU64("number", FLAG_COMMITTED),
    tail: u64("limit"),
    committedGeneration: u53("extra", 0, 0xffff_ffff),
    generation,
  }),
  commit: layout<M.Commit>({ request, handle: u53("id"), epoch, position: u64("number"), generation }),
  done: layout<M.Done>({ request, position: u64("number") }),
  consumerSuperseded: layout<M.ConsumerSuperseded>({ handle: u53("id"), epoch }),
  closeConsumer: layout<M.CloseConsumer>({ handle: u53("id") }),
  trim: layout<M.Trim, "topic">({ request, before: u64("number") }, topicBody),
  status: layout<M.Status>({ request }),
  statusReport: layout<M.StatusReport, "report">({ request }, reportBody),
  storeState: layout<M.StoreState, "message">({
    session,
    epoch,
    state: code("full", "resumed", "stopped"),
  }, textBody),
  refused: layout<M.Refused, "error">({ request, session, epoch, batch: u53("number") }, errorBody),
  unsupported: layout<M.Unsupported>({ request, unknownType: u32("count", 0, 255) }),
};
