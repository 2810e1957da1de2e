/**
 * The pure machines behind the sockets, codec, engine, sessions and patterns, and behind the ordered log, wire, ingest, sequencer,
 * stores, publisher and reader, without any runtime. For authors of adapters, stores, simulators and protocol tools.
 *
 * Time is an argument or comes from a `Host`; machines never throw for what a peer did.
 *
 * @module
 */

export * from "./ports.ts";
export * from "./errors.ts";
export { partialWriter } from "./bytes/partial_writer.ts";
export { Engine, type EngineInit } from "./engine/engine.ts";
export type { CloseReason, EngineEvent, HandshakeResult } from "./engine/engine_events.ts";
export { Driver, type DriverEvents } from "./engine/driver.ts";
export { type Expiry, Liveness, type Timings } from "./engine/liveness.ts";
export { Scheduler, type Task } from "./engine/scheduler.ts";
export { DEFAULT_LIMITS, type Limits } from "./engine/limits.ts";
export { PendingTotal } from "./engine/pending_chunks.ts";
export type { Inbound, Outbound, OutboundListener } from "./engine/link.ts";
export {
  ENGINE_TRANSITIONS,
  type EngineState,
  FLUSH_TRANSITIONS,
  type FlushState,
  INPUT_TRANSITIONS,
  type InputState,
} from "./engine/states.ts";
export { next, type Table } from "./state_table.ts";
export {
  ACCEPT_TRANSITIONS,
  type AcceptState,
  SESSION_TRANSITIONS,
  type SessionState,
} from "./session/states.ts";
export {
  type BodyAllocator,
  DISCARDED,
  FrameDecoder,
  type FrameLimits,
  type FrameSink,
} from "./zmtp/frame_decoder.ts";
export { encodeFrame, writeFrame } from "./zmtp/frame_encoder.ts";
export { Segment, SegmentPool } from "./zmtp/segment.ts";
export { encodeGreeting, GreetingDecoder } from "./zmtp/greeting.ts";
export * from "./zmtp/commands.ts";
export * from "./zmtp/metadata.ts";
export type {
  AuthorizationRequest,
  Mechanism,
  MechanismFactory,
  MechanismInit,
  Verdict,
} from "./zmtp/mechanism/mechanism.ts";
export { nullMechanism } from "./zmtp/mechanism/null.ts";
export { compatible, SOCKET_TYPES, type SocketType } from "./zmtp/socket_type.ts";
export { OutboundQueue } from "./pattern/outbound_queue.ts";
export { InboundQueue } from "./pattern/inbound_queue.ts";
export { CountedSubscriptions, SubscriptionTree } from "./pattern/subscriptions.ts";
export { Context, type ContextInit } from "./socket/context.ts";
export { type Endpoint, parseEndpoint } from "./socket/endpoint.ts";

// The ordered log. Names that the sockets have too begin with Log.

export { type Crc32, crc32, crc32Of } from "./bytes/crc32.ts";
export type { AcceptedLink, AcceptLink, FrameLink, InputControl, LinkEvents } from "./log/link.ts";
export { LogError, type LogErrorCode, type LogErrorDetails } from "./log/errors.ts";
export type { Ack, Order, Retention, TopicOptions } from "./log/topic_options.ts";

// Its wire.
export {
  decodeMessage,
  encodeBatchHeader,
  encodeMessage,
  isClientMessage,
  peekBatchHeader,
  WireError,
} from "./log/wire/codec.ts";
export * from "./log/wire/messages.ts";
export { HEADER_BYTES, TYPES as MESSAGE_TYPES, WIRE_VERSION } from "./log/wire/layout.ts";
export { BatchBuilder, recordBytes, type RecordOptions } from "./log/wire/batch_builder.ts";
export { type BatchOrigin, checkRecords, LogRecord, RecordBatch, RecordReader } from "./log/wire/record.ts";

// From a broker's link to the order of its records.
export { StagingPool, type StagingPoolInit, type StagingWaiter } from "./log/ingest/staging_pool.ts";
export { Ring, type RingInit, type SlotWaiter } from "./log/ingest/ring.ts";
export { Ingest } from "./log/ingest/ingest.ts";
export type { IngestEvents, IngestInit, IngestTarget, IngestTargets } from "./log/ingest/ingest_types.ts";
export { IngestCounters } from "./log/ingest/counters.ts";
export {
  BATCH_TRANSITIONS,
  type BatchInput,
  type BatchPhase,
  INGEST_TRANSITIONS,
  type IngestInput,
  type IngestRefusal,
  type IngestRoom,
  type IngestState,
} from "./log/ingest/states.ts";
export { Sequencer, type SessionSnapshot } from "./log/order/sequencer.ts";
export type * from "./log/order/sequencer_types.ts";
export { Acks, AckSlot, type AckSource } from "./log/order/acks.ts";
export { Grants } from "./log/order/grants.ts";
export { OrderIndex } from "./log/order/order_index.ts";
export { Consumers } from "./log/order/consumers.ts";

// What is stored, and where.
export {
  decodeEntryHeader,
  decodeRound,
  encodeEntry,
  encodeRound,
  ENTRY_HEADER_BYTES,
  ENTRY_TYPES,
  type EntryFault,
  type EntryFields,
  type EntryHeader,
  type EntryType,
  FORMAT_VERSION,
  type OrderRound,
  type OrderRow,
} from "./log/order/entries.ts";
export { type ScanEnd, scanEntries, type ScanInit } from "./log/order/scan.ts";
export * from "./log/store/store.ts";
export { Segment as LogSegment } from "./log/store/segment.ts";
export { SegmentPool as LogSegmentPool, type SegmentPoolInit } from "./log/store/segment_pool.ts";
export { MemoryStore, MemoryStores } from "./log/store/memory_store.ts";
export { DiskStore, type DiskStoreInit } from "./log/store/disk_store.ts";
export { type DiskFolders, DiskStores, type DiskStoresInit, openDiskStore } from "./log/store/disk_stores.ts";
export type { StoreHost } from "./log/store/writer.ts";

// The broker as one machine, and its clients.
export { Broker, type BrokerInit } from "./log/broker/broker.ts";
export type { BrokerStatus, ConsumerStatus, TopicStatus } from "./log/broker/status.ts";
export { PublisherSession } from "./log/publisher/publisher_session.ts";
export * from "./log/publisher/publisher_types.ts";
export type { PublishedRecordOptions } from "./log/publisher/sealer.ts";
export type { OutgoingBatch } from "./log/publisher/window.ts";
export type { BrokerProgress, PublisherProgress } from "./log/publisher/progress.ts";
export {
  PUBLISHER_TRANSITIONS,
  type PublisherInput as PublisherSessionInput,
  type PublisherState,
} from "./log/publisher/states.ts";
export {
  type CursorInit,
  type CursorTarget,
  type DeliveredBatch,
  SubscriberCursor,
} from "./log/reader/subscriber_cursor.ts";
export { ConsumerHandle, type ConsumerInit, type ConsumerTarget } from "./log/reader/consumer_handle.ts";
export {
  CONSUMER_TRANSITIONS,
  type ConsumerInput,
  type ConsumerState,
  CURSOR_TRANSITIONS,
  type CursorInput,
  type CursorState,
} from "./log/reader/states.ts";
