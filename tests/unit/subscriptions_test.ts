// runtimes: node
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../support/properties.ts";
import { CountedSubscriptions } from "../../src/pattern/subscriptions/counted_subscriptions.ts";
import { OwnSubscriptions } from "../../src/pattern/subscriptions/own_subscriptions.ts";
import { SubscriptionTree } from "../../src/pattern/subscriptions/subscription_tree.ts";

const MEBIBYTE = 1024 * 1024;

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** One character per byte: a key for the naive twins. */
function keyOf(topic: Uint8Array): string {
  return Array.from(topic, (byte) => String.fromCharCode(byte)).join("");
}

function sortedKeys(topics: Iterable<Uint8Array>): string[] {
  return Array.from(topics, keyOf).sort();
}

function matched(tree: SubscriptionTree<string>, frame: Uint8Array): string[] {
  const into: string[] = [];
  const count = tree.match(frame, into);
  return into.slice(0, count).sort();
}

/** A long run of one byte, in which another one may stand: longer than one edge, cut anywhere. */
function almostAlike([length, at, byte]: [number, number, number]): Uint8Array {
  const topic = new Uint8Array(length).fill(1);
  if (at < length) topic[at] = byte;
  return topic;
}

/**
 * Short topics over few bytes share prefixes; the rare wide byte makes nodes that branch far, the long run
 * chains of nodes.
 */
const topics = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ min: 0, max: 2, maxLength: 7 }) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 2 }) },
  { weight: 1, arbitrary: fc.uint8Array({ min: 254, max: 255, maxLength: 40 }) },
  { weight: 2, arbitrary: fc.tuple(fc.nat(800), fc.nat(800), fc.nat(1)).map(almostAlike) },
);
const operations = fc.array(
  fc.record({
    verb: fc.constantFrom("add", "add", "remove", "leave", "match"),
    topic: topics,
    peer: fc.nat(5),
  }),
  { minLength: 1000, maxLength: 1000, size: "max" },
);
/** 100 runs of 1 000 operations, always the same ones. */
const property = { seed: 20_250_730, numRuns: 100, endOnFailure: true };

class NaiveTree {
  readonly peers: Map<string, Set<string>> = new Map();

  add(topic: Uint8Array, peer: string): string {
    const key = keyOf(topic);
    const set = this.peers.get(key);
    if (set === undefined) {
      this.peers.set(key, new Set([peer]));
      return "first";
    }
    if (set.has(peer)) return "present";
    set.add(peer);
    return "joined";
  }

  remove(topic: Uint8Array, peer: string): string {
    const key = keyOf(topic);
    const set = this.peers.get(key);
    if (set === undefined || !set.delete(peer)) return "absent";
    if (set.size > 0) return "left";
    this.peers.delete(key);
    return "last";
  }

  removePeer(peer: string): string[] {
    const told: string[] = [];
    for (const [key, set] of this.peers) {
      if (!set.delete(peer)) continue;
      if (set.size === 0) this.peers.delete(key);
      told.push(`${set.size === 0} ${key}`);
    }
    return told.sort();
  }

  match(frame: Uint8Array): string[] {
    const text = keyOf(frame);
    const found = new Set<string>();
    for (const [key, set] of this.peers) {
      if (text.startsWith(key)) { for (const peer of set) found.add(peer); }
    }
    return [...found].sort();
  }

  topicsOf(peer: string): string[] {
    return [...this.peers].filter(([, set]) => set.has(peer)).map(([key]) => key).sort();
  }
}

test("the tree of peers agrees with a naive twin over 100 000 random operations", () => {
  fc.assert(
    fc.property(operations, (steps) => {
      const tree = new SubscriptionTree<string>();
      const twin = new NaiveTree();
      for (const step of steps) {
        const peer = `peer-${step.peer}`;
        if (step.verb === "add") assertEquals(tree.add(step.topic, peer), twin.add(step.topic, peer));
        if (step.verb === "remove") {
          assertEquals(tree.remove(step.topic, peer), twin.remove(step.topic, peer));
        }
        if (step.verb === "match") assertEquals(matched(tree, step.topic), twin.match(step.topic));
        // One leave in four: most peers should live long enough to gather topics.
        if (step.verb === "leave" && step.topic.length === 0) {
          const told: string[] = [];
          tree.removePeer(peer, (topic, last) => told.push(`${last} ${keyOf(topic)}`));
          assertEquals(told.sort(), twin.removePeer(peer));
        }
        assertEquals(tree.topicCount, twin.peers.size);
      }
      for (let index = 0; index <= 5; index++) {
        const peer = `peer-${index}`;
        const expected = twin.topicsOf(peer);
        assertEquals(sortedKeys(tree.topicsOf(peer)), expected);
        assertEquals(tree.count(peer), expected.length);
        assertEquals(tree.topicBytes(peer), expected.join("").length);
        tree.removePeer(peer);
      }
      assertEquals([tree.nodeCount, tree.topicCount, tree.peerCount], [0, 0, 0]);
    }),
    property,
  );
});

test("the counted topics agree with a naive twin over 100 000 random operations", () => {
  fc.assert(
    fc.property(operations, (steps) => {
      const counted = new CountedSubscriptions();
      const twin = new Map<string, number>();
      for (const { verb, topic } of steps) {
        const key = keyOf(topic);
        const references = twin.get(key) ?? 0;
        if (verb === "add") {
          assertEquals(counted.add(topic), references === 0);
          twin.set(key, references + 1);
        } else if (verb === "match") {
          assertEquals(counted.matches(topic), [...twin.keys()].some((prefix) => key.startsWith(prefix)));
        } else {
          assertEquals(counted.remove(topic), references === 1);
          if (references > 1) twin.set(key, references - 1);
          else twin.delete(key);
        }
        assertEquals(counted.count, twin.size);
        assertEquals(counted.has(topic), twin.has(key));
      }
      assertEquals(sortedKeys(counted), [...twin.keys()].sort());
      for (const [key, references] of twin) {
        for (let left = references; left > 0; left--) assertEquals(counted.remove(ascii(key)), left === 1);
      }
      assertEquals([counted.nodeCount, counted.count], [0, 0]);
    }),
    property,
  );
});

test("the topics of a SUB agree with a naive twin over 100 000 random operations", () => {
  fc.assert(
    fc.property(operations, (steps) => {
      const own = new OwnSubscriptions();
      const twin = new Map<string, number>();
      for (const { verb, topic } of steps) {
        const key = keyOf(topic);
        const references = twin.get(key) ?? 0;
        if (verb === "add") {
          assertEquals(own.add(topic), references === 0);
          twin.set(key, references + 1);
        } else if (verb === "match") {
          assertEquals(own.matches(topic), [...twin.keys()].some((prefix) => key.startsWith(prefix)));
        } else {
          assertEquals(own.remove(topic), references === 1);
          if (references > 1) twin.set(key, references - 1);
          else twin.delete(key);
        }
      }
      assertEquals(sortedKeys(own), [...twin.keys()].sort());
      for (const [key, references] of twin) {
        for (let left = references; left > 0; left--) assertEquals(own.remove(ascii(key)), left === 1);
      }
      assertEquals([own.nodeCount, [...own].length], [0, 0]);
    }),
    property,
  );
});

test("the topics of a SUB share no memory with their callers, and nest as deep as a topic is long", () => {
  const own = new OwnSubscriptions();
  const long = new Uint8Array(20_000).fill(7);
  for (let length = long.length; length > 0; length--) assert(own.add(long.subarray(0, length)));
  const given = ascii("news");
  own.add(given);
  given.fill(0);
  for (const topic of own) topic.fill(0);
  assert(own.matches(ascii("news today")));
  assert(own.matches(Uint8Array.of(7)));
  assert(!own.matches(ascii("")));
  assertEquals(own.nodeCount, long.length + 1);
  for (let length = 1; length <= long.length; length++) assert(own.remove(long.subarray(0, length)));
  assertEquals([...own].map(keyOf), ["news"]);
  assertEquals(own.nodeCount, 1);
});

test("a duplicate subscription of one peer is undone by a single cancel", () => {
  const tree = new SubscriptionTree<string>();
  assertEquals(tree.add(ascii("A"), "x"), "first");
  assertEquals(tree.add(ascii("A"), "x"), "present");
  assertEquals(tree.add(ascii("A"), "y"), "joined");
  assertEquals([tree.count("x"), tree.topicBytes("x")], [1, 1]);
  assertEquals(tree.remove(ascii("A"), "x"), "left");
  assertEquals(tree.remove(ascii("A"), "x"), "absent");
  assertEquals(tree.remove(ascii("A"), "y"), "last");
  assertEquals(matched(tree, ascii("A")), []);
});

test("cancelling what was never subscribed changes nothing", () => {
  const tree = new SubscriptionTree<string>();
  const counted = new CountedSubscriptions();
  for (const topic of ["weather", "wealth"]) {
    tree.add(ascii(topic), "x");
    counted.add(ascii(topic));
  }
  // A node that only branches, a part of an edge, a longer and a foreign topic, and the empty one.
  for (const topic of ["wea", "we", "weathers", "sport", ""]) {
    assertEquals(tree.remove(ascii(topic), "x"), "absent");
    assertEquals(tree.remove(ascii(topic), "stranger"), "absent");
    assertEquals(counted.remove(ascii(topic)), false);
    assertEquals(counted.has(ascii(topic)), false);
  }
  tree.removePeer("stranger", () => assert(false, "a stranger has no topics"));
  assertEquals([tree.topicCount, tree.peerCount, tree.nodeCount], [2, 1, 3]);
  assertEquals([counted.count, counted.nodeCount], [2, 3]);
});

test("the empty topic matches every frame, the empty frame too", () => {
  const tree = new SubscriptionTree<string>();
  const counted = new CountedSubscriptions();
  assertEquals(counted.matches(ascii("")), false);
  tree.add(ascii(""), "all");
  tree.add(ascii("a"), "some");
  counted.add(ascii(""));
  assertEquals(matched(tree, ascii("")), ["all"]);
  assertEquals(matched(tree, ascii("b")), ["all"]);
  assertEquals(matched(tree, ascii("ab")), ["all", "some"]);
  assertEquals([counted.matches(ascii("")), counted.matches(ascii("b"))], [true, true]);
  assertEquals(counted.remove(ascii("")), true);
  assertEquals([counted.matches(ascii("")), counted.matches(ascii("b"))], [false, false]);
});

test("a peer with several matching topics is collected once per match", () => {
  const tree = new SubscriptionTree<string>();
  for (const topic of ["", "a", "ab", "abc"]) tree.add(ascii(topic), "x");
  tree.add(ascii("abc"), "y");
  const into = ["old", "old", "old"];
  assertEquals(tree.match(ascii("abcd"), into), 2);
  assertEquals(into.slice(0, 2).sort(), ["x", "y"]);
  assertEquals(into[2], "old");
  assertEquals(matched(tree, ascii("abcd")), ["x", "y"]);
});

test("a topic copies its bytes, so the caller may use its memory again", () => {
  const tree = new SubscriptionTree<string>();
  const counted = new CountedSubscriptions();
  const topic = ascii("news");
  tree.add(topic, "x");
  counted.add(topic);
  topic.fill(0);
  assertEquals(matched(tree, ascii("news today")), ["x"]);
  assertEquals(counted.matches(ascii("news today")), true);
  const [kept] = counted;
  kept!.fill(0);
  assertEquals(counted.matches(ascii("news today")), true);
});

test("edges split where topics part and join again when they go", () => {
  const counted = new CountedSubscriptions();
  const nodes: number[] = [];
  for (const topic of ["abcdef", "abcxyz", "abc", "a"]) {
    counted.add(ascii(topic));
    nodes.push(counted.nodeCount);
  }
  for (const topic of ["abc", "abcdef", "a", "abcxyz"]) {
    counted.remove(ascii(topic));
    nodes.push(counted.nodeCount);
  }
  assertEquals(nodes, [1, 3, 3, 4, 4, 2, 1, 0]);
});

test("a node keeps all its children while it grows to 256 and shrinks again", () => {
  const counted = new CountedSubscriptions();
  const byteOf = (index: number): Uint8Array => Uint8Array.of(7, (index * 89) & 0xff, index & 0xff);
  const check = (present: number): void => {
    for (let index = 0; index < 256; index++) assertEquals(counted.matches(byteOf(index)), index < present);
  };
  for (let index = 0; index < 256; index++) {
    counted.add(byteOf(index));
    if ([1, 2, 15, 16, 17, 255].includes(index)) check(index + 1);
  }
  for (let index = 255; index >= 0; index--) {
    counted.remove(byteOf(index));
    if ([17, 16, 10, 9, 8, 2, 1, 0].includes(index)) check(index);
  }
  assertEquals(counted.nodeCount, 0);
});

test("a topic of 1 MiB is matched, split in the middle, joined and cancelled", () => {
  const tree = new SubscriptionTree<string>();
  const long = new Uint8Array(MEBIBYTE).map((_, index) => index * 7);
  const almost = long.slice();
  almost[MEBIBYTE - 1]! ^= 1;
  tree.add(long, "x");
  tree.add(long.subarray(0, MEBIBYTE / 2), "y");
  assertEquals(matched(tree, long), ["x", "y"]);
  assertEquals(matched(tree, almost), ["y"]);
  assertEquals(tree.remove(long.subarray(0, MEBIBYTE / 2), "y"), "last");
  assertEquals([tree.topicCount, tree.topicBytes("x")], [1, MEBIBYTE]);
  assertEquals(matched(tree, long), ["x"]);
  assertEquals(matched(tree, long.subarray(1)), []);
  assertEquals(tree.remove(long, "x"), "last");
  assertEquals(tree.nodeCount, 0);
});

test("100 000 topics of many peers leave an empty tree behind", () => {
  const tree = new SubscriptionTree<number>();
  for (let index = 0; index < 100_000; index++) tree.add(ascii(`topic/${index % 50_000}/value`), index % 10);
  assertEquals([tree.topicCount, tree.peerCount], [50_000, 10]);
  const into: number[] = [];
  assertEquals(tree.match(ascii("topic/49999/value/x"), into), 1);
  assertEquals(tree.match(ascii("topic/49999/"), into), 0);
  let lasts = 0;
  for (let peer = 0; peer < 10; peer++) {
    tree.removePeer(peer, (_, last) => {
      if (last) lasts++;
    });
  }
  assertEquals([lasts, tree.nodeCount, tree.peerCount], [50_000, 0, 0]);
});

test("leaving calls back while the tree may already be used again", () => {
  const tree = new SubscriptionTree<string>();
  for (const topic of ["a", "ab", "b"]) tree.add(ascii(topic), "x");
  tree.removePeer("x", (topic) => tree.add(topic, "x"));
  assertEquals(sortedKeys(tree.topicsOf("x")), ["a", "ab", "b"]);
  assertEquals(tree.count("x"), 3);
});

test("a peer's topics end in the order in which it subscribed, however they are cancelled between", () => {
  const tree = new SubscriptionTree<string>();
  for (const topic of ["d", "a", "c", "", "b"]) tree.add(ascii(topic), "x");
  tree.add(ascii("a"), "y");
  tree.remove(ascii("c"), "x");
  tree.add(ascii("c"), "x");
  tree.add(ascii("a"), "x");
  assertEquals(Array.from(tree.topicsOf("x"), keyOf), ["d", "a", "", "b", "c"]);
  const ended: string[] = [];
  tree.removePeer("x", (topic, last) => ended.push(`${keyOf(topic)} ${last}`));
  assertEquals(ended, ["d true", "a false", " true", "b true", "c true"]);
});

test("a peer that is back while its old topics are being released has only its new ones", () => {
  const tree = new SubscriptionTree<string>();
  for (const topic of ["a", "b", "c"]) tree.add(ascii(topic), "x");
  const retired = tree.retire("x")!;
  assertEquals(matched(tree, ascii("a")), []);
  assertEquals(tree.add(ascii("a"), "x"), "joined");
  assertEquals([matched(tree, ascii("a")), matched(tree, ascii("b"))], [["x"], []]);
  assertEquals([tree.has(ascii("a")), tree.has(ascii("b"))], [true, false]);
  assertEquals(tree.release(retired, 2), 2);
  assertEquals(tree.add(ascii("a"), "y"), "joined");
  assertEquals(tree.release(retired, 2), 1);
  assertEquals([matched(tree, ascii("a")), tree.count("x"), tree.topicCount], [["x", "y"], 1, 1]);
});
