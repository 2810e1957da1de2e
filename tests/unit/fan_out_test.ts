import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { FanOut } from "../../src/pattern/distribution/fan_out.ts";
import { OutboundQueue } from "../../src/pattern/pipe/outbound_queue.ts";
import { concat } from "../../src/bytes/bytes.ts";
import { SegmentPool } from "../../src/zmtp/segment.ts";
import { FakePipe, messageOf } from "./building_blocks.ts";

function makePipes(...rooms: number[]): FakePipe[] {
  return rooms.map((room, index) => Object.assign(new FakePipe(`${index}`), { room }));
}

test("each of the first so many pipes gets the message, the others do not", () => {
  const pipes = makePipes(9, 9, 9, 9);
  new FanOut().write(pipes, 3, messageOf("a|b"), () => assert(false));
  assertEquals(pipes.map(({ texts }) => texts), [["a|b"], ["a|b"], ["a|b"], []]);
});

test("who is full is told of, and keeps nobody else from the message", () => {
  const pipes = makePipes(9, 0, 9);
  const full: string[] = [];
  const fanOut = new FanOut();
  fanOut.write(pipes, 3, messageOf("a"), (pipe) => full.push((pipe as FakePipe).name));
  fanOut.write([pipes[1]!], 1, messageOf("b"), (pipe) => full.push((pipe as FakePipe).name));
  assertEquals([full, pipes.map(({ texts }) => texts.length)], [["1", "1"], [1, 0, 1]]);
});

test("a message for many is framed once; one for a single peer is framed by its queue", () => {
  const pipes = makePipes(9, 9, 9);
  const fanOut = new FanOut();
  fanOut.write(pipes, 3, messageOf("a"), () => {});
  fanOut.write(pipes, 1, messageOf("b"), () => {});
  assertEquals(pipes.map(({ framed }) => framed), [1, 1, 1]);
  fanOut.write(pipes, 0, messageOf("c"), () => {});
  assertEquals(pipes.map(({ written }) => written.length), [2, 1, 1]);
});

test("small bodies are copied, large ones are one reference for all, whatever their sizes together", () => {
  const queues = [0, 1, 2].map(() =>
    new OutboundQueue({ pool: new SegmentPool(), mark: { messages: 0, bytes: 0 }, writable: () => {} })
  );
  const pipes = queues.map((queue) => {
    const pipe = new FakePipe("");
    pipe.write = (message) => queue.write(message);
    pipe.writeShared = (run, message) => queue.writeShared(run, message);
    return pipe;
  });
  const fanOut = new FanOut();
  const large = new Uint8Array(20_000).fill(1);
  const sizes = [[3], [20_000, 5], [60_000, 5_000, 10], [
    10_000,
    10_000,
    10_000,
    10_000,
    10_000,
    10_000,
    10_000,
    10_000,
  ]];
  const sent = sizes.map((list) =>
    list.map((size) => size === 20_000 ? large : new Uint8Array(size).fill(size & 0xff))
  );
  for (const message of sent) {
    fanOut.write(pipes, 3, message, () => assert(false));
    for (const frame of message) if (frame.length < 16_384) frame.fill(0xee);
  }
  const streams = queues.map((queue) => {
    const chunks: Uint8Array[] = [];
    for (let segment = queue.take(); segment !== undefined; segment = queue.take()) {
      chunks.push(...segment.chunks());
    }
    return chunks;
  });
  assertEquals(streams.map((chunks) => chunks.filter((chunk) => chunk === large).length), [1, 1, 1]);
  const [first, ...others] = streams.map((chunks) => concat(chunks));
  for (const other of others) assertEquals(other, first);
  assert(
    !first!.subarray(first!.length - 9_000).includes(0xee),
    "what was sent is what was there when it was sent",
  );
});
