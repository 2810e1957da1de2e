/**
 * A bound on what all queues of one direction hold together, over a context: `queuedTotalBytesMax` for what
 * is to be sent, `receivedTotalBytesMax` for what was received and not read.
 *
 * @module
 */

/** A queue that takes no more because of the bound. */
export interface WaitingQueue {
  /** The total has room again, so the queue may have some too. */
  reconsider(): void;
}

/**
 * What all queues of one direction hold, and the bound. At the bound, a queue is full when it holds at least
 * its share: the bound divided by the number of queues that are not empty. So peers that press against it
 * cost the others only memory: a queue that is kept short always stays below its share. The shares of peers
 * that come to a full bound are on top of it; at twice the bound, a queue is full when it holds anything.
 */
export class SharedBound {
  /** Bytes of memory that all queues hold. The queues themselves count here. */
  bytes = 0;
  /** Queues that are not empty. The queues themselves count here. */
  queues = 0;
  /** Queues that take no more because of this bound. */
  readonly waiting: Set<WaitingQueue> = new Set();
  readonly bytesMax: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Whether a queue that holds `ownBytes` of the total must refuse more. */
  isFull(ownBytes: number): boolean {
    if (this.bytes < this.bytesMax) return false;
    return ownBytes * this.queues >= this.bytesMax || (ownBytes > 0 && this.bytes >= 2 * this.bytesMax);
  }

  /**
   * Bytes have left. Wakes queues only once the total is an eighth below the bound: a writer that is woken
   * for every message would never batch.
   */
  left(): void {
    if (this.waiting.size === 0 || this.bytes > this.bytesMax * 0.875) return;
    const woken = [...this.waiting];
    this.waiting.clear();
    for (const queue of woken) queue.reconsider();
  }
}
