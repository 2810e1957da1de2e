/**
 * When a topic lets go of segments, and in which order index and store do.
 *
 * @module
 */

import type { Host } from "../../ports.ts";
import type { OrderIndex } from "../order/order_index.ts";
import type { TopicState } from "../order/topic_state.ts";
import type { TopicStore } from "../store/store.ts";
import type { Retention } from "../topic_options.ts";
import type { Journal } from "./journal.ts";
import { trimOffset } from "./retention.ts";

/** A topic that nobody writes to is looked at so often for records that are too old: a tenth of their age, within these. */
const AGE_LOOK_MS_MIN = 1_000;
const AGE_LOOK_MS_MAX = 60_000;

/** What a {@link TopicRetention} is made of. */
export interface TopicRetentionInit {
  readonly retention: Retention;
  readonly store: TopicStore;
  readonly index: OrderIndex;
  readonly state: TopicState;
  readonly journal: Journal;
  /** The position behind the last one that readers may see. */
  readonly visibleTail: () => bigint;
  readonly host: Pick<Host, "nowMs" | "wallMs">;
}

/** See the module. */
export class TopicRetention {
  readonly #init: TopicRetentionInit;
  /** When records may have become too old. */
  #lookMs = Infinity;
  #due = false;

  constructor(init: TopicRetentionInit) {
    this.#init = init;
  }

  get nextTimeoutMs(): number {
    return this.#lookMs;
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.#lookMs) return;
    this.#lookMs = Infinity;
    this.apply(0);
  }

  /** A segment began: others may be too many when the round is over. */
  segmentBegan(): void {
    this.#due = true;
  }

  /** A round is over. */
  roundEnded(): void {
    if (this.#due) this.apply(0);
    const { retention: { ageMsMax }, index, host } = this.#init;
    if (this.#lookMs < Infinity || ageMsMax === 0 || index.segments.length < 2) return;
    this.#lookMs = host.nowMs() + Math.min(Math.max(ageMsMax / 10, AGE_LOOK_MS_MIN), AGE_LOOK_MS_MAX);
  }

  /** Lets go of segments that are not to be kept; `wantedBytes`: so many must come free if they may. */
  apply(wantedBytes: number): void {
    const { index, store, retention, state, journal, host } = this.#init;
    const visibleTail = this.#init.visibleTail();
    // What nobody could read yet does not go, however fast more comes: not even the oldest segment then.
    this.#due = (index.segments[1]?.firstPosition ?? 0n) > visibleTail;
    if (this.#due) return;
    const heldFrom = state.consumers.lowest(retention.keepFor) ?? visibleTail;
    const offset = trimOffset({
      segments: store.segments,
      index,
      retention,
      trimmedTo: state.trimmedTo,
      heldFrom: heldFrom < visibleTail ? heldFrom : visibleTail,
      wantedBytes,
      wallMs: host.wallMs(),
    });
    if (offset === 0) return;
    index.trim(offset);
    // The beginning of what is kept says what was before it: until all of that is durable, the rest must stay.
    if (store.durability === "none") store.trim(offset);
    else if (store.durability === "process") journal.whenDurable(() => store.trim(offset));
    else {
      journal.sync();
      journal.whenSynced(() => store.trim(offset));
    }
  }
}
