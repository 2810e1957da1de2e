/**
 * REP (RFC 28): takes requests from peers in turn, and sends each reply to the peer that sent the request. A
 * reply to a peer that is gone or full is dropped, so replying never blocks.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import { FairQueue } from "./distribution/fair_queue.ts";
import type { Outgoing } from "./pipe/outbound_queue.ts";
import { framesOf, Pattern } from "./pattern.ts";
import type { Message, Pipe } from "./pipe/pipe.ts";

export class RepPattern extends Pattern {
  readonly type = "REP";
  readonly #queue: FairQueue = new FairQueue();
  /** The request to reply to: its peer, and its frames up to and including the empty one. */
  #request: { readonly pipe: Pipe; readonly envelope: readonly Uint8Array[] } | undefined;

  attach(_pipe: Pipe): void {}

  detach(_pipe: Pipe): void {}

  override close(): void {
    this.#queue.clear();
  }

  override readable(pipe: Pipe): void {
    this.#queue.add(pipe);
    this.events.readable();
  }

  override get canSend(): boolean {
    return this.#request !== undefined;
  }

  override get canReceive(): boolean {
    return this.#request === undefined && this.#queue.hasMessages;
  }

  override trySend(message: Outgoing): boolean {
    const request = this.#request;
    if (request === undefined) {
      throw new MisuseError("ERR_STATE", "Cannot send: there is no request to reply to");
    }
    this.#request = undefined;
    const { pipe, envelope } = request;
    if (!pipe.connected || !pipe.write([...envelope, ...framesOf(message)])) {
      this.events.dropped(
        pipe,
        pipe.connected ? `the requester is ${pipe.fullAt}` : "the requester is gone",
      );
    }
    // A receive may be waiting until the reply is sent.
    this.events.readable();
    return true;
  }

  override tryReceive(): Message | undefined {
    if (this.#request !== undefined) {
      throw new MisuseError("ERR_STATE", "Cannot receive: the last request has not been replied to");
    }
    for (let message = this.#queue.read(); message !== undefined; message = this.#queue.read()) {
      const delimiter = message.findIndex((frame) => frame.length === 0);
      // A request without an envelope, or with nothing after it, is skipped.
      if (delimiter < 0 || delimiter === message.length - 1) continue;
      this.#request = { pipe: this.#queue.lastPipe!, envelope: message.slice(0, delimiter + 1) };
      return message.slice(delimiter + 1);
    }
    return undefined;
  }
}
