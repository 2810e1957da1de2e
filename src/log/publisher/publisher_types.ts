/**
 * What goes into a publisher's session and what comes out of it.
 *
 * @module
 */

import type { LogError } from "../errors.ts";
import type { Durability } from "../store/store.ts";
import type { Ack, Order } from "../topic_options.ts";
import type { Batch, CloseSession, Fenced, OpenSession, Yield } from "../wire/messages.ts";
import type { SealerInit } from "./sealer.ts";
import type { OutgoingBatch } from "./window.ts";

/** What a session is made of. */
export interface PublisherInit<Token> extends SealerInit {
  readonly topic: string;
  /** "": a session without a name. */
  readonly publisher: string;
  /** A random u64, not 0: the id of a session without a name. Asked again when the broker has forgotten it. */
  readonly newSession: () => bigint;
  readonly lingerMs: number;
  readonly windowBytes: number;
  readonly windowBatches: number;
  readonly resendTimeoutMs: number;
  readonly target: PublisherTarget<Token>;
}

/** A link, and the topic behind it. */
export interface PublisherLink {
  readonly brokerId: number;
  /** Tells one run of a broker from another. */
  readonly logId: bigint;
  /** What the topic's store survives. */
  readonly durability: Durability;
  readonly batchBytesMax: number;
  readonly order: Order;
  /** When a batch is acknowledged to this publisher. */
  readonly ack: Ack;
  /** What the topic promises at least. */
  readonly topicAck: Ack;
  readonly generation: number;
}

/** The surroundings of a session. Nothing of it may call the session back from inside. */
export interface PublisherTarget<Token> {
  /** A number for a request; its answer comes to `sessionOpened` or `refused`. */
  nextRequest(): number;
  /** Sends now or later, in order, as long as the link lives. */
  send(message: OpenSession | Yield | CloseSession): void;
  /** False: not now; `writable` follows. Nothing that was given to `send` may be overtaken. */
  trySendBatch(message: Batch, body: Uint8Array): boolean;
  /** Whoever waits for records of this batch is to be told: `error`, or `position` of the first one if it is known. */
  settled(batch: OutgoingBatch<Token>): void;
  happened(event: PublisherEvent): void;
  /** The broker broke the rules: the link is to be closed. */
  violated(error: LogError): void;
}

/** What happens to a session. */
export type PublisherEvent =
  | { readonly type: "opened"; readonly epoch: number; readonly lastSequence: bigint | undefined }
  | {
    readonly type: "fenced";
    readonly epoch: number;
    readonly nextBatch: number;
    readonly reason: Fenced["reason"];
  }
  /** So many batches that were acknowledged are gone. */
  | { readonly type: "acknowledgedLost"; readonly batches: number }
  | { readonly type: "superseded" }
  | { readonly type: "storeFull"; readonly message: string }
  | { readonly type: "storeResumed" }
  /** So many records will never be in the log, or nobody can tell whether they are. */
  | { readonly type: "refused"; readonly error: LogError; readonly records: number }
  | { readonly type: "failed"; readonly error: LogError };

/** What `append` answers, as bits. */
export const FULL = 0;
/** The record was taken. */
export const TAKEN = 1;
/** It is the first of a batch: call `started`. */
export const STARTED = 2;
/** A batch was sealed: call `pump`. */
export const SEALED = 4;
