/**
 * The bound on what all outbound queues of a context hold together.
 *
 * @module
 */

/** A queue that refused a message because of the bound. */
export interface WaitingQueue {
  /** The total has room again: the queue may, too. */
  reconsider(): void;
}

/**
 * See the module. At the bound a queue is full when it holds its share or more: the bound divided by the queues that hold
 * anything. So peers that do not read cost the others nothing but memory: whoever keeps up is always below its share.
 */
export class QueuedTotal {
  /** Bytes of memory that all queues hold. Queues count them here themselves. */
  bytes = 0;
  /** Queues that hold something. */
  queues = 0;
  /** Queues that refused a message because of this bound. */
  readonly waiting: Set<WaitingQueue> = new Set();
  readonly bytesMax: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Whether a queue that holds `ownBytes` of them may take nothing more. */
  isFull(ownBytes: number): boolean {
    return this.bytes >= this.bytesMax && ownBytes * this.queues >= this.bytesMax;
  }

  /** Bytes have left. Wakes at an eighth below the bound: a writer that is woken for every message would never batch. */
  left(): void {
    if (this.waiting.size === 0 || this.bytes > this.bytesMax * 0.875) return;
    const woken = [...this.waiting];
    this.waiting.clear();
    for (const queue of woken) queue.reconsider();
  }
}
