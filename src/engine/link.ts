/**
 * What an engine needs from the pipe that it serves. The pipe (src/pattern) implements both sides.
 *
 * @module
 */

import type { FrameSink } from "../zmtp/frame_decoder.ts";
import type { Segment } from "../zmtp/segment.ts";

/** Where decoded messages go. */
export interface Inbound extends Pick<FrameSink, "run" | "message"> {
  /** Messages that may still be delivered before the high-water mark. 0: full. */
  readonly credit: number;
  /** Announces what was delivered since the last call. May run the application's code. */
  announce(): void;
  /**
   * The peer subscribed to `topic` (`on`) or cancelled by command, after what was delivered before and ahead
   * of what comes later. The callee owns `topic`. If omitted, such commands are ignored.
   */
  subscription?(topic: Uint8Array, on: boolean): void;
  /** Calls `release` once everything that was delivered so far has been taken or dropped. */
  hold?(release: () => void): void;
}

/** Where messages to be written come from. */
export interface Outbound {
  /** Whether a segment can be taken. */
  readonly hasSegments: boolean;
  /** Whether a write must not wait for more: a whole segment is ready, or the high-water mark was reached. */
  readonly presses: boolean;
  /** The oldest segment, or `undefined`. It counts against the high-water mark until it is released. */
  take(): Segment | undefined;
  /** The transport took all of `segment`: its memory and its place below the high-water mark are free. */
  release(segment: Segment): void;
  /**
   * The connection was lost with `segment` in flight: like `release`, but part of it may have been written.
   */
  discard(segment: Segment): void;
  /**
   * The transport refused the rest of `segment` after `handedBytes`: messages that it did not take whole go
   * to the next connection.
   */
  giveBack?(segment: Segment, handedBytes: number): void;
}

/** The connection that received memory came from. */
export interface InboundSource {
  /** The memory of a chunk changed after it was received. */
  memoryReused(): void;
}

/** The connection that writes what a pipe queues. */
export interface OutboundListener {
  /** The queue went from empty to not empty. */
  queued(): void;
  /** A whole segment is ready, or the high-water mark is reached: write now if you can. */
  writeNow(): void;
}
