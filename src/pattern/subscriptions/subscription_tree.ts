/**
 * The peers' subscriptions at a PUB or XPUB. A topic is a byte prefix of a message's first frame; the empty
 * topic matches everything.
 *
 * A publisher keeps a *set* of peers for each topic and never counts per peer: libzmq's SUB sends every
 * SUBSCRIBE but only the last CANCEL, so a publisher that counted, as RFC 37 reads, would leak its
 * subscriptions.
 *
 * Each pair of a topic and a peer is a record, a place, which is in the list of the topic's node and in the
 * list of the peer's topics. So a peer's leaving needs no search. Nothing recurses, and a match costs the
 * bytes of the topic, however many topics there are.
 *
 * @module
 */

import { EXTRA, RadixTree, ROOT, VALUE } from "./radix_tree.ts";
import { type Random, RECORD_FIELDS, RecordTable } from "./record_table.ts";

/** `"first"`: no peer had this topic. `"joined"`: others had it. `"present"`: this peer had it already. */
export type SubscriptionAdded = "first" | "joined" | "present";
/** `"last"`: no peer has this topic now. `"left"`: others have it. `"absent"`: this peer did not have it. */
export type SubscriptionRemoved = "last" | "left" | "absent";

// The fields of a place.
const NODE = 0;
const PEER = 1;
/** 0: it is the peer's first. */
const BEFORE_OF_PEER = 2;
const AFTER_OF_PEER = 3;
/** Of the node's first place: its last. */
const BEFORE_OF_NODE = 4;
const AFTER_OF_NODE = 5;

// A node's `VALUE` is its first place. A match need not look at that if there is a single peer: the node's
// `EXTRA` is then the peer's number plus 1.
const SEVERAL = -1;

class PeerRecord<Peer> {
  readonly peer: Peer;
  /** What places name it by. */
  readonly number: number;
  topics = 0;
  topicBytes = 0;
  /** The peer's oldest and newest place. */
  first = 0;
  last = 0;

  constructor(peer: Peer, number: number) {
    this.peer = peer;
    this.number = number;
  }
}

/** The subscriptions of a peer that is gone, being released. */
export type Retired<Peer> = PeerRecord<Peer>;

/** Stamps stay below this so that engines keep them as small integers. */
const STAMP_MAX = 0x3fff_ffff;
/** The stamp of a peer that has been collected by all matches to come. */
const GONE = 0x7fff_ffff;

/** The topics of all peers of a PUB or XPUB. A peer is any value that works as a key of a `Map`. */
export class SubscriptionTree<Peer> {
  readonly #tree: RadixTree;
  readonly #places: RecordTable;
  readonly #records: Map<Peer, PeerRecord<Peer>> = new Map();
  /** By number, those being released included. */
  readonly #byNumber: (PeerRecord<Peer> | undefined)[] = [];
  readonly #unusedNumbers: number[] = [];
  /** By number: the last match that collected this peer. */
  #stamps: Int32Array = new Int32Array(4);
  #distinct = 0;
  #stamp = 0;

  /** `random`: so that peers, who choose topics, cannot choose collisions. */
  constructor(random?: Random) {
    this.#tree = new RadixTree(random);
    this.#places = new RecordTable(-1, random);
  }

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

  /** Bytes of memory that all topics take. For tests. */
  get memoryBytes(): number {
    return this.#tree.memoryBytes + this.#places.bytes;
  }

  /** Number of one peer's topics. Enforcing a limit is up to the caller, before `add`. */
  count(peer: Peer): number {
    return this.#records.get(peer)?.topics ?? 0;
  }

  /** Bytes of all topics of one peer. */
  topicBytes(peer: Peer): number {
    return this.#records.get(peer)?.topicBytes ?? 0;
  }

  /** Subscribes `peer` to `topic`, which is copied. Repeating it changes nothing. */
  add(topic: Uint8Array, peer: Peer): SubscriptionAdded {
    const record = this.#records.get(peer) ?? this.#addPeer(peer);
    const places = this.#places;
    const node = this.#tree.insert(topic);
    const { number } = record;
    if (places.find(node, number) !== 0) return "present";
    const place = places.add(node, number);
    places.index(place);
    if (record.last === 0) record.first = place;
    else places.fields[record.last + AFTER_OF_PEER] = place;
    places.fields[place + BEFORE_OF_PEER] = record.last;
    record.last = place;
    record.topics++;
    record.topicBytes += topic.length;
    return this.#join(node, place, number);
  }

  /** Removes `peer`'s subscription to `topic`. Does nothing if the peer does not have it. */
  remove(topic: Uint8Array, peer: Peer): SubscriptionRemoved {
    const record = this.#records.get(peer);
    if (record === undefined) return "absent";
    const place = this.#placeOf(topic, record);
    if (place === 0) return "absent";
    record.topicBytes -= topic.length;
    const last = this.#leave(place, record);
    if (record.topics === 0) {
      this.#records.delete(peer);
      this.#removeNumber(record);
    }
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
    this.#stamps[record.number] = GONE;
    return record;
  }

  /**
   * Frees up to `topicsMax` topics of a retired peer, oldest first, as {@link removePeer} does. Returns how
   * many.
   */
  release(
    retired: Retired<Peer>,
    topicsMax: number,
    onTopic?: (topic: Uint8Array, last: boolean) => void,
  ): number {
    let released = 0;
    while (retired.topics > 0 && released < topicsMax) {
      released++;
      const place = retired.first;
      const topic = onTopic === undefined ? undefined : this.#tree.keyOf(this.#places.fields[place + NODE]!);
      const last = this.#leave(place, retired);
      if (retired.topics === 0) this.#removeNumber(retired);
      if (topic !== undefined) onTopic!(topic, last);
    }
    return released;
  }

  /** Whether any peer has exactly this topic. */
  has(topic: Uint8Array): boolean {
    const node = this.#tree.find(topic);
    if (node < 0) return false;
    const { fields } = this.#places;
    for (
      let place = this.#tree.nodes.fields[node + VALUE]!;
      place !== 0;
      place = fields[place + AFTER_OF_NODE]!
    ) {
      if (this.#stamps[fields[place + PEER]!] !== GONE) return true;
    }
    return false;
  }

  /** Whether `peer` has exactly this topic. */
  holds(topic: Uint8Array, peer: Peer): boolean {
    const record = this.#records.get(peer);
    return record !== undefined && this.#placeOf(topic, record) !== 0;
  }

  /** Yields one peer's topics, as fresh copies, oldest first. They must not change meanwhile. */
  *topicsOf(peer: Peer): Generator<Uint8Array, void, undefined> {
    const { fields } = this.#places;
    let place = this.#records.get(peer)?.first ?? 0;
    for (; place !== 0; place = fields[place + AFTER_OF_PEER]!) {
      yield this.#tree.keyOf(fields[place + NODE]!);
    }
  }

  /**
   * Writes every peer with a topic that is a prefix of `frame` into `into[0]`, `into[1]`, …, each once, and
   * returns how many. Entries beyond that stay as they were, so the array can be used again and again.
   */
  match(frame: Uint8Array, into: Peer[]): number {
    const stamp = this.#nextStamp();
    const stamps = this.#stamps;
    const tree = this.#tree;
    const { fields } = tree.nodes;
    const everyone = this.#records.size;
    let matched = 0;
    let node = ROOT;
    for (let at = 0;; at += tree.edgeBytes(node)) {
      const only = fields[node + EXTRA]!;
      if (only > 0) {
        if (stamps[only - 1]! < stamp) {
          stamps[only - 1] = stamp;
          into[matched++] = this.#byNumber[only - 1]!.peer;
        }
      } else if (only === SEVERAL) {
        matched = this.#collect(fields[node + VALUE]!, stamp, into, matched);
      }
      if (matched === everyone || at === frame.length) return matched;
      node = tree.step(node, frame, at);
      if (node === 0) return matched;
    }
  }

  #collect(first: number, stamp: number, into: Peer[], before: number): number {
    const { fields } = this.#places;
    const stamps = this.#stamps;
    let matched = before;
    for (let place = first; place !== 0; place = fields[place + AFTER_OF_NODE]!) {
      const number = fields[place + PEER]!;
      if (stamps[number]! >= stamp) continue;
      stamps[number] = stamp;
      into[matched++] = this.#byNumber[number]!.peer;
    }
    return matched;
  }

  #addPeer(peer: Peer): PeerRecord<Peer> {
    const number = this.#unusedNumbers.pop() ?? this.#byNumber.length;
    const record = new PeerRecord(peer, number);
    this.#records.set(peer, record);
    this.#byNumber[number] = record;
    if (number >= this.#stamps.length) {
      const grown = new Int32Array(this.#stamps.length * 2);
      grown.set(this.#stamps);
      this.#stamps = grown;
    }
    this.#stamps[number] = 0;
    return record;
  }

  #removeNumber({ number }: PeerRecord<Peer>): void {
    this.#byNumber[number] = undefined;
    this.#unusedNumbers.push(number);
  }

  #placeOf(topic: Uint8Array, record: PeerRecord<Peer>): number {
    const node = this.#tree.find(topic);
    return node < 0 ? 0 : this.#places.find(node, record.number);
  }

  /** Appends a new place of the peer with this number to `node`'s list. */
  #join(node: number, place: number, number: number): SubscriptionAdded {
    const nodes = this.#tree.nodes.fields;
    const { fields } = this.#places;
    const first = nodes[node + VALUE]!;
    if (first === 0) {
      nodes[node + VALUE] = place;
      nodes[node + EXTRA] = number + 1;
      fields[place + BEFORE_OF_NODE] = place;
      this.#distinct++;
      return "first";
    }
    const last = fields[first + BEFORE_OF_NODE]!;
    fields[last + AFTER_OF_NODE] = place;
    fields[place + BEFORE_OF_NODE] = last;
    fields[first + BEFORE_OF_NODE] = place;
    nodes[node + EXTRA] = SEVERAL;
    return "joined";
  }

  /** Takes a place of `record` out of both lists and frees it. Returns whether the node's list is empty. */
  #leave(place: number, record: PeerRecord<Peer>): boolean {
    const places = this.#places;
    const { fields } = places;
    const before = fields[place + BEFORE_OF_PEER]!;
    const after = fields[place + AFTER_OF_PEER]!;
    if (before === 0) record.first = after;
    else fields[before + AFTER_OF_PEER] = after;
    if (after === 0) record.last = before;
    else fields[after + BEFORE_OF_PEER] = before;
    record.topics--;
    const node = fields[place + NODE]!;
    const isLast = this.#leaveNode(node, place);
    places.unindex(place);
    places.remove(place);
    if (isLast) {
      this.#tree.prune(node);
      this.#distinct--;
    }
    if (this.#tree.nodes.isSparse) this.#packNodes();
    if (places.isSparse) this.#packPlaces();
    return isLast;
  }

  #leaveNode(node: number, place: number): boolean {
    const nodes = this.#tree.nodes.fields;
    const { fields } = this.#places;
    const before = fields[place + BEFORE_OF_NODE]!;
    const after = fields[place + AFTER_OF_NODE]!;
    if (nodes[node + VALUE] === place) nodes[node + VALUE] = after;
    else fields[before + AFTER_OF_NODE] = after;
    const first = nodes[node + VALUE]!;
    if (first === 0) {
      nodes[node + EXTRA] = 0;
      return true;
    }
    // Without one behind it, the place was the last, which the first one names.
    fields[(after === 0 ? first : after) + BEFORE_OF_NODE] = before;
    if (fields[first + AFTER_OF_NODE] === 0) nodes[node + EXTRA] = fields[first + PEER]! + 1;
    return false;
  }

  #packNodes(): void {
    const places = this.#places;
    const moved = this.#tree.pack();
    const { fields } = places;
    for (let place = places.after(0); place !== 0; place = places.after(place)) {
      fields[place + NODE] = moved[fields[place + NODE]! / RECORD_FIELDS]!;
    }
    places.indexAll();
  }

  #packPlaces(): void {
    const places = this.#places;
    const moved = places.pack();
    const { fields } = places;
    for (let place = places.after(0); place !== 0; place = places.after(place)) {
      for (let field = BEFORE_OF_PEER; field <= AFTER_OF_NODE; field++) {
        fields[place + field] = moved[fields[place + field]! / RECORD_FIELDS]!;
      }
    }
    const { nodes } = this.#tree;
    let node = ROOT;
    do {
      nodes.fields[node + VALUE] = moved[nodes.fields[node + VALUE]! / RECORD_FIELDS]!;
      node = nodes.after(node);
    } while (node !== ROOT);
    for (const record of this.#byNumber) {
      if (record === undefined) continue;
      record.first = moved[record.first / RECORD_FIELDS]!;
      record.last = moved[record.last / RECORD_FIELDS]!;
    }
    places.indexAll();
  }

  #nextStamp(): number {
    if (this.#stamp === STAMP_MAX) {
      this.#stamp = 0;
      for (const { number } of this.#records.values()) this.#stamps[number] = 0;
    }
    return ++this.#stamp;
  }
}
