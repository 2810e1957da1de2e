/**
 * The pure machines behind the sockets: codec, engine, sessions and patterns, without any runtime. For authors of
 * adapters, simulators and protocol tools.
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
  type Table,
} from "./engine/states.ts";
export { SESSION_TRANSITIONS, type SessionState } from "./session/states.ts";
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
