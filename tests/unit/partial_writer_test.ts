import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "../support/properties.ts";
import { partialWriter } from "../../src/bytes/partial_writer.ts";
import { BugError } from "../../src/errors.ts";

/** A stream that takes as many bytes as each answer says, and nothing when there is none left. */
class Stream {
  readonly taken: number[] = [];
  readonly calls: (readonly [number, number])[] = [];
  answers: number[] = [];

  readonly writeSome = (chunk: Uint8Array, offset: number, length: number): number => {
    this.calls.push([offset, length]);
    const taken = Math.min(this.answers.shift() ?? 0, length);
    for (let i = 0; i < taken; i++) this.taken.push(chunk[offset + i] ?? -1);
    return taken;
  };
}

const bytes = (...values: number[]) => Uint8Array.from(values);

test("a chunk that is taken at once is not lent", () => {
  const stream = new Stream();
  const writer = partialWriter(stream.writeSome);
  stream.answers = [3];
  assertEquals(writer.write(bytes(1, 2, 3)), true);
  assertEquals(writer.lent, false);
  assertEquals(stream.calls, [[0, 3]]);
  assertEquals(writer.resume(), false);
});

test("a chunk that is taken in parts is offered until there is no room, then lent, then reported once", () => {
  const stream = new Stream();
  const writer = partialWriter(stream.writeSome);
  stream.answers = [1, 1, 0];
  assertEquals(writer.write(bytes(1, 2, 3, 4, 5)), false);
  assertEquals(writer.lent, true);
  assertEquals(stream.calls, [[0, 5], [1, 4], [2, 3]]);
  stream.answers = [0];
  assertEquals(writer.resume(), false);
  stream.answers = [2, 0];
  assertEquals(writer.resume(), false);
  stream.answers = [1];
  assertEquals(writer.resume(), true);
  assertEquals(writer.lent, false);
  assertEquals(writer.resume(), false);
  assertEquals(stream.taken, [1, 2, 3, 4, 5]);
});

test("an empty chunk is taken without asking the stream", () => {
  const stream = new Stream();
  const writer = partialWriter(stream.writeSome);
  assertEquals(writer.write(bytes()), true);
  assertEquals(writer.writev([]), true);
  assertEquals(writer.writev([bytes(), bytes()]), true);
  assertEquals(stream.calls, []);
});

test("a failed stream answers false for ever and is not asked again", () => {
  let calls = 0;
  const writer = partialWriter(() => {
    calls += 1;
    return -1;
  });
  assertEquals(writer.write(bytes(1)), false);
  assertEquals(writer.write(bytes(1)), false);
  assertEquals(writer.writev([bytes(1)]), false);
  assertEquals(writer.resume(), false);
  assertEquals(calls, 1);
});

test("room that is announced while the stream is being asked is not missed", () => {
  let room = 0;
  const writer = partialWriter((_chunk, _offset, length) => {
    if (room > 0) return length;
    // Bun may call its handlers from within `write`.
    room = 1;
    assertEquals(writer.resume(), false);
    return 0;
  });
  assertEquals(writer.write(bytes(1, 2)), true);
  assertEquals(writer.lent, false);
});

test("released memory is never offered again", () => {
  const stream = new Stream();
  const writer = partialWriter(stream.writeSome);
  writer.writev([bytes(1), bytes(2)]);
  writer.release();
  stream.answers = [1];
  assertEquals(writer.lent, false);
  assertEquals(writer.resume(), false);
  assertEquals(stream.taken, []);
});

test("writing while a chunk is lent, and answers beyond what was offered, are bugs of the caller", () => {
  const writer = partialWriter(new Stream().writeSome);
  writer.write(bytes(1));
  assertThrows(() => writer.write(bytes(2)), BugError);
  assertThrows(() => partialWriter((_chunk, _offset, length) => length + 1).write(bytes(1)), BugError);
});

test("whatever the stream takes, the bytes come out whole, in order, and each write is reported once", () => {
  const writes = fc.array(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 4 }), { maxLength: 10 });
  const answers = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 200 });
  fc.assert(fc.property(writes, answers, (gathered, given) => {
    const stream = new Stream();
    const writer = partialWriter(stream.writeSome);
    stream.answers = [...given];
    let reports = 0;
    for (const chunks of gathered) {
      const [only] = chunks;
      let done = chunks.length === 1 && only ? writer.write(only) : writer.writev(chunks);
      assertEquals(writer.lent, !done);
      for (let i = 0; !done; i++) {
        // When the answers have run out there is room for everything.
        if (stream.answers.length === 0) stream.answers = [1000, 1000, 1000, 1000];
        done = writer.resume();
      }
      reports += 1;
    }
    assertEquals(reports, gathered.length);
    assertEquals(stream.taken, gathered.flatMap((chunks) => chunks.flatMap((chunk) => [...chunk])));
    assert(!writer.lent);
  }));
});
