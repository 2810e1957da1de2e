/**
 * What a frame decoder is given: where messages go, where memory comes from, and the bounds.
 *
 * @module
 */

import type { PeerError } from "../errors.ts";

/** Bounds that the decoder enforces. */
export interface FrameLimits {
  readonly frameBytesMax: number;
  readonly messageBytesMax: number;
  readonly messageFramesMax: number;
}

/** Receives what a decoder decodes. None of the methods may call back into the decoder. */
export interface FrameSink {
  /** `messages` whole messages lie back to back in `bytes[start, end)`, framed as on the wire. */
  run(bytes: Uint8Array, start: number, end: number, messages: number): void;
  /** One whole message whose frames are views or have memory of their own. The sink owns the array. */
  message(frames: Uint8Array[], bytes: number): void;
  /** The body of a command. A returned error ends decoding. */
  command(body: Uint8Array): PeerError | undefined;
}

/** Unwraps the MESSAGE commands of a mechanism that seals frames (CURVE). */
export interface FrameOpener {
  open(body: Uint8Array): { readonly flags: number; readonly body: Uint8Array } | PeerError;
}

/**
 * Decides where the bodies of incoming frames go; a log puts them straight into its staging buffers. Asked
 * for every frame of a message, whatever its size, unless the mechanism seals frames.
 */
export interface BodyAllocator {
  /**
   * `framesBefore`: the earlier frames of the same message. Returns memory of exactly `bytes`; or `"later"`:
   * input stops at this frame until the allocator's owner restarts it; or `"discard"`: the body is consumed,
   * framing stays in step, and the message is delivered with {@link DISCARDED} in this frame's place.
   */
  allocate(bytes: number, framesBefore: readonly Uint8Array[]): Uint8Array | "later" | "discard";
  /** Takes back memory from `allocate` that will not be delivered. Called once for it, on every such path. */
  release(memory: Uint8Array): void;
  /**
   * Optional: is called instead of `release` for memory into which a transport may still read, whatever it
   * reports: it must not be used again. Only an allocator that has this method gets bodies read in place.
   */
  forfeit?(memory: Uint8Array): void;
}

/** An allocator whose bodies are read in place. */
export type PlacingAllocator = Required<BodyAllocator>;

/** The options of a {@link FrameDecoder}. */
export interface FrameDecoderOptions {
  readonly opener?: FrameOpener | undefined;
  readonly allocator?: BodyAllocator | undefined;
  /** Allocates memory with arbitrary content, overwritten before it is delivered. Default: zeroed memory. */
  readonly memory?: ((bytes: number) => Uint8Array) | undefined;
  /**
   * Whether memory is too short for `bytes` more: if so, memory for a body is taken only as its bytes arrive.
   * Default: never.
   */
  readonly sparing?: ((bytes: number) => boolean) | undefined;
  /** Makes the error for a rule about memory that the giver of chunks has broken. */
  readonly broken?: ((rule: "dataMemory" | "bodyMemory") => PeerError) | undefined;
}

/** Stands in a message for a frame whose allocator returned `"discard"`. Compare by identity. */
export const DISCARDED: Uint8Array = new Uint8Array(0);
