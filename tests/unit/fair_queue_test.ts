import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../support/properties.ts";
import { FairQueue } from "../../src/pattern/distribution/fair_queue.ts";
import { FakePipe, messageOf, textOf } from "./building_blocks.ts";

function makePipes(...names: string[]): FakePipe[] {
  return names.map((name) => new FakePipe(name));
}

function fill(pipe: FakePipe, count: number): void {
  for (let index = 0; index < count; index++) pipe.arrived.push(messageOf(`${pipe.name}${index}`));
}

function readAll(queue: FairQueue): string[] {
  const texts: string[] = [];
  for (let message = queue.read(); message !== undefined; message = queue.read()) {
    assertEquals(textOf(message)[0], (queue.lastPipe as FakePipe).name);
    texts.push(textOf(message));
  }
  return texts;
}

test("one message from each peer in turn, and whoever has most is read to the end", () => {
  const queue = new FairQueue();
  const [a, b, c] = makePipes("a", "b", "c");
  fill(a!, 4);
  fill(b!, 1);
  fill(c!, 2);
  for (const pipe of [a!, b!, c!]) queue.add(pipe);
  assertEquals(readAll(queue), ["a0", "b0", "c0", "a1", "c1", "a2", "a3"]);
  assertEquals(queue.hasMessages, false);
});

test("a peer joins behind the others, and adding it twice gives it no second turn", () => {
  const queue = new FairQueue();
  const [a, b] = makePipes("a", "b");
  fill(a!, 3);
  fill(b!, 3);
  queue.add(a!);
  queue.add(a!);
  queue.add(b!);
  queue.add(a!);
  assertEquals(readAll(queue), ["a0", "b0", "a1", "b1", "a2", "b2"]);
});

test("a peer that was found empty is asked again only when it is added again", () => {
  const queue = new FairQueue();
  const [a] = makePipes("a");
  queue.add(a!);
  assertEquals([queue.read(), queue.hasMessages], [undefined, false]);
  fill(a!, 1);
  assertEquals(queue.read(), undefined);
  queue.add(a!);
  assert(queue.hasMessages);
  assertEquals(readAll(queue), ["a0"]);
});

test("a removed peer is forgotten with its messages, and the turn of the others does not change", () => {
  for (const removed of ["a", "b", "c", "d"]) {
    const queue = new FairQueue();
    const pipes = makePipes("a", "b", "c", "d");
    for (const pipe of pipes) {
      fill(pipe, 3);
      queue.add(pipe);
    }
    assertEquals(textOf(queue.read()!), "a0");
    assertEquals(textOf(queue.read()!), "b0");
    queue.remove(pipes.find(({ name }) => name === removed)!);
    queue.remove(pipes.find(({ name }) => name === removed)!);
    const next = ["c0", "d0", "a1", "b1"].filter((text) => text[0] !== removed);
    assertEquals(readAll(queue).slice(0, 3), next, `without ${removed}`);
  }
});

test("nobody is starved: between two messages of one peer every other that has one is heard", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(6), { minLength: 1, maxLength: 6 }),
      fc.infiniteStream(fc.nat(5)),
      (counts, chance) => {
        const queue = new FairQueue();
        const pipes = counts.map((count, index) => {
          const pipe = new FakePipe(String.fromCharCode(97 + index));
          fill(pipe, count);
          if (count > 0) queue.add(pipe);
          return pipe;
        });
        const heard: string[] = [];
        const waiting = new Map<FakePipe, Set<FakePipe>>();
        for (let message = queue.read(); message !== undefined; message = queue.read()) {
          const from = queue.lastPipe as FakePipe;
          const others = waiting.get(from);
          if (others !== undefined) {
            assertEquals([...others].map(({ name }) => name), [], `starved by ${from.name}`);
          }
          for (const set of waiting.values()) {
            set.delete(from);
          }
          waiting.set(from, new Set(pipes.filter((pipe) => pipe !== from && pipe.arrived.length > 0)));
          heard.push(textOf(message));
          // More arrives now and then.
          const lucky = pipes[chance.next().value! % (pipes.length + 2)];
          if (lucky !== undefined && heard.length < 40) {
            lucky.arrived.push(messageOf(`${lucky.name}+`));
            queue.add(lucky);
          }
        }
        assert(pipes.every(({ arrived }) => arrived.length === 0), "all was read");
      },
    ),
    { numRuns: 400 },
  );
});
