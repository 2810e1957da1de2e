/**
 * Opens a topic from what its store holds: finds the last snapshot behind which everything is known to be synced, replays
 * from there, and decides about damage. Damage below what some entry names as synced is corruption and refused; damage
 * above it is the tail that a crash of the machine may cut, and is cut and reported.
 *
 * @module
 */

import type { Crc32 } from "../../bytes/crc32.ts";
import { LogError } from "../errors.ts";
import type { SegmentInfo, StoreFailure, TopicStore } from "../store/store.ts";
import type { TopicOptions } from "../topic_options.ts";
import { decodeRound, type EntryHeader } from "./entries.ts";
import { OrderIndex, SegmentIndex } from "./order_index.ts";
import { type ScanEnd, scanEntries } from "./scan.ts";
import { searchEntries } from "./search.ts";
import { decodeOpening, type FoundOpening } from "./segment_opening.ts";
import type { TopicState } from "./topic_state.ts";

/** What was cut off. */
export interface CutReport {
  /** Where the log ends now. */
  readonly offset: number;
  /** Bytes that were there behind it. */
  readonly bytes: number;
  /** Whole batches among them. None of them was known synced. */
  readonly batches: number;
}

/** A topic as its store tells it. */
export interface Recovered {
  readonly state: TopicState;
  readonly index: OrderIndex;
  /** `undefined`: the store is empty. */
  readonly opening: FoundOpening | undefined;
  readonly cut: CutReport | undefined;
}

/** Bytes that are wrong: from where, and up to where they are wrong together. Below what was synced they are corruption. */
interface Damage {
  readonly offset: number;
  readonly end: number;
}

/** What recovery needs. */
export interface RecoveryInit {
  readonly topic: string;
  readonly store: TopicStore;
  readonly crc32: Crc32;
  readonly nowMs: number;
  readonly wallMs: number;
  readonly indexRowsMax: number;
  /** An empty state for a topic with these options; `undefined`: nothing is stored. */
  readonly makeState: (options: TopicOptions | undefined) => TopicState;
}

/** See the module. `done` is called once, perhaps at once. */
export function recoverTopic(init: RecoveryInit, done: (result: Recovered | LogError) => void): void {
  new Recovery(init, done).begin();
}

class Recovery {
  readonly #init: RecoveryInit;
  readonly #done: (result: Recovered | LogError) => void;
  readonly #segments: readonly SegmentInfo[];
  /** By segment; `undefined`: its beginning cannot be read. */
  readonly #openings: (FoundOpening | undefined)[] = [];
  /** By segment: what is wrong with its opening or snapshot; `undefined`: both are there, and whole. */
  readonly #faults: (Damage | undefined)[] = [];
  readonly #index: OrderIndex;
  #state!: TopicState;
  #searchedSynced = 0;
  #searchedBatches = 0;

  constructor(init: RecoveryInit, done: (result: Recovered | LogError) => void) {
    this.#init = init;
    this.#done = done;
    this.#segments = init.store.segments.filter(({ bytes }, at, all) => bytes > 0 || at < all.length - 1);
    this.#index = new OrderIndex(init.indexRowsMax);
  }

  begin(): void {
    this.#readOpening(0);
  }

  /** One after the other; stores of memory answer at once, but have few segments when they are opened: none. */
  #readOpening(at: number): void {
    const segment = this.#segments[at];
    if (segment === undefined) return this.#chooseStart();
    const { store, crc32 } = this.#init;
    let opening: FoundOpening | undefined;
    let snapshot = false;
    const visit = (
      header: EntryHeader,
      offset: number,
      body: Uint8Array | undefined,
    ): "stop" | undefined => {
      if (offset === segment.base) {
        opening = decodeOpening(header, offset, body!);
        return undefined;
      }
      snapshot = header.type === "snapshot";
      return "stop";
    };
    const { base, bytes } = segment;
    scanEntries({ store, crc32, from: base, to: base + bytes, payloads: true, visit }, (end) => {
      if (end.failure !== undefined) return this.#fail(end.failure);
      if (end.fault === "version") return this.#refuseVersion(end.offset);
      this.#openings.push(opening);
      this.#faults.push(snapshot ? undefined : damageOf(end));
      this.#readOpening(at + 1);
    });
  }

  #chooseStart(): void {
    if (this.#segments.length === 0) {
      this.#state = this.#init.makeState(undefined);
      return this.#finish(undefined, undefined);
    }
    const start = this.#startOf();
    const opening = this.#openings[start];
    if (opening === undefined) return this.#beginningDamaged(this.#segments[0]!.base, this.#faults[0]);
    if (opening.topic !== this.#init.topic) {
      return this.#corrupt(opening.base, `these are segments of the topic "${opening.topic}"`);
    }
    const oldest = this.#segments[0]!.base;
    const readable: FoundOpening[] = [];
    for (const [at, earlier] of this.#openings.slice(0, start).entries()) {
      const { base, bytes } = this.#segments[at]!;
      if (earlier === undefined) return this.#corrupt(base, "a segment that was synced has no beginning");
      // Segments are removed from the oldest on, each for good before the next one goes: none between others is.
      if (base + bytes !== this.#segments[at + 1]!.base) {
        return this.#corrupt(base + bytes, "what stood there, and was synced, is missing");
      }
      // Retention removed what its rows reach back to, and a crash came before it was removed itself.
      if (earlier.reaches < oldest) readable.length = 0;
      else readable.push(earlier);
    }
    for (const one of readable) this.#index.found(one);
    const fault = this.#faults[start];
    if (opening.base > 0 && fault !== undefined) {
      return this.#corrupt(fault.offset, "the first segment has no snapshot of what was before it");
    }
    this.#state = this.#init.makeState(opening.options);
    this.#replay(start);
  }

  /** The last segment with a snapshot of which its own beginning, or a later one, says that everything before it is synced; failing that, the first. */
  #startOf(): number {
    let synced = 0;
    for (let at = this.#segments.length - 1; at > 0; at--) {
      synced = Math.max(synced, this.#openings[at]?.syncedThrough ?? 0);
      if (this.#faults[at] === undefined && synced >= this.#segments[at]!.base) return at;
    }
    return 0;
  }

  /** A topic that was just being made may begin anew. What was before any other segment nobody can tell without its beginning. */
  #beginningDamaged(base: number, fault: Damage | undefined): void {
    const why = "the first segment has no beginning";
    if (base > 0) return this.#corrupt(base, why);
    this.#state = this.#init.makeState(undefined);
    this.#damaged(0, { offset: base, end: fault?.end ?? base + 1 }, why);
  }

  #replay(at: number): void {
    const segment = this.#segments[at];
    if (segment === undefined) return this.#finish(undefined, undefined);
    const { store, crc32 } = this.#init;
    const { base, bytes } = segment;
    const opening = this.#openings[at];
    const fault = this.#faults[at];
    // One day this may be the first segment that is left: it must not go on without a snapshot.
    if (opening === undefined || (base > 0 && fault !== undefined)) {
      return this.#damaged(
        at,
        fault ?? { offset: base, end: base + 1 },
        "its beginning cannot be read",
        base,
      );
    }
    const rows = this.#index.begin(opening);
    let wrong: number | undefined;
    const visit = (
      header: EntryHeader,
      offset: number,
      body: Uint8Array | undefined,
    ): "stop" | undefined => {
      if (this.#apply(header, offset, body, rows)) return undefined;
      wrong = offset;
      return "stop";
    };
    scanEntries({ store, crc32, from: base, to: base + bytes, payloads: true, visit }, (end) => {
      if (end.failure !== undefined) return this.#fail(end.failure);
      if (wrong !== undefined) {
        return this.#corrupt(wrong, "an entry whose checksums are right makes no sense");
      }
      this.#replayed(at, end);
    });
  }

  #replayed(at: number, end: ScanEnd): void {
    const { offset, fault } = end;
    if (fault === "version") return this.#refuseVersion(offset);
    const next = this.#segments[at + 1];
    if (fault !== undefined) return this.#damaged(at, damageOf(end), `bad ${fault}`);
    if (next !== undefined && next.base !== offset) {
      return this.#damaged(at, damageOf(end), "the segment is too short");
    }
    this.#replay(at + 1);
  }

  #apply(header: EntryHeader, offset: number, body: Uint8Array | undefined, rows: SegmentIndex): boolean {
    const { nowMs, wallMs } = this.#init;
    if (header.type === "segment" && offset !== rows.base) return false;
    const round = this.#state.apply(header, body, nowMs, wallMs);
    if (typeof round === "boolean") return round;
    for (const row of round.rows) {
      rows.append(row.offset, row.count, row.bodyBytes, row.bodyCrc, round.timestampMs);
    }
    return true;
  }

  /** Looks at what stands behind the damage before it decides. `cutAt`: where the log ends if that may be. */
  #damaged(at: number, { offset, end }: Damage, why: string, cutAt: number = offset): void {
    const last = this.#segments.at(-1)!;
    const bytes = last.base + last.bytes - cutAt;
    for (const opening of this.#openings.slice(at + 1)) {
      if (opening !== undefined) this.#sawSynced(opening.syncedThrough);
    }
    this.#search(at, offset, () => {
      const synced = Math.max(this.#state.syncedThrough, this.#searchedSynced);
      // What was not synced whole may have been torn by the crash.
      if (end <= synced) {
        return this.#corrupt(offset, `${why}, and everything below ${synced} was synced`);
      }
      const cut: CutReport = { offset: cutAt, bytes, batches: this.#searchedBatches };
      this.#init.store.truncate(cutAt, (failure) => {
        if (failure !== undefined) this.#fail(failure);
        else this.#finish(cut, cutAt);
      });
    });
  }

  #search(at: number, from: number, done: () => void): void {
    const segment = this.#segments[at];
    if (segment === undefined) return done();
    const { store, crc32 } = this.#init;
    const to = segment.base + segment.bytes;
    const visit = (header: EntryHeader, _offset: number, body: Uint8Array | undefined): undefined => {
      if (header.type === "payload") this.#searchedBatches++;
      if (header.type === "cleanStop") this.#sawSynced(Number(header.number));
      if (header.type !== "order") return;
      const round = decodeRound(body!, header.count);
      if (round !== undefined) this.#sawSynced(round.syncedThrough);
    };
    searchEntries(
      { store, crc32, from: Math.max(from, segment.base), to, payloads: true, visit },
      (failure) => {
        if (failure !== undefined) this.#fail(failure);
        else this.#search(at + 1, segment.base + segment.bytes, done);
      },
    );
  }

  #sawSynced(offset: number): void {
    if (offset > this.#searchedSynced) this.#searchedSynced = offset;
  }

  #finish(cut: CutReport | undefined, end: number | undefined): void {
    if (cut !== undefined) this.#state.stoppedCleanly = false;
    // A segment of which nothing is left has no place in the index.
    const openings = this.#openings.filter((one) =>
      one !== undefined && (end === undefined || one.base < end)
    );
    this.#done({ state: this.#state, index: this.#index, opening: openings.at(-1), cut });
  }

  #corrupt(offset: number, why: string): void {
    const { topic } = this.#init;
    const text = `Cannot open topic "${topic}": damaged at offset ${offset}: ${why}`;
    this.#done(new LogError("ERR_LOG_CORRUPT", text, { topic, offset }));
  }

  #refuseVersion(offset: number): void {
    const { topic } = this.#init;
    const text = `Cannot open topic "${topic}": the entry at offset ${offset} has a newer format`;
    this.#done(new LogError("ERR_LOG_FORMAT", text, { topic, offset }));
  }

  #fail(failure: StoreFailure): void {
    const { topic } = this.#init;
    const { message, offset, cause } = failure;
    const text = `Cannot open topic "${topic}": ${message}`;
    this.#done(new LogError("ERR_LOG_STORE_FAILED", text, { topic, offset, cause }));
  }
}

/** A scan that ended where something else should have been is damage from its very next byte on. */
function damageOf({ offset, faultEnd = offset + 1 }: ScanEnd): Damage {
  return { offset, end: faultEnd };
}

/** Reads the rows of one segment again. */
export function loadSegmentRows(
  store: Pick<TopicStore, "read" | "segments">,
  crc32: Crc32,
  base: number,
  firstPosition: bigint,
  done: (index: SegmentIndex | StoreFailure) => void,
): void {
  const segment = store.segments.find((one) => one.base === base);
  const index = new SegmentIndex(base, firstPosition);
  if (segment === undefined) {
    return done({ kind: "corrupt", message: "The segment was removed", offset: base });
  }
  const visit = (header: EntryHeader, _offset: number, body: Uint8Array | undefined): undefined => {
    if (header.type !== "order") return;
    const round = decodeRound(body!, header.count);
    for (const row of round?.rows ?? []) {
      index.append(row.offset, row.count, row.bodyBytes, row.bodyCrc, round!.timestampMs);
    }
  };
  const to = base + segment.bytes;
  scanEntries({ store, crc32, from: base, to, payloads: false, visit }, ({ offset, fault, failure }) => {
    if (failure !== undefined) done(failure);
    else if (fault !== undefined) {
      done({ kind: "corrupt", message: `Bad ${fault} at offset ${offset}`, offset });
    } else done(index);
  });
}
