/**
 * The subscriptions of a SUB, which its own application chooses. A radix tree of plain objects: a fraction of
 * the code of {@link CountedSubscriptions}, which is for topics that strangers choose, too.
 *
 * @module
 */

import { concat, copyOf, NO_BYTES } from "../../bytes/bytes.ts";
import type { Topics } from "../subscribing.ts";

/** A topic, or where topics part. Its topic is what the edges say from the root on. */
class TopicNode {
  /** How often its topic was subscribed to. 0: the node is only there for those below. */
  references = 0;
  above: TopicNode | undefined;
  edge: Uint8Array;
  /** The nodes below, and the first bytes of their edges. */
  readonly #below: TopicNode[] = [];
  readonly #firstBytes: number[] = [];

  constructor(above: TopicNode | undefined, edge: Uint8Array) {
    this.above = above;
    this.edge = edge;
  }

  /** Returns the node below whose edge begins with `byte`. */
  find(byte: number): TopicNode | undefined {
    const at = this.#firstBytes.indexOf(byte);
    return at < 0 ? undefined : this.#below[at];
  }

  /** Returns the node below whose edge is what `key` has from `at` on. */
  step(key: Uint8Array, at: number): TopicNode | undefined {
    const next = at < key.length ? this.find(key[at]!) : undefined;
    return next !== undefined && next.common(key, at) === next.edge.length ? next : undefined;
  }

  /** How many bytes of its edge `key` has from `at` on. */
  common(key: Uint8Array, at: number): number {
    const { edge } = this;
    let common = 1;
    while (common < edge.length && edge[common] === key[at + common]) common++;
    return common;
  }

  grow(edge: Uint8Array): TopicNode {
    const next = new TopicNode(this, edge);
    this.#firstBytes.push(edge[0]!);
    this.#below.push(next);
    return next;
  }

  /** Puts a node halfway up the edge of `next`, which is below this one. */
  split(next: TopicNode, bytes: number): TopicNode {
    const upper = new TopicNode(this, copyOf(next.edge.subarray(0, bytes)));
    this.#below[this.#below.indexOf(next)] = upper;
    next.above = upper;
    next.edge = next.edge.subarray(bytes);
    upper.#firstBytes.push(next.edge[0]!);
    upper.#below.push(next);
    return upper;
  }

  /** Removes nodes that have become useless from `lowest` up. */
  static prune(lowest: TopicNode): void {
    let node = lowest;
    // One that is left with one below is not joined with it: going to and fro would copy a long edge often.
    while (node.above !== undefined && node.references === 0 && node.#below.length === 0) {
      const { above } = node;
      const at = above.#below.indexOf(node);
      above.#below.splice(at, 1);
      above.#firstBytes.splice(at, 1);
      node = above;
    }
  }

  /** Yields itself and all nodes below, in no particular order. */
  *all(): Generator<TopicNode, void, undefined> {
    const nodes: TopicNode[] = [this];
    for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
      yield node;
      nodes.push(...node.#below);
    }
  }
}

function topicOf(lowest: TopicNode): Uint8Array {
  const edges: Uint8Array[] = [];
  for (let node: TopicNode | undefined = lowest; node !== undefined; node = node.above) edges.push(node.edge);
  return concat(edges.reverse());
}

/** The topics of a SUB, each with the number of times it was subscribed to. Nothing here recurses. */
export class OwnSubscriptions implements Topics {
  readonly #root: TopicNode = new TopicNode(undefined, NO_BYTES);

  add(topic: Uint8Array): boolean {
    let node = this.#root;
    let at = 0;
    while (at < topic.length) {
      const next = node.find(topic[at]!) ?? node.grow(copyOf(topic.subarray(at)));
      const common = next.common(topic, at);
      node = common < next.edge.length ? node.split(next, common) : next;
      at += common;
    }
    return node.references++ === 0;
  }

  remove(topic: Uint8Array): boolean {
    let node: TopicNode | undefined = this.#root;
    for (let at = 0; at < topic.length; at += node.edge.length) {
      node = node.step(topic, at);
      if (node === undefined) return false;
    }
    if (node.references === 0 || --node.references > 0) return false;
    TopicNode.prune(node);
    return true;
  }

  matches(frame: Uint8Array): boolean {
    let node: TopicNode | undefined = this.#root;
    for (let at = 0; node.references === 0; at += node.edge.length) {
      node = node.step(frame, at);
      if (node === undefined) return false;
    }
    return true;
  }

  *[Symbol.iterator](): Generator<Uint8Array, void, undefined> {
    for (const node of this.#root.all()) if (node.references > 0) yield topicOf(node);
  }

  /** Tree nodes in use. For tests: 0 once every topic has gone. */
  get nodeCount(): number {
    return [...this.#root.all()].length - 1;
  }
}
