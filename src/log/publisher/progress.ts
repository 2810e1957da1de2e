/**
 * How far a publisher is, in records: for programs as numbers, for people as a line.
 *
 * @module
 */

/** What one broker has acknowledged. */
export interface BrokerProgress {
  readonly brokerId: number;
  /** Records, over all epochs. */
  readonly records: number;
}

/** Numbers of a publisher that only rise. `acknowledged` and `refused` together never exceed `submitted`. */
export interface PublisherProgress {
  readonly brokers: readonly BrokerProgress[];
  /** Records that were acknowledged at the publisher's level. */
  readonly acknowledged: number;
  /** Records that `publish` and `tryPublish` took. */
  readonly submitted: number;
  /** Records that the broker refused for good, or whose fate nobody can tell. */
  readonly refused: number;
}

/** `waiting for acks: [B0=986828 B1=986828] total=1973656/10485760` */
export function formatProgress(progress: PublisherProgress): string {
  const brokers = progress.brokers.map(({ brokerId, records }) => `B${brokerId}=${records}`).join(" ");
  const refused = progress.refused === 0 ? "" : ` refused=${progress.refused}`;
  return `waiting for acks: [${brokers}] total=${progress.acknowledged}/${progress.submitted}${refused}`;
}

/** Counts acknowledged records by broker. */
export class ProgressCounter {
  readonly #records: Map<number, number> = new Map();
  #acknowledged = 0;
  #refused = 0;
  #brokerId: number | undefined;

  get acknowledged(): number {
    return this.#acknowledged;
  }

  get refused(): number {
    return this.#refused;
  }

  /** What is acknowledged from now on is by this broker. */
  linked(brokerId: number): void {
    this.#brokerId = brokerId;
    if (!this.#records.has(brokerId)) this.#records.set(brokerId, 0);
  }

  /** So many more records are acknowledged. */
  add(records: number): void {
    this.#acknowledged += records;
    const brokerId = this.#brokerId;
    if (brokerId !== undefined) this.#records.set(brokerId, (this.#records.get(brokerId) ?? 0) + records);
  }

  /** So many records will never be. */
  refuse(records: number): void {
    this.#refused += records;
  }

  /** All of it, beside what was submitted. */
  snapshot(submitted: number): PublisherProgress {
    const brokers = [...this.#records].sort(([a], [b]) => a - b)
      .map(([brokerId, records]) => ({ brokerId, records }));
    return { brokers, acknowledged: this.#acknowledged, submitted, refused: this.#refused };
  }
}
