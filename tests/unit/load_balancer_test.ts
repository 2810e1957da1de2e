import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { LoadBalancer } from "../../src/pattern/distribution/load_balancer.ts";
import { FakePipe, messageOf } from "./building_blocks.ts";

function makeBalancer(...rooms: number[]): { balancer: LoadBalancer; pipes: FakePipe[] } {
  const balancer = new LoadBalancer();
  const pipes = rooms.map((room, index) => {
    const pipe = new FakePipe(String.fromCharCode(97 + index));
    pipe.room = room;
    balancer.add(pipe);
    return pipe;
  });
  return { balancer, pipes };
}

/** Writes so many messages, and answers who got them. */
function write(balancer: LoadBalancer, count: number): string {
  let who = "";
  for (let index = 0; index < count; index++) {
    who += balancer.write(messageOf(`${index}`)) ? (balancer.lastPipe as FakePipe).name : "-";
  }
  return who;
}

test("messages go round, one to each", () => {
  const { balancer, pipes } = makeBalancer(Infinity, Infinity, Infinity);
  assertEquals(write(balancer, 7), "abcabca");
  assertEquals(pipes.map(({ texts }) => texts.join()), ["0,3,6", "1,4", "2,5"]);
});

test("nobody there, nothing written", () => {
  const { balancer } = makeBalancer();
  assertEquals([write(balancer, 1), balancer.canWrite], ["-", false]);
});

test("who is full is passed over; who has room again joins behind the others", () => {
  const { balancer, pipes } = makeBalancer(Infinity, 1, Infinity);
  assertEquals(write(balancer, 6), "abcaca");
  pipes[1]!.room = Infinity;
  assertEquals(write(balancer, 2), "ca", "nobody said that there is room");
  balancer.add(pipes[1]!);
  balancer.add(pipes[1]!);
  assertEquals(write(balancer, 6), "cbacba");
});

test("when all are full a message is refused, and nothing of it is written", () => {
  const { balancer, pipes } = makeBalancer(1, 2);
  assertEquals([write(balancer, 5), balancer.canWrite], ["abb--", false]);
  assertEquals(pipes.map(({ written }) => written.length), [1, 2]);
  pipes[0]!.room = 1;
  balancer.add(pipes[0]!);
  assert(balancer.canWrite);
  assertEquals(write(balancer, 2), "a-");
});

test("who leaves changes nobody's turn", () => {
  for (const [leaver, then] of [["a", "bcdb"], ["b", "cdac"], ["c", "bdab"], ["d", "bcab"]] as const) {
    const { balancer, pipes } = makeBalancer(Infinity, Infinity, Infinity, Infinity);
    assertEquals(write(balancer, 1), "a");
    const pipe = pipes.find(({ name }) => name === leaver)!;
    balancer.remove(pipe);
    balancer.remove(pipe);
    assertEquals(write(balancer, 4), then, `without ${leaver}`);
    assertEquals(pipe.written.length, leaver === "a" ? 1 : 0);
  }
});

test("a multipart message stays with one peer", () => {
  const { balancer, pipes } = makeBalancer(Infinity, Infinity);
  balancer.write(messageOf("a|b|c"));
  balancer.write(messageOf("d|e"));
  assertEquals(pipes.map(({ texts }) => texts), [["a|b|c"], ["d|e"]]);
});
