/**
 * The layers of hawser below its sockets: the ports, the ZMTP codec and engine, and the wire format of the
 * ordered log, independent of any runtime. For authors of transports, simulators and protocol tools. What
 * authors of stores need is in `hawser/log`.
 *
 * Time is an argument or comes from a `Host`; the state machines never throw because of what a peer did.
 * `new Context({ host, transports })` of `hawser` runs a whole program in simulated time.
 *
 * @module
 */

// The ports, and helpers for implementing them.

export type * from "./ports.ts";
export type {
  HttpInfo,
  PeerCertificate,
  Pem,
  TlsInfo,
  TlsOptions,
  WebSocketOptions,
  WebSocketRequest,
} from "./transport_options.ts";
export * from "./errors.ts";
export { type PartialWriter, partialWriter, type WriteSome } from "./bytes/partial_writer.ts";
export {
  type Endpoint,
  type EndpointRole,
  formatTcpEndpoint,
  type HostKind,
  type HostPort,
  type InprocEndpoint,
  type IpcEndpoint,
  type OtherEndpoint,
  parseEndpoint,
  parseIpcEndpoint,
  parseTcpEndpoint,
  parseTlsEndpoint,
  parseWebSocketEndpoint,
  type TcpEndpoint,
  type TlsEndpoint,
  type WebSocketEndpoint,
} from "./socket/endpoint.ts";

// The ZMTP codec.

export { encodeGreeting, type Greeting, GreetingDecoder, type GreetingOptions } from "./zmtp/greeting.ts";
export * from "./zmtp/commands.ts";
export {
  decodeMetadata,
  encodeMetadata,
  type Metadata,
  type MetadataLimits,
  type PeerProperties,
  type Property,
} from "./zmtp/metadata.ts";
export {
  type BodyAllocator,
  DISCARDED,
  FrameDecoder,
  type FrameLimits,
  type FrameSink,
} from "./zmtp/frame_decoder.ts";
export { encodeFrame, writeFrame } from "./zmtp/frame_encoder.ts";
export type {
  AuthorizationRequest,
  Mechanism,
  MechanismBase,
  MechanismFactory,
  MechanismInit,
  MechanismName,
  MechanismStatus,
  OpenedFrame,
  SealingMechanism,
  TransparentMechanism,
  Verdict,
} from "./zmtp/mechanism/mechanism.ts";
export { nullMechanism } from "./zmtp/mechanism/null.ts";
export { compatible, SOCKET_TYPES, type SocketType } from "./zmtp/socket_type.ts";

// One connection: the engine, its driver, and the queues on both sides.

export { Engine, type EngineInit } from "./engine/engine.ts";
export type { CloseReason, EngineEvent, HandshakeResult } from "./engine/engine_events.ts";
export { Driver, type DriverEvents } from "./engine/driver.ts";
export { type BurstTask, Scheduler, type Task } from "./engine/scheduler.ts";
export type { Timings } from "./engine/liveness.ts";
export { DEFAULT_LIMITS, type Limits } from "./engine/limits.ts";
export { type HalfReceived, PendingTotal } from "./engine/pending_chunks.ts";
export type { Inbound, InboundSource, Outbound, OutboundListener } from "./engine/link.ts";
export type { EngineState, FlushState, InputState } from "./engine/states.ts";
export { type HighWaterMark, OutboundQueue, type Outgoing } from "./pattern/pipe/outbound_queue.ts";
export type { WaitingQueue } from "./pattern/pipe/shared_bound.ts";
export { InboundQueue } from "./pattern/pipe/inbound_queue.ts";
export { Segment, type SegmentOwner, SegmentPool } from "./zmtp/segment.ts";
export { type RunBound, SharedRun } from "./zmtp/shared_run.ts";

// The wire format of the ordered log.

export {
  decodeMessage,
  encodeBatchHeader,
  encodeMessage,
  isClientMessage,
  peekBatchHeader,
  type UnknownMessage,
  WireError,
} from "./log/wire/codec.ts";
export type { Batch, BrokerMessage, ClientMessage, LogMessage } from "./log/wire/messages.ts";
/** The types of all messages, by name: `LogMessages.Grant` and so on. */
export type * as LogMessages from "./log/wire/messages.ts";
export { HEADER_BYTES, TYPES as MESSAGE_TYPES, WIRE_VERSION } from "./log/wire/layout.ts";
export { BatchBuilder, recordBytes, type RecordOptions } from "./log/wire/batch_builder.ts";
export {
  type BatchOrigin,
  checkRecords,
  type LogRecord,
  RecordBatch,
  RecordReader,
} from "./log/wire/record.ts";
export { type Crc32, crc32, crc32Of } from "./bytes/crc32.ts";
