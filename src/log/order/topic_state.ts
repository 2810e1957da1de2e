/**
 * What a topic's entries add up to. Replay applies them one by one when a log is opened; a running topic applies its own.
 *
 * @module
 */

import { decodeUtf8 } from "../../bytes/utf8.ts";
import type { Host } from "../../ports.ts";
import type { Durability } from "../store/store.ts";
import { Consumers } from "./consumers.ts";
import { decodeRound, type EntryHeader, type OrderRound } from "./entries.ts";
import type { Sequencer } from "./sequencer.ts";
import { decodeSnapshot, type Generation, type Snapshot } from "./snapshot.ts";

/** See the module. */
export class TopicState {
  readonly sequencer: Sequencer;
  readonly consumers: Consumers = new Consumers();
  /** The position that the next record gets. */
  nextPosition = 0n;
  lastTimestampMs = 0;
  trimmedTo = 0n;
  /** The highest offset that some entry names as synced. */
  syncedThrough = 0;
  /** Whether the last entry says that the log was closed in order. */
  stoppedCleanly = false;
  readonly generations: Generation[] = [];

  constructor(sequencer: Sequencer) {
    this.sequencer = sequencer;
  }

  get generation(): number {
    return this.generations.at(-1)?.generation ?? 0;
  }

  /**
   * Applies an entry that was read. Answers the round of an order entry, for the index. `wallMs` and `nowMs` are the same
   * moment on both clocks: how old a session is can be told from its last record's time.
   *
   * False: an entry whose checksums are right but whose contents are not.
   */
  apply(
    header: EntryHeader,
    body: Uint8Array | undefined,
    nowMs: number,
    wallMs: number,
  ): OrderRound | boolean {
    this.stoppedCleanly = header.type === "cleanStop";
    const timestampMs = header.type === "sessionOpened" ? Number(header.number) : 0;
    const then = Math.min(nowMs, nowMs - (wallMs - Math.max(this.lastTimestampMs, timestampMs)));
    switch (header.type) {
      case "segment":
      case "payload":
        return true;
      case "snapshot":
        return this.#restore(decodeSnapshot(body!), nowMs);
      case "order":
        return this.#applyRound(header, body!, nowMs, wallMs);
      case "sessionOpened":
        this.sequencer.replaySessionOpened(header.id, decodeUtf8(body!), header.epoch, then);
        return true;
      case "fence":
        this.sequencer.replayFence(header.id, header.epoch, Number(header.number), then);
        return true;
      case "sessionEnded":
        this.sequencer.replayEnded(header.id, header.epoch);
        return true;
      case "consumerOpened":
        this.consumers.opened(decodeUtf8(body!), header.epoch);
        return true;
      case "commit":
        this.consumers.committed(decodeUtf8(body!), header.number, header.epoch);
        return true;
      case "generation":
        this.generations.push({ generation: header.epoch, firstPosition: header.number });
        return true;
      case "trim":
        if (header.number > this.trimmedTo) this.trimmedTo = header.number;
        return true;
      case "cleanStop":
        this.#sawSynced(Number(header.number));
        return true;
    }
  }

  /** Everything but what is still waiting for its order; of all sessions together at most `runsMax` runs. */
  snapshot(nowMs: number, runsMax: number): Snapshot {
    return {
      nextPosition: this.nextPosition,
      lastTimestampMs: this.lastTimestampMs,
      trimmedTo: this.trimmedTo,
      generations: this.generations,
      consumers: this.consumers.list(),
      sessions: this.sequencer.exportSessions(nowMs, runsMax),
    };
  }

  #restore(snapshot: Snapshot | undefined, nowMs: number): boolean {
    if (snapshot === undefined) return false;
    // One that was met on the way says what is known already.
    if (this.generations.length > 0) return true;
    this.nextPosition = snapshot.nextPosition;
    this.lastTimestampMs = snapshot.lastTimestampMs;
    this.trimmedTo = snapshot.trimmedTo;
    this.generations.push(...snapshot.generations);
    this.consumers.import(snapshot.consumers);
    this.sequencer.importSessions(snapshot.sessions, nowMs);
    return true;
  }

  #applyRound(header: EntryHeader, body: Uint8Array, nowMs: number, wallMs: number): OrderRound | false {
    const round = decodeRound(body, header.count);
    if (round === undefined || header.number !== this.nextPosition) return false;
    const then = Math.min(nowMs, nowMs - (wallMs - round.timestampMs));
    for (const row of round.rows) {
      if (row.position !== this.nextPosition) return false;
      const { session, epoch, batch, count, bodyBytes, bodyCrc, lastSequence, offset } = row;
      this.sequencer.replayOrder(
        { session, epoch, batch, count, bytes: bodyBytes, crc: bodyCrc, lastSequence, offset },
        row.position,
        then,
      );
      this.nextPosition += BigInt(count);
    }
    this.lastTimestampMs = Math.max(this.lastTimestampMs, round.timestampMs);
    this.#sawSynced(round.syncedThrough);
    return round;
  }

  #sawSynced(offset: number): void {
    if (offset > this.syncedThrough) this.syncedThrough = offset;
  }
}

/**
 * The generation in which a log begins. What ends with its process begins anew with the next one, at the same positions: there it is
 * any number, so that a reader of the one before can be told that these are other records.
 */
export function firstGeneration(durability: Durability, host: Pick<Host, "random">): Generation {
  if (durability !== "none") return { generation: 1, firstPosition: 0n };
  const bytes = new Uint8Array(4);
  host.random(bytes);
  // 0 means "not known".
  return { generation: Math.max(1, new DataView(bytes.buffer).getUint32(0, true)), firstPosition: 0n };
}
