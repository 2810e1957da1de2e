/**
 * Every message that clients and brokers exchange, decoded. The boxes are in layout.ts and docs/PROTOCOL.md.
 *
 * Numbers are safe integers, except positions, session ids and sequences, which use all 64 bits.
 *
 * @module
 */

import type { LogErrorCode } from "../errors.ts";
import type { Ack, TopicOptions } from "../topic_options.ts";

/** Client, first of all. */
export interface Hello {
  readonly type: "hello";
  readonly versionMin: number;
  readonly versionMax: number;
  readonly features: number;
}

/** Broker: the version that both speak from here on. */
export interface Welcome {
  readonly type: "welcome";
  readonly version: number;
  readonly features: number;
  readonly brokerId: number;
  readonly logId: bigint;
  /** Bytes of the largest batch body that is taken. */
  readonly batchBytesMax: number;
}

/** Client: asks for a topic; makes it where it is not there. Options that are given must be the topic's. */
export interface OpenTopic {
  readonly type: "openTopic";
  readonly request: number;
  readonly topic: string;
  readonly options: Partial<TopicOptions>;
}

export interface TopicOpened {
  readonly type: "topicOpened";
  readonly request: number;
  readonly topic: string;
  readonly options: TopicOptions;
  readonly durability: "none" | "process" | "machine";
  readonly generation: number;
  /** First position that is kept, and the next one to be given. */
  readonly earliest: bigint;
  readonly tail: bigint;
}

/** Client: begins, resumes or takes over a session. */
export interface OpenSession {
  readonly type: "openSession";
  readonly request: number;
  readonly topic: string;
  /** "": a session without a name. */
  readonly publisher: string;
  /** Chosen by the client; 0 for a named publisher that does not know its session yet. */
  readonly session: bigint;
  /** 0: a new epoch, whatever the last one was. Otherwise the epoch to resume. */
  readonly epoch: number;
  /** The first batch that was not acknowledged: everything below was. */
  readonly acknowledged: number;
  readonly ack: Ack;
  readonly windowBatches: number;
  readonly windowBytes: number;
}

export interface SessionOpened {
  readonly type: "sessionOpened";
  readonly request: number;
  readonly session: bigint;
  readonly epoch: number;
  /** Batches below are committed: exclusive, so "nothing" is 0. */
  readonly nextBatch: number;
  /** Batches below are synced. */
  readonly nextSyncedBatch: number;
  /** Batches below may be sent. */
  readonly limit: number;
  readonly windowBytes: number;
  /** The greatest committed sequence of a named publisher. */
  readonly lastSequence: bigint | undefined;
  readonly generation: number;
  /** What is still known of committed batches. */
  readonly runs: readonly AckRun[];
}

/** Client: one batch of records. Its body is the next frame. */
export interface Batch {
  readonly type: "batch";
  readonly session: bigint;
  readonly epoch: number;
  readonly batch: number;
  readonly count: number;
  /** The last record's sequence, of a named publisher that gives them. */
  readonly lastSequence: bigint | undefined;
  readonly bodyBytes: number;
  readonly bodyCrc: number;
}

/** Consecutive batches with consecutive positions. */
export interface AckRun {
  readonly batch: number;
  readonly batches: number;
  readonly position: bigint;
}

/** Broker: how far a session is. Cumulative: a later one says all that an earlier one did, but for its runs. */
export interface AckMessage {
  readonly type: "ack";
  readonly session: bigint;
  readonly epoch: number;
  readonly nextBatch: number;
  readonly nextSyncedBatch: number;
  readonly limit: number;
  readonly runs: readonly AckRun[];
}

/** Broker: asks to send no batch at or above `limit` from now on; answered by {@link Yield}. A limit that rises is in an ack or here, without an answer. */
export interface Grant {
  readonly type: "grant";
  readonly session: bigint;
  readonly epoch: number;
  readonly limit: number;
  readonly lowered: boolean;
}

/** Client: the lowest limit it can keep. */
export interface Yield {
  readonly type: "yield";
  readonly session: bigint;
  readonly epoch: number;
  readonly limit: number;
}

/** Client: nothing more will come. What is held behind a gap is forgotten. */
export interface CloseSession {
  readonly type: "closeSession";
  readonly session: bigint;
  readonly epoch: number;
}

/** Broker: this epoch is over. Batches below `nextBatch` are committed, none of the others will ever be. */
export interface Fenced {
  readonly type: "fenced";
  readonly session: bigint;
  readonly epoch: number;
  readonly nextBatch: number;
  readonly reason: "gap" | "staleEpoch" | "superseded" | "sessionUnknown";
}

/** Client: reads once, without any session. Answered by {@link Records}, at the latest after `waitMs`. */
export interface Read {
  readonly type: "read";
  readonly request: number;
  readonly topic: string;
  readonly from: bigint;
  readonly bytesMax: number;
  readonly waitMs: number;
}

export type StartKind = "position" | "earliest" | "latest" | "timestamp";

/** Client: a stream of records from `from`, as far as the credit goes. */
export interface Subscribe {
  readonly type: "subscribe";
  readonly request: number;
  readonly cursor: number;
  readonly topic: string;
  readonly start: StartKind;
  /** The position, or the timestamp in milliseconds. */
  readonly from: bigint;
  /** Of which the position is; 0: not known. */
  readonly generation: number;
  readonly creditBytes: number;
}

export interface Subscribed {
  readonly type: "subscribed";
  readonly request: number;
  readonly cursor: number;
  /** The first position that will come. */
  readonly position: bigint;
  readonly tail: bigint;
  readonly generation: number;
}

/** Client: so many bytes of bodies were consumed since the subscription began. */
export interface Credit {
  readonly type: "credit";
  readonly cursor: number;
  readonly consumedBytes: number;
}

export interface Unsubscribe {
  readonly type: "unsubscribe";
  readonly cursor: number;
}

/** One batch as readers get it. */
export interface RecordsEntry {
  readonly position: bigint;
  readonly timestampMs: number;
  readonly count: number;
  readonly bodyBytes: number;
  readonly bodyCrc: number;
}

/** Broker: batches in the log's order. Frames: header, table of entries, one body each. */
export interface Records {
  readonly type: "records";
  /** Answers a {@link Read}; 0 in a subscription. */
  readonly request: number;
  /** 0 in the answer to a {@link Read}. */
  readonly cursor: number;
  /** Position of the first batch; with no batches, the position that comes next. */
  readonly position: bigint;
  /** The next position to be committed. */
  readonly tail: bigint;
  readonly generation: number;
  readonly entries: readonly RecordsEntry[];
}

/** Broker: a subscription is over; nothing follows. */
export interface CursorEnded {
  readonly type: "cursorEnded";
  readonly cursor: number;
  readonly error: RefusedError;
}

/** Client: becomes the one reader of this name. */
export interface OpenConsumer {
  readonly type: "openConsumer";
  readonly request: number;
  readonly topic: string;
  readonly consumer: string;
}

export interface ConsumerOpened {
  readonly type: "consumerOpened";
  readonly request: number;
  readonly handle: number;
  /** Rises with every newcomer of this name. */
  readonly epoch: number;
  /** Next to read; `undefined`: nothing was committed yet. */
  readonly position: bigint | undefined;
  /** The log's generation when that was committed. */
  readonly committedGeneration: number;
  readonly tail: bigint;
  readonly generation: number;
}

export interface Commit {
  readonly type: "commit";
  readonly request: number;
  readonly handle: number;
  readonly epoch: number;
  readonly position: bigint;
  readonly generation: number;
}

/** Answers {@link Commit} and {@link Trim}: done, at the topic's durability. */
export interface Done {
  readonly type: "done";
  readonly request: number;
  readonly position: bigint;
}

/** Broker: a newcomer took the consumer's name. */
export interface ConsumerSuperseded {
  readonly type: "consumerSuperseded";
  readonly handle: number;
  readonly epoch: number;
}

export interface CloseConsumer {
  readonly type: "closeConsumer";
  readonly handle: number;
}

/** Client: positions below `before` are not needed any more. */
export interface Trim {
  readonly type: "trim";
  readonly request: number;
  readonly topic: string;
  readonly before: bigint;
}

export interface Status {
  readonly type: "status";
  readonly request: number;
}

export interface StatusReport {
  readonly type: "statusReport";
  readonly request: number;
  /** JSON: see broker/status.ts. */
  readonly report: unknown;
}

/** Broker: the store of a session's topic is full, or is not any more. Publishers stay pending meanwhile. */
export interface StoreState {
  readonly type: "storeState";
  readonly session: bigint;
  readonly epoch: number;
  readonly state: "full" | "resumed" | "stopped";
  readonly message: string;
}

/** An error on the wire. */
export interface RefusedError {
  readonly code: LogErrorCode;
  readonly message: string;
  readonly from?: bigint;
  readonly to?: bigint;
}

/** Broker: a request, or a batch (`request` 0, with session, epoch and batch), that was not taken. */
export interface Refused {
  readonly type: "refused";
  readonly request: number;
  readonly session: bigint;
  readonly epoch: number;
  readonly batch: number;
  readonly error: RefusedError;
}

/** Either side: a type of message that it does not know. The link stays. */
export interface Unsupported {
  readonly type: "unsupported";
  readonly request: number;
  /** The type's number. */
  readonly unknownType: number;
}

export type ClientMessage =
  | Hello
  | OpenTopic
  | OpenSession
  | Batch
  | Yield
  | CloseSession
  | Read
  | Subscribe
  | Credit
  | Unsubscribe
  | OpenConsumer
  | Commit
  | CloseConsumer
  | Trim
  | Status
  | Unsupported;

export type BrokerMessage =
  | Welcome
  | TopicOpened
  | SessionOpened
  | AckMessage
  | Grant
  | Fenced
  | Subscribed
  | Records
  | CursorEnded
  | ConsumerOpened
  | Done
  | ConsumerSuperseded
  | StatusReport
  | StoreState
  | Refused
  | Unsupported;

export type LogMessage = ClientMessage | BrokerMessage;
