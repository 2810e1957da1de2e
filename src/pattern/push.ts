/**
 * PUSH (RFC 30): sends each message to the next peer that can take it. What peers send is dropped.
 *
 * @module
 */

import type { Inbound } from "../engine/link.ts";
import { LoadBalancer } from "./distribution/load_balancer.ts";
import type { Outgoing } from "./pipe/outbound_queue.ts";
import { type InboundKind, Pattern } from "./pattern.ts";
import type { Pipe } from "./pipe/pipe.ts";

const DISCARD: Inbound = { credit: Infinity, run(): void {}, message(): void {}, announce(): void {} };

export class PushPattern extends Pattern {
  readonly type = "PUSH";
  override readonly inbound: InboundKind = "discard";
  readonly #balancer: LoadBalancer = new LoadBalancer();

  override sinkOf(): Inbound {
    return DISCARD;
  }

  attach(pipe: Pipe): void {
    this.writable(pipe);
  }

  detach(pipe: Pipe): void {
    this.#balancer.remove(pipe);
  }

  override writable(pipe: Pipe): void {
    this.#balancer.add(pipe);
    this.events.writable();
  }

  override get canSend(): boolean {
    return this.#balancer.canWrite;
  }

  override trySend(message: Outgoing): boolean {
    return this.#balancer.write(message);
  }
}
