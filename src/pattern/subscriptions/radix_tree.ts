/**
 * A map from byte strings to integers, as a radix tree in typed arrays: every edge carries a run of bytes,
 * and a node is a record of six integers. A child is found in one table for all nodes, by its parent and the
 * first byte of its edge, so a step costs the same whether a node has one child or 256. Nothing here
 * recurses, so neither a 1 MiB key nor a million nested prefixes can overflow the stack.
 *
 * Cost: a lookup costs the bytes it compares. A change costs the bytes of its key and no more than an edge
 * beside: a peer that keeps subscribing to a short topic and cancelling it must not make us copy a long
 * neighbour each time, so the bytes of an edge are limited, and a long key is a chain of nodes.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { NO_BYTES } from "../../bytes/bytes.ts";
import { type Random, RECORD_FIELDS, RecordTable } from "./record_table.ts";

// The fields of a node.
const PARENT = 0;
/** The first byte of its edge, the edge's length, and the number of children: 8, 8 and 9 bits. */
const EDGE = 1;
/** The bytes of the edge after the first: themselves if they are four or less, else where they begin. */
const REST = 2;
/** All children, combined with xor: the only child if there is one. */
const CHILDREN = 3;
/** The owner's. A node other than the root that has 0 here is only there for those below. */
export const VALUE = 4;
/** The owner's, too. */
export const EXTRA = 5;

const FIRST_BYTE = 0xff;
const ONE_CHILD = 1 << 16;
const EDGE_BYTES_MAX = 255;
/** Rests up to this length are inside the node. */
const INNER_BYTES_MAX = 4;

/** Fewer unused bytes are not worth giving back. */
const SPARE_BYTES_MIN = 1_024;

/** The node of the empty key, which is always there. */
export const ROOT = 0;

/** The tree. A node is named by its offset in `nodes`. Keys are copied; the caller's memory is never kept. */
export class RadixTree {
  /** `VALUE` and `EXTRA` are the owner's to write; after it has set `VALUE` to 0, it calls {@link prune}. */
  readonly nodes: RecordTable;
  /** Bytes of edges, in no order; some belong to none any longer. */
  #bytes: Uint8Array = NO_BYTES;
  #bytesEnd = 0;
  /** Bytes that belong to edges. */
  #bytesUsed = 0;

  constructor(random?: Random) {
    this.nodes = new RecordTable(FIRST_BYTE, random);
  }

  /** Nodes besides the root: 0 when the tree holds no key other than perhaps the empty one. */
  get nodeCount(): number {
    return this.nodes.count;
  }

  /** Bytes of memory that it takes. */
  get memoryBytes(): number {
    return this.nodes.bytes + this.#bytes.length;
  }

  /** Returns the child of `node` whose edge is what `key` has from `at` on, or 0. */
  step(node: number, key: Uint8Array, at: number): number {
    const child = this.nodes.find(node, key[at]!);
    if (child === 0) return 0;
    const length = this.edgeBytes(child);
    if (length === 1) return child;
    if (length > key.length - at || this.#common(child, key, at) < length) return 0;
    return child;
  }

  /** The length of the edge that leads to `node`. */
  edgeBytes(node: number): number {
    return (this.nodes.fields[node + EDGE]! >>> 8) & 0xff;
  }

  /** Returns the node that stands for exactly `key`, with or without a value, or -1. */
  find(key: Uint8Array): number {
    let node = ROOT;
    for (let at = 0; at < key.length; at += this.edgeBytes(node)) {
      node = this.step(node, key, at);
      if (node === 0) return -1;
    }
    return node;
  }

  /** Returns the node for `key`, made if missing. The caller sets its value before the tree changes again. */
  insert(key: Uint8Array): number {
    let node = ROOT;
    let at = 0;
    while (at < key.length) {
      const child = this.nodes.find(node, key[at]!);
      if (child === 0) return this.#addChain(node, key, at);
      const common = this.#common(child, key, at);
      node = common < this.edgeBytes(child) ? this.#split(child, common) : child;
      at += common;
    }
    return node;
  }

  /** Cleans up after `node`'s value became 0: drops the node, or joins it with what is left below. */
  prune(node: number): void {
    const { nodes } = this;
    assert(nodes.fields[node + VALUE] === 0, "only a node without a value is pruned");
    let at = node;
    while (at !== ROOT && nodes.fields[at + VALUE] === 0 && nodes.fields[at + EDGE]! < ONE_CHILD) {
      const parent = nodes.fields[at + PARENT]!;
      this.#detach(parent, at);
      this.#freeRest(at);
      nodes.remove(at);
      at = parent;
    }
    this.#joinBelow(at);
    // Looking at all nodes must not happen more often than as many of them have gone.
    if (this.#bytes.length > 4 * (this.#bytesUsed + nodes.count) + SPARE_BYTES_MIN) this.#moveBytes(0);
  }

  /** Returns a fresh copy of the key that `node` stands for. */
  keyOf(node: number): Uint8Array {
    const { fields } = this.nodes;
    let length = 0;
    for (let at = node; at !== ROOT; at = fields[at + PARENT]!) length += this.edgeBytes(at);
    const key = new Uint8Array(length);
    let end = length;
    for (let at = node; at !== ROOT; at = fields[at + PARENT]!) {
      end -= this.edgeBytes(at);
      this.#copyEdge(at, key, end);
    }
    return key;
  }

  /**
   * Gives back memory. The nodes get other offsets: that of the node `RECORD_FIELDS * n` is returned at `n`.
   */
  pack(): Int32Array {
    const { nodes } = this;
    const moved = nodes.pack();
    const { fields } = nodes;
    fields[ROOT + CHILDREN] = 0;
    for (let node = nodes.after(ROOT); node !== 0; node = nodes.after(node)) fields[node + CHILDREN] = 0;
    for (let node = nodes.after(ROOT); node !== 0; node = nodes.after(node)) {
      const parent = moved[fields[node + PARENT]! / RECORD_FIELDS]!;
      fields[node + PARENT] = parent;
      fields[parent + CHILDREN]! ^= node;
    }
    nodes.indexAll();
    this.#moveBytes(0);
    return moved;
  }

  /** Adds what `key` has from `at` on below `parent`. Returns the last node. */
  #addChain(parent: number, key: Uint8Array, at: number): number {
    let node = parent;
    for (let from = at; from < key.length; from += EDGE_BYTES_MAX) {
      const length = Math.min(EDGE_BYTES_MAX, key.length - from);
      const child = this.nodes.add(node, key[from]! | (length << 8));
      this.#setRest(child, key, from + 1, length - 1);
      this.#attach(node, child);
      this.nodes.index(child);
      node = child;
    }
    return node;
  }

  /** Cuts the edge of `child` after `length` bytes. `child` keeps its identity because others refer to it. */
  #split(child: number, length: number): number {
    const { nodes } = this;
    const parent = nodes.fields[child + PARENT]!;
    const edge = new Uint8Array(this.edgeBytes(child));
    this.#copyEdge(child, edge, 0);
    const upper = nodes.add(parent, edge[0]! | (length << 8));
    nodes.reindex(child, upper);
    nodes.fields[parent + CHILDREN]! ^= child ^ upper;
    this.#setRest(upper, edge, 1, length - 1);
    this.#setEdge(child, edge, length);
    nodes.fields[child + PARENT] = upper;
    this.#attach(upper, child);
    nodes.index(child);
    this.#joinBelow(child);
    return upper;
  }

  /** If `upper` has neither value nor branches, it becomes part of its only child, if that stays an edge. */
  #joinBelow(upper: number): void {
    const { nodes } = this;
    const { fields } = nodes;
    if (upper === ROOT || fields[upper + VALUE] !== 0 || fields[upper + EDGE]! >>> 16 !== 1) return;
    const lower = fields[upper + CHILDREN]!;
    const upperBytes = this.edgeBytes(upper);
    const length = upperBytes + this.edgeBytes(lower);
    if (length > EDGE_BYTES_MAX) return;
    const edge = new Uint8Array(length);
    this.#copyEdge(upper, edge, 0);
    this.#copyEdge(lower, edge, upperBytes);
    const parent = fields[upper + PARENT]!;
    nodes.unindex(lower);
    fields[lower + PARENT] = parent;
    this.#setEdge(lower, edge, 0);
    nodes.reindex(upper, lower);
    fields[parent + CHILDREN]! ^= upper ^ lower;
    this.#freeRest(upper);
    nodes.remove(upper);
  }

  #attach(parent: number, child: number): void {
    const { fields } = this.nodes;
    fields[parent + EDGE]! += ONE_CHILD;
    fields[parent + CHILDREN]! ^= child;
  }

  #detach(parent: number, child: number): void {
    const { fields } = this.nodes;
    fields[parent + EDGE]! -= ONE_CHILD;
    fields[parent + CHILDREN]! ^= child;
    this.nodes.unindex(child);
  }

  /** Returns how many bytes the edge to `child`, whose first one agrees, shares with `key` from `at` on. */
  #common(child: number, key: Uint8Array, at: number): number {
    const length = this.edgeBytes(child);
    const most = Math.min(length, key.length - at);
    const rest = this.nodes.fields[child + REST]!;
    let common = 1;
    if (length - 1 <= INNER_BYTES_MAX) {
      while (common < most && ((rest >>> (common * 8 - 8)) & 0xff) === key[at + common]) common++;
    } else {
      const bytes = this.#bytes;
      const from = (rest >>> 0) - 1;
      while (common < most && bytes[from + common] === key[at + common]) common++;
    }
    return common;
  }

  #copyEdge(node: number, into: Uint8Array, at: number): void {
    const { fields } = this.nodes;
    const length = this.edgeBytes(node);
    const rest = fields[node + REST]!;
    into[at] = fields[node + EDGE]! & FIRST_BYTE;
    if (length - 1 <= INNER_BYTES_MAX) {
      for (let index = 1; index < length; index++) into[at + index] = rest >>> (index * 8 - 8);
    } else {
      const from = (rest >>> 0) - 1;
      for (let index = 1; index < length; index++) into[at + index] = this.#bytes[from + index]!;
    }
  }

  /** Gives `node`, which is not indexed, the edge that `bytes` has from `from` on. */
  #setEdge(node: number, bytes: Uint8Array, from: number): void {
    const { fields } = this.nodes;
    const length = bytes.length - from;
    this.#freeRest(node);
    fields[node + EDGE] = (fields[node + EDGE]! & ~0xffff) | bytes[from]! | (length << 8);
    this.#setRest(node, bytes, from + 1, length - 1);
  }

  #setRest(node: number, bytes: Uint8Array, from: number, length: number): void {
    const { fields } = this.nodes;
    if (length > INNER_BYTES_MAX) {
      // Until it has bytes, nothing must be looked for there.
      fields[node + REST] = -1;
      if (length > this.#bytes.length - this.#bytesEnd) this.#moveBytes(length);
      const to = this.#bytesEnd;
      for (let index = 0; index < length; index++) this.#bytes[to + index] = bytes[from + index]!;
      fields[node + REST] = to;
      this.#bytesEnd += length;
      this.#bytesUsed += length;
      return;
    }
    let rest = 0;
    for (let index = 0; index < length; index++) rest |= bytes[from + index]! << (index * 8);
    fields[node + REST] = rest;
  }

  #freeRest(node: number): void {
    const length = this.edgeBytes(node) - 1;
    if (length > INNER_BYTES_MAX) this.#bytesUsed -= length;
  }

  /** Moves the bytes of all edges together, with room for `length` more. */
  #moveBytes(length: number): void {
    const { nodes } = this;
    const { fields } = nodes;
    const old = this.#bytes;
    // Looking at all nodes must not happen more often than bytes are added.
    const bytes = new Uint8Array(
      this.#bytesUsed === 0 ? length : length + this.#bytesUsed + (this.#bytesUsed >> 1) + nodes.count,
    );
    let end = 0;
    for (let node = nodes.after(ROOT); node !== 0; node = nodes.after(node)) {
      const rest = this.edgeBytes(node) - 1;
      if (rest <= INNER_BYTES_MAX || fields[node + REST] === -1) continue;
      const from = fields[node + REST]! >>> 0;
      for (let index = 0; index < rest; index++) bytes[end + index] = old[from + index]!;
      fields[node + REST] = end;
      end += rest;
    }
    this.#bytes = bytes;
    this.#bytesEnd = end;
  }
}
