/**
 * What all sockets of a context share.
 *
 * @module
 */

import { PENDING_TOTAL_BYTES_MAX } from "../engine/limits.ts";
import { PendingTotal } from "../engine/pending_chunks.ts";
import { Scheduler } from "../engine/scheduler.ts";
import type { Host } from "../ports.ts";
import { SegmentPool } from "../zmtp/segment.ts";
import { InprocRegistry } from "./inproc_registry.ts";
import { KeepAlive } from "./keep_alive.ts";

/** See the module. */
export class Runtime {
  readonly host: Host;
  readonly scheduler: Scheduler;
  readonly keepAlive: KeepAlive;
  readonly pool: SegmentPool = new SegmentPool();
  readonly pendingTotal: PendingTotal;
  readonly inproc: InprocRegistry = new InprocRegistry();
  #lastPeerId = 0;
  #lastSocketId = 0;

  constructor(host: Host, options: { readonly pendingTotalBytesMax?: number } = {}) {
    this.host = host;
    this.scheduler = new Scheduler(host);
    this.keepAlive = new KeepAlive(host);
    this.pendingTotal = new PendingTotal(options.pendingTotalBytesMax ?? PENDING_TOTAL_BYTES_MAX);
  }

  /** A number for the next socket. */
  nextSocketId(): number {
    return ++this.#lastSocketId;
  }

  /** A number for the next peer. */
  nextPeerId(): number {
    return ++this.#lastPeerId;
  }
}
