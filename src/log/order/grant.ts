/**
 * The data of one session's grant, and the sums over all grants.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import type { ListNode } from "./linked_list.ts";

/** What one session may have on its way. Written by {@link Grants} alone. */
export class Grant<Owner> {
  readonly owner: Owner;
  /** It has a link. Without one it reserves only what it has in ring and hold. */
  attached = false;
  /** The link knows its limit. */
  answered = false;
  /** How many batches the publisher would like. */
  wanted = 0;
  /** Bytes that may be taken and not committed. */
  windowBytes = 0;
  /** Batches that are reserved beyond what is committed. */
  window = 0;
  /** Batches below may be sent. */
  limit = 0;
  /** Batches below are committed. */
  committed = 0;
  /** Behind the greatest batch that arrived. */
  claimed = 0;
  /** Some of what arrived waits behind a gap. */
  blocked = false;
  /** The limit that the publisher was asked to lower to, as long as it has not answered. Meanwhile nothing is raised. */
  lowerTo: number | undefined = undefined;
  askedMs = 0;
  touchedMs = 0;
  /** The limit that the publisher knows, unless it was asked to lower it and has not answered. */
  told = 0;
  change: "none" | "raised" | "lowered" = "none";
  /** It waits in the list of changes. */
  listed = false;
  /** As the pool counts it. */
  readonly counted: Claim = { batches: 0, bytes: 0, comingBatches: 0, comingBytes: 0 };
  /** Its places, made when they are needed: most sessions are idle. */
  fat: ListNode<Grant<Owner>> | undefined = undefined;
  fatBytes: ListNode<Grant<Owner>> | undefined = undefined;
  activity: ListNode<Grant<Owner>> | undefined = undefined;
  hungry: ListNode<Grant<Owner>> | undefined = undefined;
  asked: ListNode<Grant<Owner>> | undefined = undefined;

  constructor(owner: Owner) {
    this.owner = owner;
  }

  /** The limit that a message may carry: never above one that the publisher was asked to lower to. */
  get tellable(): number {
    return this.lowerTo ?? this.limit;
  }

  /** Batches that it may still send or has sent, and that are not committed. */
  get reserve(): number {
    return Math.max(this.limit - this.committed, this.window);
  }
}

/** A share of the pool. */
interface Claim {
  batches: number;
  bytes: number;
  /** What of it will be free when the publisher has answered, or when what arrived is committed. */
  comingBatches: number;
  comingBytes: number;
}

/** The sums, which never exceed their bounds. */
export class GrantPool<Owner> {
  readonly batchesMax: number;
  readonly bytesMax: number;
  readonly batchBytesMax: number;
  batches = 0;
  bytes = 0;
  comingBatches = 0;
  comingBytes = 0;

  constructor(batchesMax: number, bytesMax: number, batchBytesMax: number) {
    this.batchesMax = batchesMax;
    this.bytesMax = bytesMax;
    this.batchBytesMax = batchBytesMax;
  }

  get freeBatches(): number {
    return this.batchesMax - this.batches;
  }

  get freeBytes(): number {
    return this.bytesMax - this.bytes;
  }

  /** What `batches` of this grant may weigh, besides one: the batch that a session expects never has to wait. */
  weigh(grant: Grant<Owner>, batches: number): number {
    return Math.min(grant.windowBytes, Math.max(0, batches - 1) * this.batchBytesMax);
  }

  /** Whether the grant could reserve so many batches. */
  fits(grant: Grant<Owner>, reserve: number): boolean {
    return reserve - grant.counted.batches <= this.freeBatches &&
      this.weigh(grant, reserve) - grant.counted.bytes <= this.freeBytes;
  }

  /** Counts the grant as it is now. `patient`: what it was asked for is still believed to come. */
  count(grant: Grant<Owner>, patient: boolean): void {
    const { counted, window } = grant;
    const batches = grant.reserve;
    const bytes = this.weigh(grant, batches);
    let left = window;
    // What waits behind a gap may stay for a lease.
    if (grant.blocked) left = Math.max(left, Math.min(grant.limit, grant.claimed) - grant.committed);
    const comingBatches = patient ? batches - left : 0;
    const comingBytes = patient ? bytes - this.weigh(grant, left) : 0;
    this.batches += batches - counted.batches;
    this.bytes += bytes - counted.bytes;
    this.comingBatches += comingBatches - counted.comingBatches;
    this.comingBytes += comingBytes - counted.comingBytes;
    counted.batches = batches;
    counted.bytes = bytes;
    counted.comingBatches = comingBatches;
    counted.comingBytes = comingBytes;
    assert(this.batches <= this.batchesMax && this.bytes <= this.bytesMax, "more is granted than there is");
  }

  /** Sets batches aside for requests that wait; negative: takes them back. */
  promise(batches: number): void {
    this.batches += batches;
    assert(this.batches <= this.batchesMax, "more is promised than there is");
  }
}
