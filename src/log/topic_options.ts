/**
 * What a topic promises, in plain types. Their ranges are in `configuration/`.
 *
 * @module
 */

/**
 * 0: each broker's append order. 2: total order by arrival. 4: total order and first-in first-out per session and
 * broker. 5: total order and first-in first-out per publisher session. 1 and 3 are other systems' levels.
 */
export type Order = 0 | 2 | 4 | 5;

/**
 * 0: taken by the client's window. 1: ordered and written, survives the process. 2: synced, survives the machine.
 */
export type Ack = 0 | 1 | 2;

/** Which records may go. Whole segments are removed, so somewhat more is kept. */
export interface Retention {
  /** Keep at most so many bytes. 0: no bound. */
  readonly bytesMax: number;
  /** Keep records no longer than this. 0: no bound. */
  readonly ageMsMax: number;
  /** Consumers whose committed position holds back retention. */
  readonly keepFor: readonly string[];
}

/** Everything about a topic. */
export interface TopicOptions {
  readonly order: Order;
  readonly ack: Ack;
  readonly retention: Retention;
  /** Bytes of one segment. */
  readonly segmentBytes: number;
  /** A session with a gap older than this is fenced. */
  readonly leaseMs: number;
  /** Between two syncs of a topic that nobody waits for; 0: only at rolls and at the end. */
  readonly syncIntervalMs: number;
}
