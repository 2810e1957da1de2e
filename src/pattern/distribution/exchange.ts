/**
 * What DEALER and REQ share: they send to peers in turn and receive from peers in turn.
 *
 * @module
 */

import { NO_BYTES } from "../../bytes/bytes.ts";
import { FairQueue } from "./fair_queue.ts";
import { LoadBalancer } from "./load_balancer.ts";
import { Pattern } from "../pattern.ts";
import type { Pipe } from "../pipe/pipe.ts";

/** The base class of DEALER and REQ. */
export abstract class ExchangePattern extends Pattern {
  protected readonly queue: FairQueue = new FairQueue();
  protected readonly balancer: LoadBalancer = new LoadBalancer();

  attach(pipe: Pipe): void {
    this.writable(pipe);
  }

  detach(pipe: Pipe): void {
    this.balancer.remove(pipe);
  }

  override ready(pipe: Pipe): void {
    if (this.options.probeRouter) pipe.write(NO_BYTES);
  }

  override close(): void {
    this.queue.clear();
  }

  override readable(pipe: Pipe): void {
    this.queue.add(pipe);
    this.events.readable();
  }

  override writable(pipe: Pipe): void {
    this.balancer.add(pipe);
    this.events.writable();
  }

  override get canSend(): boolean {
    return this.balancer.canWrite;
  }

  override get canReceive(): boolean {
    return this.queue.hasMessages;
  }
}
