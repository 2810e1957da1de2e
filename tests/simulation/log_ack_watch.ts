/**
 * Watches what a simulated broker acknowledges to one publisher.
 *
 * @module
 */

import type { AckMessage, Batch, SessionOpened } from "../../src/log/wire/messages.ts";

/** What is acknowledged of an epoch was sent, and never becomes less but by a new link. */
export class AckWatch {
  #session = 0n;
  #epoch = 0;
  #sentEnd = 0;
  #next = 0;
  #nextSynced = 0;

  opened({ session, epoch, nextBatch, nextSyncedBatch }: SessionOpened): void {
    if (session !== this.#session || epoch !== this.#epoch) this.#sentEnd = 0;
    this.#session = session;
    this.#epoch = epoch;
    this.#next = nextBatch;
    this.#nextSynced = nextSyncedBatch;
  }

  sent({ batch }: Batch): void {
    this.#sentEnd = Math.max(this.#sentEnd, batch + 1);
  }

  /** Answers what is wrong. */
  acknowledged({ session, epoch, nextBatch, nextSyncedBatch }: AckMessage): string | undefined {
    if (session !== this.#session || epoch !== this.#epoch) return undefined;
    if (nextBatch > this.#sentEnd) return `an ack of ${nextBatch} batches, and ${this.#sentEnd} were sent`;
    if (nextSyncedBatch > nextBatch) return `an ack of ${nextSyncedBatch} synced batches of ${nextBatch}`;
    const fell = nextBatch < this.#next || nextSyncedBatch < this.#nextSynced;
    this.#next = nextBatch;
    this.#nextSynced = nextSyncedBatch;
    return fell ? `an ack fell to ${nextBatch} batches, ${nextSyncedBatch} of them synced` : undefined;
  }
}
