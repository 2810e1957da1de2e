/**
 * One batch on its way from its header to the ring.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { next } from "../../state_table.ts";
import type { Batch } from "../wire/messages.ts";
import type { IngestCounters } from "./counters.ts";
import type { IngestTarget } from "./ingest_types.ts";
import type { SlotWaiter } from "./ring.ts";
import type { StagingPool } from "./staging_pool.ts";
import {
  BATCH_TRANSITIONS,
  type BatchInput,
  type BatchPhase,
  type IngestRefusal,
  ROOM_REFUSALS,
} from "./states.ts";

/** What an {@link IncomingBatch} needs of its connection's ingest. */
export interface IncomingSurroundings {
  readonly pool: StagingPool;
  readonly counters: IngestCounters;
  /** It has left `waitSlot`: stored or refused. Its memory is still its own. */
  readonly left: (incoming: IncomingBatch) => void;
}

/** See the module. Whoever moves it also keeps its claims: every path ends with them returned. */
export class IncomingBatch implements SlotWaiter {
  readonly batch: Batch;
  /** Staging memory that was given to the decoder, or holds the body. */
  memory: Uint8Array | undefined;
  /** Set with the phase `refused`. */
  refusal: IngestRefusal | undefined;
  /** Where it goes; set when it is admitted. */
  target: IngestTarget | undefined;
  /** What had arrived on its connection when its body began. */
  receivedBytes = 0;
  readonly #surroundings: IncomingSurroundings;
  #phase: BatchPhase = "waitHeader";
  #body: Uint8Array | undefined;

  constructor(batch: Batch, surroundings: IncomingSurroundings) {
    this.batch = batch;
    this.#surroundings = surroundings;
    surroundings.counters.batches++;
  }

  get phase(): BatchPhase {
    return this.#phase;
  }

  /** The sequencer holds a place for it. */
  admitted(target: IngestTarget): void {
    this.target = target;
    this.#surroundings.counters.admitted++;
    this.#surroundings.counters.arriving++;
  }

  /** Its connection is paused in front of its body, perhaps again. */
  paused(): void {
    if (this.#phase !== "waitMemory") this.#surroundings.counters.pauses++;
    this.#go("noMemory");
  }

  /** Its body is received into `memory`; without, it has arrived in ordinary memory. */
  granted(memory?: Uint8Array): void {
    if (this.#phase === "waitMemory") this.#surroundings.counters.resumes++;
    this.memory = memory;
    this.#go("granted");
  }

  /** It is not taken: the sequencer's place for it is given back. Its memory is not yet. */
  refuse(refusal: IngestRefusal): void {
    const { counters } = this.#surroundings;
    this.#uncount();
    this.#go("refused");
    this.refusal = refusal;
    counters.refusals[refusal]++;
    if (this.target === undefined) return;
    counters.refusedAdmitted++;
    this.target.abandon(this.batch);
  }

  /** Its body will not come whole. `recycle` false: somebody may still write to its memory. */
  lose(recycle: boolean): void {
    const { counters } = this.#surroundings;
    if (this.#phase === "refused") return;
    if (this.#phase === "waitMemory") counters.pausesEnded++;
    this.#uncount();
    this.#go("lost");
    counters.lost++;
    this.target!.abandon(this.batch);
    this.freeMemory(recycle);
  }

  /**
   * Its body is whole and good: it is stored now, or as soon as there is a slot and room. Batches of one connection keep
   * their order, since all of a topic wait in one line.
   */
  arrived(body: Uint8Array): void {
    this.#body = body;
    if (this.target!.waiting === 0 && this.#store()) return;
    const { counters } = this.#surroundings;
    this.#go("noSlot");
    counters.slotWaits++;
    counters.waitingForSlot++;
    counters.arriving--;
    this.target!.waitSlot(this);
  }

  slotFreed(): boolean {
    assert(this.#phase === "waitSlot", "IncomingBatch: woken while it does not wait");
    const { counters, left } = this.#surroundings;
    if (!this.#store()) {
      this.#go("noSlot");
      counters.slotRetries++;
      return false;
    }
    left(this);
    return true;
  }

  /** Gives its staging memory back, and with that perhaps resumes others: last of all. */
  freeMemory(recycle = true): void {
    const { memory } = this;
    this.memory = undefined;
    this.#body = undefined;
    if (memory !== undefined) this.#surroundings.pool.release(memory, recycle);
  }

  /** One try. True: it is stored, or refused for good. */
  #store(): boolean {
    const { batch } = this;
    const { counters } = this.#surroundings;
    const target = this.target!;
    const room = target.room(batch.bodyBytes);
    if (room === "wait") return false;
    const refusal = ROOM_REFUSALS[room];
    if (refusal !== undefined) {
      this.refuse(refusal);
      return true;
    }
    const index = target.reserve();
    if (index < 0) return false;
    target.store(index, batch, this.#body!);
    this.#uncount();
    this.#go("stored");
    counters.stored++;
    counters.storedBytes += batch.bodyBytes;
    return true;
  }

  /** It leaves the phase that it is counted in. */
  #uncount(): void {
    if (this.target === undefined) return;
    const { counters } = this.#surroundings;
    if (this.#phase === "waitSlot") counters.waitingForSlot--;
    else counters.arriving--;
  }

  #go(input: BatchInput): void {
    this.#phase = next(BATCH_TRANSITIONS, this.#phase, input);
  }
}
