import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { BugError } from "../../src/errors.ts";
import { CountedSubscriptions } from "../../src/pattern/subscriptions/counted_subscriptions.ts";
import { RadixTree, ROOT, VALUE } from "../../src/pattern/subscriptions/radix_tree.ts";
import { RecordTable } from "../../src/pattern/subscriptions/record_table.ts";
import { SubscriptionTree } from "../../src/pattern/subscriptions/subscription_tree.ts";
import type { Random } from "../../src/pattern/subscriptions/record_table.ts";

const MEBIBYTE = 1024 * 1024;

/** Topics of the kinds that people use, and of those that an ill-meaning peer may choose. */
const SHAPES: Record<string, (index: number, random: Random) => Uint8Array> = {
  "sensor.<region>.<id>.temperature": (index) => ascii(`sensor.r${index % 8}.${index}.temperature`),
  "random 16 bytes": (_, random) => {
    const topic = new Uint8Array(16);
    random(topic);
    return topic;
  },
  "dense counters": (index) => ascii(`${index}.`),
  "a long common prefix": (index) => ascii(`${"company/production/".repeat(3)}machine/${index}`),
  "four bytes, each of few values": (index) =>
    Uint8Array.of(index & 31, (index >> 5) & 31, (index >> 10) & 31, index >> 15),
  "nested": (index) => new Uint8Array(index % 500 + 1).fill(index / 500),
};

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** Bytes that are the same in each run. */
function generator(seed: number): Random {
  let state = Math.imul(seed, 0x9e3779b1);
  return (into) => {
    for (let at = 0; at < into.length; at++) {
      state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0;
      into[at] = state >>> 24;
    }
  };
}

function set(tree: RadixTree, key: Uint8Array, value = 1): number {
  const node = tree.insert(key);
  tree.nodes.fields[node + VALUE] = value;
  return node;
}

function clear(tree: RadixTree, node: number): void {
  tree.nodes.fields[node + VALUE] = 0;
  tree.prune(node);
}

test("a path of 20 000 nested nodes overflows no stack", () => {
  const tree = new RadixTree();
  const depth = 20_000;
  const long = new Uint8Array(depth);
  for (let length = depth; length > 0; length--) set(tree, long.subarray(0, length), length);
  assertEquals(tree.nodeCount, depth);
  assertEquals(tree.keyOf(tree.find(long)), long);
  for (let length = 1; length <= depth; length++) clear(tree, tree.find(long.subarray(0, length)));
  assertEquals(tree.nodeCount, 0);
});

test("toggling a short prefix of a long topic leaves the long topic as it is", () => {
  const tree = new RadixTree();
  const long = new Uint8Array(MEBIBYTE).fill(1);
  set(tree, long);
  const { nodeCount, memoryBytes } = tree;
  for (let toggle = 1; toggle <= 3000; toggle++) clear(tree, set(tree, long.subarray(0, toggle)));
  assert(tree.nodeCount <= nodeCount + 1);
  // What an edge's bytes leave behind when it is cut is used again.
  assert(tree.memoryBytes < 2 * memoryBytes, `${tree.memoryBytes} bytes after ${memoryBytes}`);
  assertEquals(tree.keyOf(tree.find(long)), long);
});

test("a short topic does not pin the memory of a long one that has gone", () => {
  const tree = new RadixTree();
  const long = new Uint8Array(MEBIBYTE).fill(1);
  const leaf = set(tree, long);
  set(tree, long.subarray(0, 1000));
  clear(tree, leaf);
  assertEquals(tree.nodeCount, 4);
  tree.pack();
  assert(tree.memoryBytes < 4096, `${tree.memoryBytes} bytes`);
  assertEquals(tree.keyOf(tree.find(long.subarray(0, 1000))).length, 1000);
});

test("pruning a node that still has a value is a bug", () => {
  const tree = new RadixTree();
  const node = set(tree, ascii("a"));
  assertThrows(() => tree.prune(node), BugError);
});

for (const [shape, topicAt] of Object.entries(SHAPES)) {
  test(`memory: ${shape}: a topic takes at most 200 bytes at any time, and all comes back`, () => {
    const random = generator(7);
    const tree = new SubscriptionTree<string>(random);
    const counted = new CountedSubscriptions(random);
    const topics = Array.from({ length: 20_000 }, (_, index) => topicAt(index, random));
    for (const topic of topics) {
      tree.add(topic, "x");
      counted.add(topic);
      if (tree.topicCount < 1000) continue;
      const most = 200 * tree.topicCount;
      assert(tree.memoryBytes < most, `${tree.memoryBytes} bytes for ${tree.topicCount} topics`);
      assert(counted.memoryBytes < most, `${counted.memoryBytes} bytes for ${counted.count} topics`);
    }
    tree.add(ascii("one that stays"), "y");
    counted.add(ascii("one that stays"));
    for (const topic of topics) counted.remove(topic);
    tree.removePeer("x");
    assertEquals([tree.topicCount, counted.count], [1, 1]);
    assert(tree.memoryBytes < 16_384, `${tree.memoryBytes} bytes for one topic`);
    assert(counted.memoryBytes < 16_384, `${counted.memoryBytes} bytes for one topic`);
    assertEquals(tree.match(ascii("one that stays"), []), 1);
    assertEquals(counted.matches(ascii("one that stays")), true);
  });
}

test("memory: a second peer with the same topics takes less than two thirds as much again", () => {
  const tree = new SubscriptionTree<number>();
  for (let index = 0; index < 100_000; index++) tree.add(ascii(`topic/${index}`), 1);
  const one = tree.memoryBytes;
  for (let index = 0; index < 100_000; index++) tree.add(ascii(`topic/${index}`), 2);
  assert(tree.memoryBytes < 1.67 * one, `${tree.memoryBytes} bytes after ${one}`);
});

for (const [shape, topicAt] of Object.entries(SHAPES)) {
  test(`work: ${shape}: a match takes as many steps as there are branches, a step a few looks`, () => {
    // What is drawn decides which keys collide: with every seed it must be about as few.
    for (const seed of [1, 2, 3]) {
      const random = generator(seed);
      const tree = new RadixTree(random);
      const topics = Array.from({ length: 10_000 }, (_, index) => topicAt(index, random));
      for (const topic of topics) set(tree, topic);
      let steps = 0;
      let looks = 0;
      for (const topic of topics) {
        let node = ROOT;
        for (let at = 0; at < topic.length; at += tree.edgeBytes(node)) {
          const probes = tree.nodes.probes(node, topic[at]!);
          assert(probes < 200, `${probes} looks in one step, seed ${seed}`);
          node = tree.step(node, topic, at);
          steps++;
          looks += probes;
        }
      }
      assert(looks < 4 * steps, `${looks} looks in ${steps} steps, seed ${seed}`);
      if (shape !== "nested") assert(steps < 12 * topics.length, `${steps} steps, seed ${seed}`);
    }
  });
}

test("the records of a table are found by their keys while they come, go and are packed", () => {
  const random = generator(3);
  const table = new RecordTable(0xff, random);
  const twin = new Map<string, number>();
  const draw = new Uint8Array(3);
  let most = 0;
  for (let step = 0; step < 60_000; step++) {
    random(draw);
    const [first, second] = [draw[0]! & 63, draw[1]!];
    const key = `${first} ${second}`;
    const record = table.find(first, second);
    assertEquals(record !== 0, twin.has(key));
    // First most are kept, then hardly any.
    const keeps = step < 30_000 ? 200 : 10;
    if (record === 0 && draw[2]! < keeps) {
      // Bits above the key's mask are no part of it.
      const added = table.add(first, second | 0x4300);
      table.index(added);
      table.fields[added + 2] = step;
      twin.set(key, step);
      most = Math.max(most, table.bytes);
    } else if (record !== 0 && draw[2]! >= keeps) {
      assertEquals(table.fields[record + 2], twin.get(key));
      table.unindex(record);
      table.remove(record);
      twin.delete(key);
    }
    if (table.isSparse) {
      table.pack();
      table.indexAll();
    }
  }
  assertEquals(table.count, twin.size);
  for (const [key, step] of twin) {
    const [first, second] = key.split(" ").map(Number);
    assertEquals(table.fields[table.find(first!, second!) + 2], step);
  }
  assert(table.bytes < most / 2, `${table.bytes} of ${most} bytes`);
});
