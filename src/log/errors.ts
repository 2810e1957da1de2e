/**
 * Errors of the ordered log. As everywhere in hawser the closed union of codes is the contract, messages are for people.
 * What a caller did wrong before anything happened is a `MisuseError`.
 *
 * @module
 */

/** What a log, its broker or its store had to refuse or to report. */
export type LogErrorCode =
  | "ERR_LOG_CLOSED" // the log, publisher, subscription or consumer was closed
  | "ERR_LOG_DISCONNECTED" // the broker cannot be reached, and reconnecting is off or timed out
  | "ERR_LOG_UNSUPPORTED" // the other side does not know this version or kind of frame
  | "ERR_LOG_MALFORMED" // a frame that breaks the wire's rules, or whose checksum is wrong
  | "ERR_LOG_TOPIC" // no such topic, or it exists with other options
  | "ERR_LOG_BATCH_TOO_LARGE" // a batch or record above the limit
  | "ERR_LOG_WINDOW" // a batch beyond the granted window
  | "ERR_LOG_FENCED" // the session's epoch is over: a gap outlived the lease, or the epoch is stale
  | "ERR_LOG_SUPERSEDED" // a newcomer with the same publisher's or consumer's name took over
  | "ERR_LOG_SESSION_UNKNOWN" // the broker has forgotten the session
  | "ERR_LOG_SESSIONS" // more sessions than `sessionsMax`
  | "ERR_LOG_ACKNOWLEDGED_LOST" // batches that were acknowledged at ack 1 did not survive a crash of the machine
  | "ERR_LOG_SEQUENCE" // a sequence that does not rise
  | "ERR_LOG_TRIMMED" // positions that retention has removed; `from` and `to`
  | "ERR_LOG_CUT" // positions that a crash of the machine has removed, or that are not there yet; `from` and `to`
  | "ERR_LOG_STORE_FULL" // the store has no room; publishers stay pending
  | "ERR_LOG_STORE_FAILED" // the store cannot go on
  | "ERR_LOG_CORRUPT" // damage below what was known synced; `offset`
  | "ERR_LOG_FORMAT" // files of a newer format
  | "ERR_LOG_LOCKED" // the folder is in use
  | "ERR_LOG_ABORTED" // the caller's signal was aborted; `cause` is its reason
  | "ERR_LOG_TIMEOUT"; // an answer did not come in time

/** What a {@link LogError} may tell besides its message. */
export interface LogErrorDetails {
  readonly cause?: unknown;
  readonly topic?: string | undefined;
  /** The first position that is missing. */
  readonly from?: bigint | undefined;
  /** The first position behind the gap. */
  readonly to?: bigint | undefined;
  /** How many batches are meant. */
  readonly batches?: number | undefined;
  /** Byte offset in the topic's store. */
  readonly offset?: number | undefined;
}

/** See {@link LogErrorCode}. */
export class LogError extends Error {
  /** `AbortError` where a signal ended a wait, as everywhere on the platform; else `LogError`. */
  override readonly name: string;
  readonly code: LogErrorCode;
  readonly topic: string | undefined;
  readonly from: bigint | undefined;
  readonly to: bigint | undefined;
  readonly batches: number | undefined;
  readonly offset: number | undefined;

  constructor(code: LogErrorCode, message: string, details: LogErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = code === "ERR_LOG_ABORTED" ? "AbortError" : "LogError";
    this.code = code;
    this.topic = details.topic;
    this.from = details.from;
    this.to = details.to;
    this.batches = details.batches;
    this.offset = details.offset;
  }
}
