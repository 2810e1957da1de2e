/**
 * PAIR (RFC 31): exactly one peer at a time; a second one is refused.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import { FairQueue } from "./distribution/fair_queue.ts";
import type { Outgoing } from "./pipe/outbound_queue.ts";
import { Pattern } from "./pattern.ts";
import type { Message, Pipe } from "./pipe/pipe.ts";

export class PairPattern extends Pattern {
  readonly type = "PAIR";
  readonly #queue: FairQueue = new FairQueue();
  #pipe: Pipe | undefined;

  attach(pipe: Pipe): void {
    if (this.#pipe !== undefined) {
      pipe.refuse(new MisuseError("ERR_STATE", "A Pair takes one peer, and it already has one"));
      return;
    }
    this.#pipe = pipe;
    this.events.writable();
  }

  detach(pipe: Pipe): void {
    if (this.#pipe === pipe) this.#pipe = undefined;
  }

  override close(): void {
    this.#queue.clear();
  }

  override readable(pipe: Pipe): void {
    this.#queue.add(pipe);
    this.events.readable();
  }

  override writable(pipe: Pipe): void {
    if (pipe === this.#pipe) this.events.writable();
  }

  override get canSend(): boolean {
    return this.#pipe?.canWrite ?? false;
  }

  override get canReceive(): boolean {
    return this.#queue.hasMessages;
  }

  override trySend(message: Outgoing): boolean {
    return this.#pipe !== undefined && this.#pipe.write(message);
  }

  override tryReceive(): Message | undefined {
    return this.#queue.read();
  }
}
