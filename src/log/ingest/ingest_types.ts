/**
 * What surrounds {@link Ingest}: where batches go, who is told, and what it is made of.
 *
 * @module
 */

import type { Crc32 } from "../../bytes/crc32.ts";
import type { LogError } from "../errors.ts";
import type { InputControl } from "../link.ts";
import type { Admission } from "../order/sequencer_types.ts";
import type { Batch } from "../wire/messages.ts";
import type { IngestCounters } from "./counters.ts";
import type { SlotWaiter } from "./ring.ts";
import type { StagingPool } from "./staging_pool.ts";
import type { IngestRefusal, IngestRoom } from "./states.ts";

/** A topic, as ingest sees it. */
export interface IngestTarget {
  /** The sequencer's judgement. `take` is followed by exactly one {@link IngestTarget.store} or {@link IngestTarget.abandon}. */
  admit(batch: Batch): Admission;
  /** A batch that was told `take` will not be stored: a resend of it is to be admitted. */
  abandon(batch: Batch): void;
  /** Asked when a batch was told `take`, and again before a slot is reserved for it. */
  room(bytes: number): IngestRoom;
  /** How many wait for a slot: who comes now waits behind them. */
  readonly waiting: number;
  /** A slot of the ring, or −1. */
  reserve(): number;
  /** Queues a waiter, once; it is woken first come first served when there are slots and room (`Ring.wake`). */
  waitSlot(waiter: SlotWaiter): void;
  /**
   * Appends the body to the store and publishes its descriptor at `index`. Copies: `body` is the caller's again. Calls nothing of
   * ingest.
   */
  store(index: number, batch: Batch, body: Uint8Array): void;
}

/** Which topic a session belongs to. */
export interface IngestTargets {
  /** `undefined`: no such session on this connection. */
  find(session: bigint): IngestTarget | undefined;
}

/** What a connection's ingest tells. Never from inside `allocate`. */
export interface IngestEvents {
  /**
   * A batch was not taken, and will not be unless it is sent again. See `REFUSAL_CODES`; a duplicate is answered with what is
   * committed. May come after the connection ended, for a batch that waited for a slot.
   */
  refused(batch: Batch, refusal: IngestRefusal): void;
  /** The connection must be closed, for this reason. Ingest is closed already. */
  failed(error: LogError): void;
}

/** What an {@link Ingest} is made of. */
export interface IngestInit {
  readonly pool: StagingPool;
  readonly targets: IngestTargets;
  readonly events: IngestEvents;
  readonly counters: IngestCounters;
  readonly crc32: Crc32;
  /** What a first frame says. `undefined`: nothing that can be read, so its body is not worth memory. */
  readonly peekBatch: (header: Uint8Array) => Batch | "control" | undefined;
  /** Whether a body holds exactly the records that its header says. Default: nobody looks. */
  readonly checkBody?: ((batch: Batch, body: Uint8Array) => boolean) | undefined;
  /** Bytes of the largest body that is taken. At most the pool's buffers. */
  readonly batchBytesMax: number;
  /** A body that grows by nothing for so long ends its connection. */
  readonly payloadTimeoutMs: number;
  /** Of a connection whose bodies are received through the allocator. */
  readonly input?: InputControl | undefined;
  /** Both ends are in this process: bodies are not checked again. */
  readonly trusted?: boolean | undefined;
  readonly nowMs: number;
}
