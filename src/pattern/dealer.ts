/**
 * DEALER (RFC 28): sends to peers in turn, receives from peers in turn, and leaves envelopes alone.
 *
 * @module
 */

import { ExchangePattern } from "./distribution/exchange.ts";
import type { Outgoing } from "./pipe/outbound_queue.ts";
import type { Message } from "./pipe/pipe.ts";

export class DealerPattern extends ExchangePattern {
  readonly type = "DEALER";

  override trySend(message: Outgoing): boolean {
    return this.balancer.write(message);
  }

  override tryReceive(): Message | undefined {
    return this.queue.read();
  }
}
