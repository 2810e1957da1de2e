/**
 * PULL (RFC 30): takes one message from each peer in turn.
 *
 * @module
 */

import { FairQueue } from "./distribution/fair_queue.ts";
import { Pattern } from "./pattern.ts";
import type { Message, Pipe } from "./pipe/pipe.ts";

export class PullPattern extends Pattern {
  readonly type = "PULL";
  readonly #queue: FairQueue = new FairQueue();

  attach(_pipe: Pipe): void {}

  detach(_pipe: Pipe): void {}

  override close(): void {
    this.#queue.clear();
  }

  override readable(pipe: Pipe): void {
    this.#queue.add(pipe);
    this.events.readable();
  }

  override get canReceive(): boolean {
    return this.#queue.hasMessages;
  }

  override tryReceive(): Message | undefined {
    return this.#queue.read();
  }
}
