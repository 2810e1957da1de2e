/**
 * A pattern that decides nothing: every peer is told of, read and written by itself, through its pipe. On the wire it is
 * the socket type that it is given. The log's links stand on it: no routing id is read, made or looked up, so no peer
 * can claim another's.
 *
 * @module
 */

import { Pattern, type PatternInit } from "./pattern.ts";
import type { Pipe } from "./pipe.ts";

/** What is told of peers. The calls come from inside connections: whoever is called defers what it does about them. */
export interface PeersEvents {
  /** A peer is there; `pipe.peer` says who. Nothing of it has been decoded yet. */
  joined(pipe: Pipe): void;
  /** A peer is gone, perhaps one that never joined; what was received of it stays readable. */
  left(pipe: Pipe): void;
  /** Messages were added to an empty pipe. */
  readable(pipe: Pipe): void;
  /** A pipe that refused a message has room again. */
  writable(pipe: Pipe): void;
  /** The socket is about to be closed. */
  closing(): void;
}

/** See the module. */
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
