/**
 * What joins a client of the log to a broker: whole messages, in order, for as long as it is open. Over the network it
 * is a DEALER's connection to a ROUTER; in the embedded form both ends are in one process.
 *
 * @module
 */

import type { PlacingAllocator } from "../zmtp/frame_sink.ts";

/** One end of a link, as the machines on that end see it. Never calls back from inside a call. */
export interface FrameLink {
  /** Both ends are in this process: bodies need no second check and no copy. */
  readonly local: boolean;
  /**
   * Takes a message whole, or answers false and takes nothing; {@link LinkEvents.writable} follows then. A frame of
   * 16 KiB or more is given by reference: its memory must not change until the other side answered for it. A smaller one,
   * and the array, are the caller's again at once.
   */
  trySend(frames: readonly Uint8Array[]): boolean;
  /**
   * Ends the link at once: nothing more is delivered but `closed`, which follows. What was sent before may still leave,
   * within a second.
   */
  close(reason?: Error): void;
}

/** What a link tells its end. */
export interface LinkEvents {
  /** A message arrived. Frames and array belong to the callee. */
  message(frames: Uint8Array[]): void;
  /** `trySend` is worth another try. */
  writable(): void;
  /** Once, last: what was sent may or may not have arrived. */
  closed(reason?: Error): void;
}

/** What the machines may do about a link's input, where it comes over a network. */
export interface InputControl {
  /** The allocator answered `later` and has memory now: input goes on where it stopped. */
  restart(): void;
  /** Bytes that have arrived on this connection so far: whether a body makes progress. */
  readonly receivedBytes: number;
}

/** What a broker answers to a new link. */
export interface AcceptedLink {
  readonly events: LinkEvents;
  /** Decides where the bodies of incoming frames go. */
  readonly allocator?: PlacingAllocator | undefined;
}

/** A broker's door. `peer` is for people: an address. Nothing is sent on `link` before this has returned. */
export type AcceptLink = (link: FrameLink, input: InputControl | undefined, peer: string) => AcceptedLink;
