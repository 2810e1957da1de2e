/**
 * The peers' and the application's subscriptions. A topic is a byte prefix of a message's first frame; the
 * empty topic matches everything.
 *
 * The two users count differently. A subscriber counts its own topics and sends SUBSCRIBE and CANCEL only
 * when a count leaves or reaches zero (`CountedSubscriptions`). A publisher keeps a *set* of peers for each
 * topic and never counts per peer (`SubscriptionTree`): libzmq's SUB sends every SUBSCRIBE but only the last
 * CANCEL, so a publisher that counted, as RFC 37 reads, would leak its subscriptions.
 *
 * Nothing recurses, and a match costs the bytes of the topic, however many topics there are.
 *
 * @module
 */

import { RadixTree } from "./radix_tree.ts";
import type { RadixNode } from "./radix_tree.ts";

/** The topics of a SUB or XSUB, each with the number of times it was subscribed to. */
export class CountedSubscriptions {
  readonly #tree: RadixTree<number> = new RadixTree<number>();
  #distinct = 0;

  /** Distinct topics. */
  get count(): number {
    return this.#distinct;
  }

  /** Tree nodes in use. For tests and reports: 0 once every topic has gone. */
  get nodeCount(): number {
    return this.#tree.nodeCount;
  }

  /** Adds a reference. Returns `true` if it is the first, so publishers must be told. `topic` is copied. */
  add(topic: Uint8Array): boolean {
    const node = this.#tree.insert(topic);
    const references = node.value ?? 0;
    node.value = references + 1;
    if (references > 0) return false;
    this.#distinct++;
    return true;
  }

  /** Drops a reference. Returns `true` if it was the last, `false` if others are left or there was none. */
  remove(topic: Uint8Array): boolean {
    const node = this.#tree.find(topic);
    const references = node?.value;
    if (node === undefined || references === undefined) return false;
    if (references > 1) {
      node.value = references - 1;
      return false;
    }
    node.value = undefined;
    this.#tree.prune(node);
    this.#distinct--;
    return true;
  }

  /** Whether exactly this topic is there. */
  has(topic: Uint8Array): boolean {
    return this.#tree.find(topic)?.value !== undefined;
  }

  /** Whether any topic is a prefix of `frame`. */
  matches(frame: Uint8Array): boolean {
    let node: RadixNode<number> = this.#tree.root;
    let at = 0;
    while (node.value === undefined) {
      if (at === frame.length) return false;
      const child = node.child(frame[at]!);
      if (child === undefined) return false;
      const end = child.end;
      if (end - child.from > frame.length - at) return false;
      const bytes = child.bytes;
      for (let index = child.from; index < end; index++) {
        if (bytes[index] !== frame[at++]) return false;
      }
      node = child;
    }
    return true;
  }

  /** Yields every topic once, as a fresh copy, in no particular order. Topics must not change meanwhile. */
  *[Symbol.iterator](): Generator<Uint8Array, void, undefined> {
    for (const node of this.#tree.nodes()) yield this.#tree.keyOf(node);
  }
}

/** `"first"`: no peer had this topic. `"joined"`: others had it. `"present"`: this peer had it already. */
export type SubscriptionAdded = "first" | "joined" | "present";
/** `"last"`: no peer has this topic now. `"left"`: others have it. `"absent"`: this peer did not have it. */
export type SubscriptionRemoved = "last" | "left" | "absent";

type PeerNode<Peer> = RadixNode<PeerRecord<Peer>[]>;

class PeerRecord<Peer> {
  readonly peer: Peer;
  /** The last match that collected this peer. */
  stamp: number = 0;
  topicBytes: number = 0;
  /** Retired: it matches nothing, and its places are being released. */
  gone: boolean = false;
  /** Each of the peer's topics, with the peer's index in that node's list: leaving needs no search. */
  readonly places: Map<PeerNode<Peer>, number> = new Map();

  constructor(peer: Peer) {
    this.peer = peer;
  }
}

/** The subscriptions of a peer that is gone, being released. */
export type Retired<Peer> = PeerRecord<Peer>;

/** Stamps stay below this so that engines keep them as small integers. */
const STAMP_MAX = 0x3fff_ffff;

/** The topics of all peers of a PUB or XPUB. A peer is any value that works as a key of a `Map`. */
export class SubscriptionTree<Peer> {
  readonly #tree: RadixTree<PeerRecord<Peer>[]> = new RadixTree<PeerRecord<Peer>[]>();
  readonly #records: Map<Peer, PeerRecord<Peer>> = new Map();
  #distinct = 0;
  #stamp = 0;

  /** Distinct topics over all peers. */
  get topicCount(): number {
    return this.#distinct;
  }

  /** Peers that have at least one topic. */
  get peerCount(): number {
    return this.#records.size;
  }

  /** Tree nodes in use. For tests and reports: 0 once every topic has gone. */
  get nodeCount(): number {
    return this.#tree.nodeCount;
  }

  /** Number of one peer's topics. Enforcing a limit is up to the caller, before `add`. */
  count(peer: Peer): number {
    return this.#records.get(peer)?.places.size ?? 0;
  }

  /** Bytes of all topics of one peer. */
  topicBytes(peer: Peer): number {
    return this.#records.get(peer)?.topicBytes ?? 0;
  }

  /** Subscribes `peer` to `topic`, which is copied. Repeating it changes nothing. */
  add(topic: Uint8Array, peer: Peer): SubscriptionAdded {
    let record = this.#records.get(peer);
    if (record === undefined) {
      record = new PeerRecord(peer);
      this.#records.set(peer, record);
    }
    const node = this.#tree.insert(topic);
    if (record.places.has(node)) return "present";
    const list = node.value ?? [];
    record.places.set(node, list.length);
    record.topicBytes += topic.length;
    list.push(record);
    if (node.value !== undefined) return "joined";
    node.value = list;
    this.#distinct++;
    return "first";
  }

  /** Removes `peer`'s subscription to `topic`. Does nothing if the peer does not have it. */
  remove(topic: Uint8Array, peer: Peer): SubscriptionRemoved {
    const record = this.#records.get(peer);
    if (record === undefined) return "absent";
    const node = this.#tree.find(topic);
    if (node === undefined || !record.places.has(node)) return "absent";
    record.topicBytes -= topic.length;
    const last = this.#leave(node, record);
    if (record.places.size === 0) this.#records.delete(peer);
    return last ? "last" : "left";
  }

  /**
   * Removes all of `peer`'s subscriptions. `onTopic` is called for each, with a fresh copy of the topic and
   * whether no peer has it any longer; without `onTopic` nothing is copied. The cost is that of the peer's
   * own topics.
   */
  removePeer(peer: Peer, onTopic?: (topic: Uint8Array, last: boolean) => void): void {
    const retired = this.retire(peer);
    if (retired !== undefined) this.release(retired, Infinity, onTopic);
  }

  /**
   * From now on `peer` matches nothing. What is returned takes memory until {@link release} has freed it.
   * Until then its topics count as subscribed to, so that the end of a topic is not reported twice.
   */
  retire(peer: Peer): Retired<Peer> | undefined {
    const record = this.#records.get(peer);
    if (record === undefined) return undefined;
    this.#records.delete(peer);
    record.gone = true;
    return record;
  }

  /** Frees up to `topicsMax` topics of a retired peer, as {@link removePeer} does. Returns how many. */
  release(
    retired: Retired<Peer>,
    topicsMax: number,
    onTopic?: (topic: Uint8Array, last: boolean) => void,
  ): number {
    let released = 0;
    for (const node of retired.places.keys()) {
      if (released === topicsMax) break;
      released++;
      const topic = onTopic === undefined ? undefined : this.#tree.keyOf(node);
      const last = this.#leave(node, retired);
      if (topic !== undefined) onTopic!(topic, last);
    }
    return released;
  }

  /** Whether any peer has exactly this topic. */
  has(topic: Uint8Array): boolean {
    return this.#tree.find(topic)?.value?.some((record) => !record.gone) ?? false;
  }

  /** Whether `peer` has exactly this topic. */
  holds(topic: Uint8Array, peer: Peer): boolean {
    const node = this.#tree.find(topic);
    return node !== undefined && (this.#records.get(peer)?.places.has(node) ?? false);
  }

  /** Yields one peer's topics, as fresh copies in no particular order. They must not change meanwhile. */
  *topicsOf(peer: Peer): Generator<Uint8Array, void, undefined> {
    const record = this.#records.get(peer);
    if (record === undefined) return;
    for (const node of record.places.keys()) yield this.#tree.keyOf(node);
  }

  /**
   * Writes every peer with a topic that is a prefix of `frame` into `into[0]`, `into[1]`, …, each once, and
   * returns how many. Entries beyond that stay as they were, so the array can be used again and again.
   */
  match(frame: Uint8Array, into: Peer[]): number {
    const stamp = this.#nextStamp();
    const everyone = this.#records.size;
    let matched = 0;
    let node: PeerNode<Peer> = this.#tree.root;
    let at = 0;
    for (;;) {
      const list = node.value;
      if (list !== undefined) {
        for (let index = 0; index < list.length; index++) {
          const record = list[index]!;
          if (record.stamp === stamp || record.gone) continue;
          record.stamp = stamp;
          into[matched++] = record.peer;
        }
        if (matched === everyone) return matched;
      }
      if (at === frame.length) return matched;
      const child = node.child(frame[at]!);
      if (child === undefined) return matched;
      const end = child.end;
      if (end - child.from > frame.length - at) return matched;
      const bytes = child.bytes;
      for (let index = child.from; index < end; index++) {
        if (bytes[index] !== frame[at++]) return matched;
      }
      node = child;
    }
  }

  /**
   * Takes `record` off `node`'s list; the list's last member moves into its place. Returns whether the list
   * is empty.
   */
  #leave(node: PeerNode<Peer>, record: PeerRecord<Peer>): boolean {
    const list = node.value!;
    const place = record.places.get(node)!;
    const mover = list.pop()!;
    if (mover !== record) {
      list[place] = mover;
      mover.places.set(node, place);
    }
    record.places.delete(node);
    if (list.length > 0) return false;
    node.value = undefined;
    this.#tree.prune(node);
    this.#distinct--;
    return true;
  }

  #nextStamp(): number {
    if (this.#stamp === STAMP_MAX) {
      this.#stamp = 0;
      for (const record of this.#records.values()) record.stamp = 0;
    }
    return ++this.#stamp;
  }
}
