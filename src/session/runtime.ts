/**
 * What all sockets of a context share.
 *
 * @module
 */

import { DEFAULT_TOTAL_LIMITS, type TotalLimits } from "../engine/limits.ts";
import { PendingTotal } from "../engine/pending_chunks.ts";
import { Scheduler } from "../engine/scheduler.ts";
import { SharedBound } from "../pattern/pipe/shared_bound.ts";
import type {
  SubscriptionsTotal,
  SubscriptionsTotalOwner,
} from "../pattern/subscriptions/subscriptions_total.ts";
import type { Host } from "../ports.ts";
import { SegmentPool } from "../zmtp/segment.ts";
import type { InprocRegistry } from "./inproc_registry.ts";
import { KeepAlive } from "./keep_alive.ts";

/** The state that all sockets of a context share. */
export class Runtime implements SubscriptionsTotalOwner {
  readonly host: Host;
  readonly scheduler: Scheduler;
  readonly keepAlive: KeepAlive;
  readonly pool: SegmentPool = new SegmentPool();
  readonly pendingTotal: PendingTotal;
  readonly queuedTotal: SharedBound;
  readonly receivedTotal: SharedBound;
  readonly subscriptionsTotalBytesMax: number;
  /** Made for the first publisher. */
  subscriptionsTotal: SubscriptionsTotal | undefined;
  /** Made for the first inproc endpoint. */
  inproc: InprocRegistry | undefined;
  #lastPeerId = 0;
  #lastSocketId = 0;

  constructor(host: Host, limits: Partial<TotalLimits> = {}) {
    const limit = (name: keyof TotalLimits): number => limits[name] ?? DEFAULT_TOTAL_LIMITS[name];
    this.host = host;
    this.scheduler = new Scheduler(host);
    this.keepAlive = new KeepAlive(host);
    this.pendingTotal = new PendingTotal(limit("pendingTotalBytesMax"));
    this.queuedTotal = new SharedBound(limit("queuedTotalBytesMax"));
    this.receivedTotal = new SharedBound(limit("receivedTotalBytesMax"));
    this.subscriptionsTotalBytesMax = limit("subscriptionsTotalBytesMax");
  }

  /** Returns a number for the next socket, unique in the context. */
  nextSocketId(): number {
    return ++this.#lastSocketId;
  }

  /** Returns a number for the next peer, unique in the context. */
  nextPeerId(): number {
    return ++this.#lastPeerId;
  }
}
