/**
 * Any message of the log, for property tests.
 *
 * @module
 */

import type { Ack, Order, TopicOptions } from "../../../src/log/topic_options.ts";
import type { LogErrorCode } from "../../../src/log/errors.ts";
import type * as M from "../../../src/log/wire/messages.ts";
import fc, { type Arbitrary } from "../../support/properties.ts";

type Fields<T> = { readonly [P in keyof T]: Arbitrary<T[P]> };

const u8: Arbitrary<number> = fc.integer({ min: 0, max: 0xff });
const u32: Arbitrary<number> = fc.oneof(
  fc.integer({ min: 0, max: 5 }),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);
const count: Arbitrary<number> = fc.integer({ min: 1, max: 1_000 });
const u53: Arbitrary<number> = fc.oneof(
  fc.integer({ min: 0, max: 5 }),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  fc.constantFrom(0xffff_ffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER),
);
const u64: Arbitrary<bigint> = fc.oneof(
  fc.bigInt({ min: 0n, max: 5n }),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);
const maybeU64: Arbitrary<bigint | undefined> = fc.option(u64, { nil: undefined });
// 255 bytes at most, three for each unit; whole code points, so that nothing is replaced by encoding.
const emptyName: Arbitrary<string> = fc.string({ unit: "binary", maxLength: 60 });
const name: Arbitrary<string> = emptyName.filter((text) => text !== "");
const text: Arbitrary<string> = fc.string({ unit: "binary", maxLength: 200 });
const ack: Arbitrary<Ack> = fc.constantFrom<Ack>(0, 1, 2);

const options: Arbitrary<TopicOptions> = fc.record({
  order: fc.constantFrom<Order>(0, 2, 4, 5),
  ack,
  retention: fc.record({
    bytesMax: u53,
    ageMsMax: u53,
    keepFor: fc.array(name, { maxLength: 3 }),
  }, { noNullPrototype: true }),
  segmentBytes: u53,
  leaseMs: u53,
  syncIntervalMs: u53,
}, { noNullPrototype: true });

const someOptions: Arbitrary<Partial<TopicOptions>> = fc.tuple(options, fc.nat(63)).map(([all, bits]) =>
  Object.fromEntries(Object.entries(all).filter((_, index) => (bits >> index & 1) === 1))
);

const error: Arbitrary<M.RefusedError> = fc.tuple(
  fc.constantFrom<LogErrorCode>("ERR_LOG_TRIMMED", "ERR_LOG_TIMEOUT", "ERR_LOG_CLOSED"),
  text,
  maybeU64,
  maybeU64,
).map(([code, message, from, to]) => ({
  code,
  message,
  ...(from === undefined ? {} : { from }),
  ...(to === undefined ? {} : { to }),
}));

const runs: Arbitrary<readonly M.AckRun[]> = fc.array(
  fc.record({ batch: u53, batches: count, position: u64 }, { noNullPrototype: true }),
  { maxLength: 4 },
);

const entry: Arbitrary<M.RecordsEntry> = fc.record({
  position: u64,
  timestampMs: u53,
  count: fc.integer({ min: 1, max: 4 }),
  bodyBytes: fc.integer({ min: 32, max: 99 }),
  bodyCrc: u32,
}, { noNullPrototype: true });

function message<T extends M.LogMessage>(
  type: T["type"],
  fields: Fields<Omit<T, "type">>,
): Arbitrary<T> {
  const all = { type: fc.constant(type), ...fields } as unknown as Fields<T>;
  return fc.record(all, { noNullPrototype: true }) as unknown as Arbitrary<T>;
}

const position = u64;
const request = u32;
const session = u64;
const epoch = u32;
const generation = u32;
const version: Arbitrary<number> = fc.integer({ min: 1, max: 255 });

const records: Arbitrary<M.Records> = message<M.Records>("records", {
  request,
  cursor: u53,
  position,
  tail: u64,
  generation,
  entries: fc.array(entry, { maxLength: 4 }),
}).map((one) => ({ ...one, position: one.entries[0]?.position ?? one.position }));

const batch: Arbitrary<M.Batch> = message<M.Batch>("batch", {
  session,
  epoch,
  batch: u53,
  count,
  lastSequence: maybeU64,
  bodyBytes: fc.integer({ min: 8_000, max: 9_000 }),
  bodyCrc: u32,
});

/** By type, so that a new one cannot be forgotten. */
export const MESSAGES: {
  readonly [T in M.LogMessage["type"]]: Arbitrary<Extract<M.LogMessage, { type: T }>>;
} = {
  hello: message<M.Hello>("hello", { versionMin: version, versionMax: version, features: u32 }),
  welcome: message<M.Welcome>("welcome", {
    version,
    features: u32,
    brokerId: u53,
    logId: u64,
    batchBytesMax: u53,
  }),
  openTopic: message<M.OpenTopic>("openTopic", { request, topic: name, options: someOptions }),
  topicOpened: message<M.TopicOpened>("topicOpened", {
    request,
    topic: name,
    options,
    durability: fc.constantFrom("none" as const, "process" as const, "machine" as const),
    generation,
    earliest: u64,
    tail: u64,
  }),
  openSession: message<M.OpenSession>("openSession", {
    request,
    topic: name,
    publisher: emptyName,
    session,
    epoch,
    acknowledged: u53,
    ack,
    windowBatches: u53,
    windowBytes: u53,
  }),
  sessionOpened: message<M.SessionOpened>("sessionOpened", {
    request,
    session,
    epoch,
    nextBatch: u53,
    nextSyncedBatch: u53,
    limit: u53,
    windowBytes: u53,
    lastSequence: maybeU64,
    generation,
    runs,
  }),
  batch,
  ack: message<M.AckMessage>("ack", {
    session,
    epoch,
    nextBatch: u53,
    nextSyncedBatch: u53,
    limit: u53,
    runs,
  }),
  yield: message<M.Yield>("yield", { session, epoch, limit: u53 }),
  grant: message<M.Grant>("grant", { session, epoch, limit: u53, lowered: fc.boolean() }),
  closeSession: message<M.CloseSession>("closeSession", { session, epoch }),
  fenced: message<M.Fenced>("fenced", {
    session,
    epoch,
    nextBatch: u53,
    reason: fc.constantFrom<M.Fenced["reason"]>("gap", "staleEpoch", "superseded", "sessionUnknown"),
  }),
  read: message<M.Read>("read", { request, topic: name, from: u64, bytesMax: u53, waitMs: u53 }),
  records,
  subscribe: message<M.Subscribe>("subscribe", {
    request,
    cursor: u53,
    topic: name,
    start: fc.constantFrom<M.StartKind>("position", "earliest", "latest", "timestamp"),
    from: u64,
    generation,
    creditBytes: u53,
  }),
  subscribed: message<M.Subscribed>("subscribed", { request, cursor: u53, position, tail: u64, generation }),
  credit: message<M.Credit>("credit", { cursor: u53, consumedBytes: u53 }),
  cursorEnded: message<M.CursorEnded>("cursorEnded", { cursor: u53, error }),
  unsubscribe: message<M.Unsubscribe>("unsubscribe", { cursor: u53 }),
  consumerOpened: message<M.ConsumerOpened>("consumerOpened", {
    request,
    handle: u53,
    epoch,
    position: maybeU64,
    committedGeneration: u32,
    tail: u64,
    generation,
  }),
  openConsumer: message<M.OpenConsumer>("openConsumer", { request, topic: name, consumer: name }),
  done: message<M.Done>("done", { request, position }),
  commit: message<M.Commit>("commit", { request, handle: u53, epoch, position, generation }),
  consumerSuperseded: message<M.ConsumerSuperseded>("consumerSuperseded", { handle: u53, epoch }),
  closeConsumer: message<M.CloseConsumer>("closeConsumer", { handle: u53 }),
  statusReport: message<M.StatusReport>("statusReport", {
    request,
    report: fc.dictionary(name, u53, { noNullPrototype: true }),
  }),
  trim: message<M.Trim>("trim", { request, topic: name, before: u64 }),
  storeState: message<M.StoreState>("storeState", {
    session,
    epoch,
    state: fc.constantFrom<M.StoreState["state"]>("full", "resumed", "stopped"),
    message: text,
  }),
  status: message<M.Status>("status", { request }),
  refused: message<M.Refused>("refused", { request, session, epoch, batch: u53, error }),
  unsupported: message<M.Unsupported>("unsupported", { request, unknownType: u8 }),
};
