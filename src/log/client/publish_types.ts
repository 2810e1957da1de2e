/**
 * What is given to a publisher and what comes back.
 *
 * @module
 */

import type { AbortSignalLike } from "../../ports.ts";
import type { PublisherProgress } from "../publisher/progress.ts";
import type { PublishedRecordOptions } from "../publisher/sealer.ts";

/** What a record may have besides its value. */
export interface PublishOptions extends PublishedRecordOptions {
  /**
   * Ends the wait with `ERR_LOG_ABORTED`, and nothing else: the record is published all the same. Of a signal that is aborted
   * before, nothing is published.
   */
  readonly signal?: AbortSignalLike | undefined;
  /**
   * Milliseconds after which the wait ends with `ERR_LOG_TIMEOUT`, and nothing else: the record is published all the same.
   */
  readonly timeoutMs?: number | undefined;
}

/** Where a record is. */
export interface Published {
  /** `undefined`: at ack 0, or where the broker does not remember it any more. */
  readonly position: bigint | undefined;
}

/** What is known of a publisher once it is open. */
export interface PublisherOpened {
  /** The greatest sequence of this name in the log. */
  readonly lastSequence: bigint | undefined;
  readonly epoch: number;
}

/** See {@link PublisherProgress}. */
export interface ProgressReport extends PublisherProgress {
  /** `waiting for acks: [B0=986828] total=986828/1000000` */
  readonly text: string;
}
