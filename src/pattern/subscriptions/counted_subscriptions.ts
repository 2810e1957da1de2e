/**
 * The subscriptions of an XSUB. It counts its own topics, and sends SUBSCRIBE and CANCEL only when a
 * count leaves or reaches zero.
 *
 * @module
 */

import type { Random } from "./record_table.ts";
import type { Topics } from "../subscribing.ts";
import { RadixTree, ROOT, VALUE } from "./radix_tree.ts";

/** The topics of an XSUB, each with the number of times it was subscribed to. */
export class CountedSubscriptions implements Topics {
  readonly #tree: RadixTree;
  #distinct = 0;

  /** `random`: so that nobody who chooses topics can choose collisions. */
  constructor(random?: Random) {
    this.#tree = new RadixTree(random);
  }

  /** Distinct topics. */
  get count(): number {
    return this.#distinct;
  }

  /** Tree nodes in use. For tests and reports: 0 once every topic has gone. */
  get nodeCount(): number {
    return this.#tree.nodeCount;
  }

  /** Bytes of memory that all topics take. For tests. */
  get memoryBytes(): number {
    return this.#tree.memoryBytes;
  }

  /** Adds a reference. Returns `true` if it is the first, so publishers must be told. `topic` is copied. */
  add(topic: Uint8Array): boolean {
    const node = this.#tree.insert(topic);
    const references = this.#tree.nodes.fields[node + VALUE]!++;
    if (references > 0) return false;
    this.#distinct++;
    return true;
  }

  /** Drops a reference. Returns `true` if it was the last, `false` if others are left or there was none. */
  remove(topic: Uint8Array): boolean {
    const tree = this.#tree;
    const node = tree.find(topic);
    if (node < 0 || tree.nodes.fields[node + VALUE] === 0) return false;
    if (--tree.nodes.fields[node + VALUE]! > 0) return false;
    tree.prune(node);
    if (tree.nodes.isSparse) tree.pack();
    this.#distinct--;
    return true;
  }

  /** Whether exactly this topic is there. */
  has(topic: Uint8Array): boolean {
    const node = this.#tree.find(topic);
    return node >= 0 && this.#tree.nodes.fields[node + VALUE] !== 0;
  }

  /** Whether any topic is a prefix of `frame`. */
  matches(frame: Uint8Array): boolean {
    const tree = this.#tree;
    const { fields } = tree.nodes;
    let node = ROOT;
    let at = 0;
    while (fields[node + VALUE] === 0) {
      if (at === frame.length) return false;
      node = tree.step(node, frame, at);
      if (node === 0) return false;
      at += tree.edgeBytes(node);
    }
    return true;
  }

  /** Yields every topic once, as a fresh copy, in no particular order. Topics must not change meanwhile. */
  *[Symbol.iterator](): Generator<Uint8Array, void, undefined> {
    const { nodes } = this.#tree;
    if (nodes.fields[ROOT + VALUE] !== 0) yield this.#tree.keyOf(ROOT);
    for (let node = nodes.after(ROOT); node !== 0; node = nodes.after(node)) {
      if (nodes.fields[node + VALUE] !== 0) yield this.#tree.keyOf(node);
    }
  }
}
