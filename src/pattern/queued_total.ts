/**
 * The bound on what all outbound queues of a context hold together.
 *
 * @module
 */

/** A queue that refused a message because of the bound. */
export interface WaitingQueue {
  /** The total has room again, so the queue may have some too. */
  reconsider(): void;
}

/**
 * What all outbound queues of a context hold, and the bound. At the bound, a queue is full when it holds at
 * least its share: the bound divided by the number of queues that are not empty. So peers that do not read
 * cost the others only memory: a peer that keeps up always stays below its share.
 */
export class QueuedTotal {
  /** Bytes of memory that all queues hold. The queues themselves count here. */
  bytes = 0;
  /** Queues that are not empty. The queues themselves count here. */
  queues = 0;
  /** Queues that refused a message because of this bound. */
  readonly waiting: Set<WaitingQueue> = new Set();
  readonly bytesMax: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Whether a queue that holds `ownBytes` of the total must refuse more. */
  isFull(ownBytes: number): boolean {
    return this.bytes >= this.bytesMax && ownBytes * this.queues >= this.bytesMax;
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
