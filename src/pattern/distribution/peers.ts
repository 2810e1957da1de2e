/**
 * A pattern that decides nothing: every peer is reported, read and written individually, through its pipe. On
 * the wire it has the socket type that it is given. The log's links are built on it: no routing id is read,
 * made or looked up, so no peer can claim another's.
 *
 * @module
 */

import { Pattern, type PatternInit } from "../pattern.ts";
import type { Pipe } from "../pipe/pipe.ts";

/**
 * What {@link PeersPattern} reports. The calls come from inside connections: the callee defers what it does
 * in response.
 */
export interface PeersEvents {
  /** A peer is connected; `pipe.peer` describes it. Nothing that it sent has been decoded yet. */
  joined(pipe: Pipe): void;
  /** A peer is gone, perhaps one that never joined. What was received from it stays readable. */
  left(pipe: Pipe): void;
  /** Messages were added to an empty pipe. */
  readable(pipe: Pipe): void;
  /** A pipe that refused a message has room again. */
  writable(pipe: Pipe): void;
  /** The socket is about to close. */
  closing(): void;
}

/** Reports every peer to `peers` and leaves all routing to it. */
export class PeersPattern extends Pattern {
  readonly type: "DEALER" | "ROUTER";
  readonly #peers: PeersEvents;

  constructor(type: "DEALER" | "ROUTER", init: PatternInit, peers: PeersEvents) {
    super(init);
    this.type = type;
    this.#peers = peers;
  }

  attach(_pipe: Pipe): void {}

  detach(pipe: Pipe): void {
    this.#peers.left(pipe);
  }

  override ready(pipe: Pipe): void {
    this.#peers.joined(pipe);
  }

  override readable(pipe: Pipe): void {
    this.#peers.readable(pipe);
  }

  override writable(pipe: Pipe): void {
    this.#peers.writable(pipe);
  }

  override closing(): void {
    this.#peers.closing();
  }
}
