/**
 * A map from byte strings to values, as a radix tree: every edge carries a run of bytes, and a node other
 * than the root has a value or branches. Nothing here recurses, so neither a 1 MiB key nor a million nested
 * prefixes can overflow the stack.
 *
 * Cost: a lookup costs the bytes it compares. A change costs the bytes of its key, amortised over all
 * changes: a peer that keeps subscribing to a short topic and cancelling it must not make us copy a long
 * neighbour each time. So a split leaves the longer part in place (a view into the old bytes), and a later
 * join only moves the view's start back. A view that fills less than half of its bytes is copied out, so that
 * a short topic never pins the memory of a long one that has gone.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { copyOf, viewOf } from "../../bytes/bytes.ts";

/**
 * Up to this many children are scanned in an array; more get a table by first byte (2 KiB with 64-bit words).
 */
const SCANNED_CHILDREN_MAX = 16;
/** The way back to the array has a lower threshold, so that one key cannot flip the layout forever. */
const TABLE_CHILDREN_MIN = 10;

const NO_BYTES = new Uint8Array(0);

/**
 * One node. The fields are open to the two matchers in `subscriptions.ts`, whose walks are the hot path. Only
 * `value` may be written from outside; after clearing it, call `RadixTree.prune`.
 */
export class RadixNode<Value> {
  value: Value | undefined = undefined;
  parent: RadixNode<Value> | undefined;
  /** The edge that leads here is `bytes[from..end)`. What is before `from` is the path above: see `#join`. */
  bytes: Uint8Array;
  from: number;
  end: number;
  /** `bytes[from]`, kept to compare an only child without touching its bytes; -1 if the edge is empty. */
  first: number;
  childCount: number = 0;
  #only: RadixNode<Value> | undefined = undefined;
  /** Parallel to `#children` while that is scanned; `undefined` while it is a table. */
  #firsts: number[] | undefined = undefined;
  #children: (RadixNode<Value> | undefined)[] | undefined = undefined;

  constructor(bytes: Uint8Array, from: number, end: number) {
    this.bytes = bytes;
    this.from = from;
    this.end = end;
    this.first = from < end ? bytes[from]! : -1;
    this.parent = undefined;
  }

  /** Returns the child whose edge begins with `byte`. */
  child(byte: number): RadixNode<Value> | undefined {
    if (this.childCount === 0) return undefined;
    const only = this.#only;
    if (only !== undefined) return only.first === byte ? only : undefined;
    const firsts = this.#firsts;
    if (firsts === undefined) return this.#children![byte];
    for (let index = 0; index < firsts.length; index++) {
      if (firsts[index] === byte) return this.#children![index];
    }
    return undefined;
  }

  /** Appends all children to `into`. */
  collectChildren(into: RadixNode<Value>[]): void {
    if (this.#only !== undefined) {
      into.push(this.#only);
      return;
    }
    const children = this.#children;
    if (children === undefined) return;
    for (const child of children) if (child !== undefined) into.push(child);
  }

  /** Returns the child of a node that has exactly one. */
  onlyChild(): RadixNode<Value> {
    assert(this.#only !== undefined, "a node with one child keeps it outside the list");
    return this.#only;
  }

  addChild(child: RadixNode<Value>): void {
    child.parent = this;
    this.childCount++;
    if (this.childCount === 1) {
      this.#only = child;
      return;
    }
    if (this.#only !== undefined) {
      this.#firsts = [this.#only.first];
      this.#children = [this.#only];
      this.#only = undefined;
    }
    if (this.#firsts === undefined) {
      this.#children![child.first] = child;
    } else {
      this.#firsts.push(child.first);
      this.#children!.push(child);
      if (this.childCount > SCANNED_CHILDREN_MAX) this.#toTable();
    }
  }

  /** Puts `next` in place of `current`; both begin with the same byte. */
  replaceChild(current: RadixNode<Value>, next: RadixNode<Value>): void {
    assert(current.first === next.first, "a replacement begins with the same byte");
    next.parent = this;
    if (this.#only !== undefined) {
      this.#only = next;
    } else if (this.#firsts === undefined) {
      this.#children![next.first] = next;
    } else {
      this.#children![this.#firsts.indexOf(next.first)] = next;
    }
  }

  removeChild(child: RadixNode<Value>): void {
    child.parent = undefined;
    this.childCount--;
    if (this.childCount === 0) {
      this.#only = undefined;
      return;
    }
    if (this.#firsts === undefined) {
      this.#children![child.first] = undefined;
      if (this.childCount < TABLE_CHILDREN_MIN) this.#toScanned();
      return;
    }
    const index = this.#firsts.indexOf(child.first);
    this.#firsts.splice(index, 1);
    this.#children!.splice(index, 1);
    if (this.childCount === 1) {
      this.#only = this.#children![0];
      this.#firsts = undefined;
      this.#children = undefined;
    }
  }

  #toTable(): void {
    const table = new Array<RadixNode<Value> | undefined>(256).fill(undefined);
    for (const child of this.#children!) table[child!.first] = child;
    this.#firsts = undefined;
    this.#children = table;
  }

  #toScanned(): void {
    const children = this.#children!.filter((child) => child !== undefined);
    this.#firsts = children.map((child) => child.first);
    this.#children = children;
  }
}

/** The tree. Keys are copied; the caller's memory is never kept. */
export class RadixTree<Value> {
  /** Stands for the empty key. Always there; not counted in `nodeCount`. */
  readonly root: RadixNode<Value> = new RadixNode<Value>(NO_BYTES, 0, 0);
  #nodeCount = 0;

  /** Nodes besides the root: 0 when the tree holds no key other than perhaps the empty one. */
  get nodeCount(): number {
    return this.#nodeCount;
  }

  /** Returns the node that stands for exactly `key`, with or without a value. */
  find(key: Uint8Array): RadixNode<Value> | undefined {
    let node = this.root;
    let at = 0;
    while (at < key.length) {
      const child = node.child(key[at]!);
      if (child === undefined) return undefined;
      const length = child.end - child.from;
      if (commonBytes(child, key, at) < length) return undefined;
      at += length;
      node = child;
    }
    return node;
  }

  /** Returns the node for `key`, made if missing. The caller sets its value before the tree changes again. */
  insert(key: Uint8Array): RadixNode<Value> {
    let node = this.root;
    let at = 0;
    while (at < key.length) {
      const child = node.child(key[at]!);
      if (child === undefined) return this.#addLeaf(node, key, at);
      const common = commonBytes(child, key, at);
      at += common;
      if (common < child.end - child.from) {
        const upper = this.#split(node, child, common);
        return at === key.length ? upper : this.#addLeaf(upper, key, at);
      }
      node = child;
    }
    return node;
  }

  /** Cleans up after `node.value` became `undefined`: drops the node, or joins it with what is left below. */
  prune(node: RadixNode<Value>): void {
    assert(node.value === undefined, "only a node without a value is pruned");
    const parent = node.parent;
    if (parent === undefined) return;
    if (node.childCount === 1) {
      this.#join(parent, node);
    } else if (node.childCount === 0) {
      parent.removeChild(node);
      this.#nodeCount--;
      const above = parent.parent;
      if (above !== undefined && parent.value === undefined && parent.childCount === 1) {
        this.#join(above, parent);
      }
    }
  }

  /** Returns a fresh copy of the key that `node` stands for. */
  keyOf(node: RadixNode<Value>): Uint8Array {
    let length = 0;
    for (let at: RadixNode<Value> | undefined = node; at !== undefined; at = at.parent) {
      length += at.end - at.from;
    }
    const key = new Uint8Array(length);
    let end = length;
    for (let at: RadixNode<Value> | undefined = node; at !== undefined; at = at.parent) {
      end -= at.end - at.from;
      key.set(at.bytes.subarray(at.from, at.end), end);
    }
    return key;
  }

  /** Yields every node that has a value, in no particular order. The tree must not change meanwhile. */
  *nodes(): Generator<RadixNode<Value>, void, undefined> {
    const waiting: RadixNode<Value>[] = [this.root];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      node.collectChildren(waiting);
      if (node.value !== undefined) yield node;
    }
  }

  #addLeaf(parent: RadixNode<Value>, key: Uint8Array, at: number): RadixNode<Value> {
    // `new Uint8Array(view)` copies; `slice` on a Buffer would give a view of the caller's memory.
    const bytes = new Uint8Array(key.subarray(at));
    const leaf = new RadixNode<Value>(bytes, 0, bytes.length);
    parent.addChild(leaf);
    this.#nodeCount++;
    return leaf;
  }

  /** Cuts the edge of `child` after `length` bytes. `child` keeps its identity because others refer to it. */
  #split(parent: RadixNode<Value>, child: RadixNode<Value>, length: number): RadixNode<Value> {
    const upper = new RadixNode<Value>(child.bytes, child.from, child.from + length);
    parent.replaceChild(child, upper);
    child.from += length;
    child.first = child.bytes[child.from]!;
    upper.addChild(child);
    releaseSlack(upper);
    releaseSlack(child);
    this.#nodeCount++;
    return upper;
  }

  /** Merges `upper`, which has neither value nor branches, into its only child, which keeps its identity. */
  #join(parent: RadixNode<Value>, upper: RadixNode<Value>): void {
    const lower = upper.onlyChild();
    const upperLength = upper.end - upper.from;
    if (lower.from >= upperLength) {
      // A node's path never changes, so the bytes before `from` are still the path that leads to it.
      lower.from -= upperLength;
    } else {
      const joined = new Uint8Array(upperLength + lower.end - lower.from);
      joined.set(upper.bytes.subarray(upper.from, upper.end), 0);
      joined.set(lower.bytes.subarray(lower.from, lower.end), upperLength);
      lower.bytes = joined;
      lower.from = 0;
      lower.end = joined.length;
    }
    lower.first = upper.first;
    parent.replaceChild(upper, lower);
    upper.parent = undefined;
    this.#nodeCount--;
  }
}

/** Returns how many bytes the edge to `child` shares with `key` from `at` on. */
function commonBytes<Value>(child: RadixNode<Value>, key: Uint8Array, at: number): number {
  const bytes = child.bytes;
  const from = child.from;
  const most = Math.min(child.end - from, key.length - at);
  let common = 0;
  while (common < most && bytes[from + common] === key[at + common]) common++;
  return common;
}

/** Copies an edge out of bytes of which it fills less than half. */
function releaseSlack<Value>(node: RadixNode<Value>): void {
  const length = node.end - node.from;
  if (length * 2 >= node.bytes.length) return;
  node.bytes = copyOf(viewOf(node.bytes, node.from, node.end));
  node.from = 0;
  node.end = length;
}
