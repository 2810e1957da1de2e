/**
 * A topic as ingest sees it: admits batches, stores their payloads, and puts their descriptors into the ring.
 *
 * @module
 */

import { BugError } from "../../errors.ts";
import type { IngestTarget } from "../ingest/ingest_types.ts";
import { Ring, type SlotWaiter } from "../ingest/ring.ts";
import type { IngestRoom } from "../ingest/states.ts";
import { entryBytes } from "../order/entries.ts";
import type { Admission, SequencedBatch, Sequencer } from "../order/sequencer.ts";
import type { TopicStore } from "../store/store.ts";
import type { Batch } from "../wire/messages.ts";
import type { Journal } from "./journal.ts";

/** Bytes that the store must have left besides a payload: for the round that orders it. */
const ORDER_ROOM_BYTES = 4_096;

/** What a {@link TopicIngest} is made of. */
export interface TopicIngestInit {
  readonly sequencer: Sequencer;
  readonly journal: Journal;
  readonly store: TopicStore;
  readonly ringSlots: number;
  readonly claimTimeoutMs: number;
  readonly nowMs: () => number;
  /** A descriptor is in the ring: a round is due. */
  readonly roundDue: () => void;
  /** Orders what is in the ring, now. */
  readonly runRound: () => void;
  /** The store is at its bound: lets go of what may go. */
  readonly makeRoom: () => void;
}

/** See the module. */
export class TopicIngest implements IngestTarget {
  readonly ring: Ring<SequencedBatch>;
  /** `full`: the disk has no room, and nothing moves. `stopped`: for good. */
  state: "open" | "full" | "stopped" = "open";
  readonly #init: TopicIngestInit;
  /** Bytes that found no room in a store at its bound; 0: the last ones found some. */
  #refusedBytes = 0;
  /** Offsets of payloads that have no order yet. They rise, and a set keeps the order of its coming: the first is the lowest. */
  readonly #unordered: Set<number> = new Set();

  constructor(init: TopicIngestInit) {
    this.#init = init;
    this.ring = new Ring({ size: init.ringSlots, claimTimeoutMs: init.claimTimeoutMs });
  }

  admit({ session, epoch, batch, bodyBytes }: Batch): Admission {
    const admission = this.#init.sequencer.admit(session, epoch, batch, bodyBytes);
    // The sender of a copy is told what is committed.
    if (admission === "duplicate") this.#init.roundDue();
    return admission;
  }

  abandon({ session, epoch, batch }: Batch): void {
    this.#init.sequencer.abandon(session, epoch, batch);
  }

  /** The state, for people: a store at its bound is full, too, though a smaller batch may find room in it. */
  get condition(): "open" | "full" | "stopped" {
    const crowded = this.#refusedBytes > 0 && !this.#init.store.hasRoom(this.#refusedBytes);
    return this.state === "open" && crowded ? "full" : this.state;
  }

  room(bytes: number): IngestRoom {
    if (this.state !== "open") return this.state;
    const { store, makeRoom } = this.#init;
    const wanted = entryBytes(bytes) + ORDER_ROOM_BYTES;
    if (store.hasRoom(wanted)) return "room";
    if (store.durability !== "none") return "wait";
    makeRoom();
    this.#refusedBytes = store.hasRoom(wanted) ? 0 : wanted;
    return this.#refusedBytes === 0 ? "room" : "full";
  }

  get waiting(): number {
    return this.ring.waiting;
  }

  reserve(): number {
    return this.ring.reserve(this.#init.nowMs());
  }

  waitSlot(waiter: SlotWaiter): void {
    this.ring.wait(waiter);
  }

  store(index: number, batch: Batch, body: Uint8Array): void {
    const { session, epoch, count, bodyBytes, bodyCrc, lastSequence } = batch;
    const fields = { id: session, epoch, count, number: BigInt(batch.batch), bodyCrc };
    const { journal, runRound } = this.#init;
    // A payload whose order comes in the next segment holds its own segment for as long as that one is kept, and so would each
    // segment the one before it, for ever. Only what has to be held reaches over an end.
    if (journal.isLeftBy(body.length)) runRound();
    const offset = journal.append("payload", fields, body);
    this.#unordered.add(offset);
    const descriptor: SequencedBatch = {
      session,
      epoch,
      batch: batch.batch,
      count,
      bytes: bodyBytes,
      crc: bodyCrc,
      lastSequence,
      offset,
    };
    if (!this.ring.publish(index, descriptor)) throw new BugError("A slot of the ring was lost");
    this.#init.roundDue();
  }

  /** A payload has its place in the order, or will never have one. */
  ordered(batch: SequencedBatch): void {
    this.#unordered.delete(batch.offset);
  }

  /** The lowest offset of a payload that may still be ordered; `otherwise`: there is none. */
  reaches(otherwise: number): number {
    for (const offset of this.#unordered) return offset;
    return otherwise;
  }
}
