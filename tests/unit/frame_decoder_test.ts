import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import fc from "../support/properties.ts";
import { asciiBytes, concat, copyOf } from "../../src/bytes/bytes.ts";
import { PeerError } from "../../src/errors.ts";
import {
  FrameDecoder,
  type FrameDecoderOptions,
  type FrameLimits,
  readSize,
} from "../../src/zmtp/frame_decoder.ts";
import { encodeFrame } from "../../src/zmtp/frame_encoder.ts";
import { FLAG_COMMAND, FLAG_LONG, FLAG_MORE } from "../../src/zmtp/wire.ts";

const LIMITS: FrameLimits = { frameBytesMax: 1 << 28, messageBytesMax: 1 << 29, messageFramesMax: 65_536 };

/** What came out, in order: messages as lists of frames, commands as a body. */
type Seen = { readonly message: readonly Uint8Array[] } | { readonly command: Uint8Array };

interface Decoded {
  readonly seen: readonly Seen[];
  readonly error: string | undefined;
}

/** Reads a whole stream in the most obvious way there is. */
function naive(stream: Uint8Array, limits: FrameLimits): Decoded {
  const seen: Seen[] = [];
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length);
  let frames: Uint8Array[] = [];
  let bytes = 0;
  for (let at = 0; at < stream.length;) {
    const flags = stream[at]!;
    if (flags > 7 || (flags & 5) === 5) return { seen, error: "ERR_PEER_FRAME" };
    const long = (flags & FLAG_LONG) !== 0;
    if (at + (long ? 9 : 2) > stream.length) break;
    const size = long ? view.getBigUint64(at + 1) : BigInt(stream[at + 1]!);
    if (size > BigInt(limits.frameBytesMax)) return { seen, error: "ERR_PEER_FRAME_SIZE" };
    const command = (flags & FLAG_COMMAND) !== 0;
    if (!command && bytes + Number(size) > limits.messageBytesMax) {
      return { seen, error: "ERR_PEER_MESSAGE_SIZE" };
    }
    at += long ? 9 : 2;
    if (at + Number(size) > stream.length) break;
    const body = stream.slice(at, at + Number(size));
    at += Number(size);
    if (command) {
      seen.push({ command: body });
      continue;
    }
    frames.push(body);
    bytes += body.length;
    if (frames.length > limits.messageFramesMax) return { seen, error: "ERR_PEER_MESSAGE_SIZE" };
    if ((flags & FLAG_MORE) !== 0) continue;
    seen.push({ message: frames });
    frames = [];
    bytes = 0;
  }
  return { seen, error: undefined };
}

/** A decoder with a list of what came out of it. */
class Bench {
  readonly seen: Seen[] = [];
  readonly decoder: FrameDecoder;
  runs = 0;
  /** Frames as they were delivered, not copied. */
  readonly delivered: Uint8Array[] = [];

  constructor(limits: Partial<FrameLimits> = {}, options: FrameDecoderOptions = {}) {
    this.decoder = new FrameDecoder(
      {
        run: (bytes, start, end, messages) => {
          this.runs++;
          const run = naive(bytes.slice(start, end), LIMITS);
          assertEquals(
            [run.error, run.seen.length],
            [undefined, messages],
            "a run holds so many whole messages",
          );
          this.seen.push(...run.seen);
        },
        message: (frames, bytes) => {
          assertEquals(frames.reduce((sum, frame) => sum + frame.length, 0), bytes, "the bytes are counted");
          this.delivered.push(...frames);
          this.seen.push({ message: frames.map(copyOf) });
        },
        command: (body) => {
          this.seen.push({ command: copyOf(body) });
          return undefined;
        },
      },
      { ...LIMITS, ...limits },
      options,
    );
  }

  /** Feeds a stream in chunks of so many bytes, each with memory of its own. */
  feed(stream: Uint8Array, chunkBytes: number, credit = Infinity): this {
    for (let at = 0; at < stream.length; at += chunkBytes) {
      const chunk = stream.slice(at, at + chunkBytes);
      for (let from = 0; from < chunk.length;) {
        const reached = this.decoder.decode(chunk, from, credit);
        assert(reached >= from && reached <= chunk.length);
        if (this.decoder.error !== undefined) return this;
        if (reached === from && credit > 0) assert(this.decoder.waitsForMemory, "it stands still");
        from = reached;
      }
    }
    return this;
  }

  /**
   * Feeds a stream as a transport does that reads where the decoder says, `chunkBytes` at a time. Returns how
   * many bytes were read in place.
   */
  place(stream: Uint8Array, chunkBytes: number): number {
    let placed = 0;
    for (let at = 0; at < stream.length && this.decoder.error === undefined;) {
      const rest = this.decoder.bodyRest;
      const bytes = Math.min(chunkBytes, stream.length - at, rest?.length ?? Infinity);
      const chunk = rest?.subarray(0, bytes) ?? new Uint8Array(bytes);
      chunk.set(stream.subarray(at, at + bytes));
      if (rest !== undefined) placed += bytes;
      assertEquals(this.decoder.decode(chunk, 0, Infinity), bytes);
      at += bytes;
    }
    return placed;
  }

  get result(): Decoded {
    return { seen: this.seen, error: this.decoder.error?.code };
  }
}

const body = fc.uint8Array({ maxLength: 300 });
const frame = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(fc.constantFrom(0, 0, FLAG_MORE), body).map(([flags, bytes]) =>
      encodeFrame(flags, bytes)
    ),
  },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => encodeFrame(FLAG_COMMAND, bytes)) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(2, 3, 6), fc.uint8Array({ maxLength: 40 })).map(([flags, bytes]) =>
      concat([Uint8Array.of(flags, 0, 0, 0, 0, 0, 0, 0, bytes.length), bytes])
    ),
  },
  // What nobody may send.
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 12 }) },
  // A size above every limit.
  { weight: 1, arbitrary: fc.constant(Uint8Array.of(2, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff)) },
);
const streams = fc.array(frame, { maxLength: 20 }).map((frames) => concat(frames));
const limits = fc.record({
  frameBytesMax: fc.constantFrom(30, 260, 100_000),
  messageBytesMax: fc.constantFrom(50, 400, 100_000),
  messageFramesMax: fc.constantFrom(1, 3, 1_000),
});

test("a decoder agrees with the obvious one, whatever the stream, its cuts and the limits", () => {
  const outcomes = new Map<string, number>();
  fc.assert(
    fc.property(streams, limits, fc.integer({ min: 1, max: 400 }), (stream, some, chunkBytes) => {
      const expected = naive(stream, some);
      outcomes.set(String(expected.error), (outcomes.get(String(expected.error)) ?? 0) + 1);
      for (const size of [1, chunkBytes, Math.max(1, stream.length)]) {
        assertEquals(new Bench(some).feed(stream, size).result, expected, `chunks of ${size}`);
      }
    }),
    { numRuns: 1_500 },
  );
  for (const outcome of ["undefined", "ERR_PEER_FRAME", "ERR_PEER_FRAME_SIZE", "ERR_PEER_MESSAGE_SIZE"]) {
    assert(outcomes.has(outcome), `${outcome}: ${outcomes.get(outcome)}`);
  }
});

test("a decoder agrees with the obvious one at every chunk size", () => {
  const stream = concat([
    encodeFrame(0, asciiBytes("one")),
    encodeFrame(FLAG_MORE, new Uint8Array(0)),
    encodeFrame(FLAG_COMMAND, asciiBytes("\x04PINGxx")),
    encodeFrame(FLAG_MORE, new Uint8Array(255).fill(1)),
    encodeFrame(0, new Uint8Array(256).fill(2)),
    encodeFrame(FLAG_COMMAND, new Uint8Array(300).fill(3)),
    encodeFrame(0, new Uint8Array(0)),
    encodeFrame(0, asciiBytes("half")).slice(0, 4),
  ]);
  const expected = naive(stream, LIMITS);
  assertEquals(expected.seen.length, 5);
  for (let chunkBytes = 1; chunkBytes <= stream.length; chunkBytes++) {
    const bench = new Bench().feed(stream, chunkBytes);
    assertEquals(bench.result, expected, `chunks of ${chunkBytes}`);
    assert(bench.decoder.midMessage);
  }
});

test("with a credit of one, each call delivers one message and stops behind it, or none and takes the chunk", () => {
  fc.assert(
    fc.property(streams, fc.integer({ min: 1, max: 400 }), (stream, chunkBytes) => {
      const expected = naive(stream, LIMITS);
      const bench = new Bench();
      for (let at = 0; at < stream.length && bench.decoder.error === undefined; at += chunkBytes) {
        const chunk = stream.slice(at, at + chunkBytes);
        for (let from = 0; from < chunk.length && bench.decoder.error === undefined;) {
          const before = bench.seen.filter((one) => "message" in one).length;
          from = bench.decoder.decode(chunk, from, 1);
          const delivered = bench.seen.filter((one) => "message" in one).length - before;
          assert(
            delivered === 1 ||
              (delivered === 0 && (from === chunk.length || bench.decoder.error !== undefined)),
          );
        }
      }
      assertEquals(bench.result, expected);
    }),
    { numRuns: 500 },
  );
});

test("without credit nothing is decoded", () => {
  const bench = new Bench();
  assertEquals(bench.decoder.decode(encodeFrame(0, asciiBytes("x")), 0, 0), 0);
  assertEquals(bench.seen, []);
});

test("whole messages of one chunk come as one run, without a copy and without an object for each", () => {
  const stream = concat(Array.from({ length: 1_000 }, () => encodeFrame(0, asciiBytes("x"))));
  const bench = new Bench().feed(stream, stream.length);
  assertEquals([bench.runs, bench.seen.length, bench.delivered.length], [1, 1_000, 0]);
});

test("nothing is decoded behind an error", () => {
  const bench = new Bench().feed(concat([encodeFrame(0, asciiBytes("a")), Uint8Array.of(8, 0)]), 100);
  const chunk = encodeFrame(0, asciiBytes("b"));
  assertEquals(bench.decoder.decode(chunk, 0, 5), 0);
  assertEquals(bench.seen.length, 1);
});

test("a size is refused at its header, for each of the sizes that attackers choose", () => {
  const sizes: readonly (readonly number[])[] = [
    [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    [0x80, 0, 0, 0, 0, 0, 0, 0],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    [0, 0x20, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 1, 0, 0, 0, 0],
    [0, 0, 0, 0, 0x10, 0, 0, 1],
  ];
  for (const size of sizes) {
    for (const flags of [FLAG_LONG, FLAG_LONG | FLAG_MORE, FLAG_LONG | FLAG_COMMAND]) {
      const bench = new Bench({}, { memory: () => assert(false, "memory for a refused size") as never });
      bench.feed(Uint8Array.of(flags, ...size), 1);
      assertEquals(bench.decoder.error?.code, "ERR_PEER_FRAME_SIZE", `${flags} ${size}`);
    }
  }
});

test("no limit on frames still refuses what JavaScript cannot count, and allocates nothing for a header", () => {
  const limits = { frameBytesMax: Number.MAX_SAFE_INTEGER, messageBytesMax: Number.MAX_SAFE_INTEGER };
  const refused = new Bench(limits).feed(Uint8Array.of(FLAG_LONG, 0, 0x20, 0, 0, 0, 0, 0, 0), 9);
  assertEquals(refused.decoder.error?.code, "ERR_PEER_FRAME_SIZE");
  const accepted = new Bench(limits, { memory: () => assert(false, "memory for a header alone") as never });
  accepted.feed(Uint8Array.of(FLAG_LONG, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 9);
  assertEquals([accepted.decoder.error, accepted.decoder.heldBytes, accepted.decoder.midMessage], [
    undefined,
    0,
    true,
  ]);
});

test("sizes are read exactly up to 2^53-1, and no further", () => {
  const read = (...bytes: number[]): number => readSize(Uint8Array.from(bytes), 0);
  assertEquals(read(0, 0, 0, 0, 0, 0, 0, 255), 255);
  assertEquals(read(0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff), 2 ** 32 - 1);
  assertEquals(read(0, 0, 0, 1, 0, 0, 0, 1), 2 ** 32 + 1);
  assertEquals(read(0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), Number.MAX_SAFE_INTEGER);
  assertEquals(read(0, 0x20, 0, 0, 0, 0, 0, 0), Infinity);
  assertEquals(read(0x80, 0, 0, 0, 0, 0, 0, 0), Infinity);
});

test("a frame of 64 KiB to 1 MiB gets one buffer of exactly its size; a larger one when an eighth has arrived", () => {
  for (const bytes of [65_536, 65_537, 500_000, 1_048_576, 1_048_577, 3_000_000]) {
    const asked: number[] = [];
    const bench = new Bench({}, {
      memory: (count) => {
        asked.push(count);
        return new Uint8Array(count).fill(0xee);
      },
    });
    const content = new Uint8Array(bytes).map((_, index) => index % 251);
    const stream = encodeFrame(0, content);
    const early = Math.floor(bytes / 8);
    bench.feed(stream.subarray(0, early), 20_000);
    assertEquals(asked, bytes <= 1_048_576 ? [bytes] : [], `${bytes} bytes`);
    assertLess(bench.decoder.heldMemory, bytes <= 1_048_576 ? bytes + 1 : early + 1);
    bench.feed(stream.subarray(early, stream.length - 1), 20_000);
    // Of a larger one the last, small piece of the beginning is joined first.
    assertEquals(asked.filter((count) => count !== 65_536 || bytes === 65_536), [bytes], `${bytes} bytes`);
    assertEquals(bench.decoder.heldBytes, bytes - 1);
    bench.feed(stream.slice(stream.length - 1), 1);
    assertEquals(bench.delivered.length, 1);
    const [got] = bench.delivered;
    assertEquals([got!.length, got!.buffer.byteLength], [bytes, bytes]);
    assert(got!.every((byte, index) => byte === index % 251), `${bytes} bytes`);
  }
});

test("memory of earlier chunks is used again only where nobody sees it: no delivered frame ever changes", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 140_000 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1_000, max: 90_000 }), { minLength: 1, maxLength: 6 }),
      fc.boolean(),
      (sizes, cuts, commands) => {
        const fills = sizes.map((size, index) => new Uint8Array(size).fill(index + 1));
        const stream = concat(fills.flatMap((bytes) => [
          encodeFrame(0, bytes),
          ...(commands ? [encodeFrame(FLAG_COMMAND, asciiBytes("\x04PING12"))] : []),
        ]));
        const kept: Uint8Array[] = [];
        const decoder = new FrameDecoder({
          run: (bytes, start, end) => {
            // As the queue does it: views are made late, so remember where they lie.
            kept.push(bytes.subarray(start, end));
          },
          message: (frames) => void kept.push(...frames),
          command: (body) => (assertEquals(body.length, 7), undefined),
        }, LIMITS);
        for (let at = 0, cut = 0; at < stream.length; cut++) {
          const chunk = stream.slice(at, at + cuts[cut % cuts.length]!);
          assertEquals(decoder.decode(chunk, 0, Infinity), chunk.length);
          at += chunk.length;
        }
        // Runs hold headers as well: join everything and compare with what was sent, without commands.
        const sent = fills.map((bytes) => encodeFrame(0, bytes));
        let index = 0;
        for (const piece of kept) {
          const body = fills[index]!;
          if (piece.length === body.length && piece.every((byte) => byte === index + 1)) {
            index++;
            continue;
          }
          for (let at = 0; at < piece.length; index++) {
            const expected = sent[index]!;
            assertEquals(piece.length - at >= expected.length, true);
            assert(expected.every((byte, offset) => piece[at + offset] === byte), `message ${index} changed`);
            at += expected.length;
          }
        }
        assertEquals(index, fills.length);
      },
    ),
    { numRuns: 120 },
  );
});

test("a sealed stream is opened frame by frame: flags inside count, flags outside do not", () => {
  const seal = (outer: number, inner: number, text: string): Uint8Array =>
    encodeFrame(outer, concat([Uint8Array.of(inner), asciiBytes(text)]));
  const stream = concat([
    seal(0, FLAG_MORE, "a"),
    seal(FLAG_COMMAND, FLAG_COMMAND, "cmd"),
    seal(FLAG_COMMAND, 0, "b"),
    // MORE and COMMAND outside together mean nothing here.
    seal(FLAG_COMMAND | FLAG_MORE, 0, "c"),
  ]);
  for (let chunkBytes = 1; chunkBytes <= stream.length; chunkBytes++) {
    const bench = new Bench({}, {
      opener: { open: (bytes) => ({ flags: bytes[0]!, body: bytes.subarray(1) }) },
    });
    assertEquals(bench.feed(stream, chunkBytes).seen, [
      { command: asciiBytes("cmd") },
      { message: [asciiBytes("a"), asciiBytes("b")] },
      { message: [asciiBytes("c")] },
    ]);
  }
});

test("what cannot be opened ends decoding with the opener's error, and limits hold for what was inside", () => {
  const failing = { open: () => new PeerError("ERR_PEER_MECHANISM", "forged") };
  const bench = new Bench({}, { opener: failing }).feed(encodeFrame(0, asciiBytes("x")), 1);
  assertEquals([bench.decoder.error?.code, bench.seen.length], ["ERR_PEER_MECHANISM", 0]);
  const blowsUp = { open: () => ({ flags: 0, body: new Uint8Array(1_000) }) };
  const large = new Bench({ messageBytesMax: 999 }, { opener: blowsUp }).feed(
    encodeFrame(0, asciiBytes("x")),
    1,
  );
  assertEquals(large.decoder.error?.code, "ERR_PEER_MESSAGE_SIZE");
  const endless = { open: () => ({ flags: FLAG_MORE, body: new Uint8Array(0) }) };
  const many = new Bench({ messageFramesMax: 5 }, { opener: endless });
  many.feed(concat(Array.from({ length: 9 }, () => encodeFrame(0, asciiBytes("x")))), 7);
  assertEquals(many.decoder.error?.code, "ERR_PEER_MESSAGE_SIZE");
});

test("an abandoned decoder holds nothing and starts at a frame boundary", () => {
  for (
    const half of [
      Uint8Array.of(0),
      Uint8Array.of(0, 5, 1),
      encodeFrame(FLAG_MORE, asciiBytes("x")),
      encodeFrame(0, new Uint8Array(2_000_000)).slice(0, 9_000),
    ]
  ) {
    const bench = new Bench().feed(half, half.length);
    assert(bench.decoder.midMessage);
    bench.decoder.abandon();
    assertEquals([bench.decoder.midMessage, bench.decoder.heldBytes], [false, 0]);
    bench.feed(encodeFrame(0, asciiBytes("fresh")), 3);
    assertEquals(bench.seen, [{ message: [asciiBytes("fresh")] }]);
  }
});

test("a large frame that trickles in is joined in blocks, however small the pieces and large the buffers behind them", () => {
  const bytes = 1_200_000;
  const stream = encodeFrame(0, new Uint8Array(bytes).map((_, index) => index % 251));
  for (const pieceBytes of [1, 700, 5_000]) {
    const asked: number[] = [];
    const bench = new Bench({}, { memory: (count) => (asked.push(count), new Uint8Array(count)) });
    // Each piece is a view of one large buffer, which would be pinned.
    for (let at = 0; at < stream.length; at += pieceBytes) {
      bench.decoder.decode(stream.subarray(at, at + pieceBytes), 0, 1);
    }
    assert(bench.delivered[0]!.every((byte, index) => byte === index % 251), `pieces of ${pieceBytes}`);
    assertEquals([bench.delivered.length, bench.delivered[0]!.length], [1, bytes]);
    const joined = Math.ceil(bytes / 8 / 65_536);
    assertEquals(asked, [...Array(joined).fill(65_536), bytes], `pieces of ${pieceBytes}`);
  }
});

test("pieces of a large frame may be small and large in any order", () => {
  const bytes = 1_300_000;
  const content = new Uint8Array(bytes).map((_, index) => index % 251);
  const stream = encodeFrame(0, content);
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 4_000, max: 70_000 })), {
        minLength: 1,
      }),
      (sizes) => {
        const bench = new Bench();
        for (let at = 0, index = 0; at < stream.length; index++) {
          // Tiny pieces alone would take for ever.
          const size = index % 40 < 20 ? sizes[index % sizes.length]! : 50_000;
          bench.decoder.decode(stream.slice(at, at + size), 0, 1);
          at += size;
        }
        assertEquals(bench.delivered.length, 1);
        assert(bench.delivered[0]!.every((byte, index) => byte === content[index]));
      },
    ),
    { numRuns: 40 },
  );
});

/** Bodies on both sides of what is offered, between small frames and a command. */
function largeStream(): Uint8Array {
  const body = (bytes: number, from: number): Uint8Array =>
    new Uint8Array(bytes).map((_, index) => (index + from) % 251);
  return concat([
    encodeFrame(0, asciiBytes("small")),
    encodeFrame(0, body(16_384, 1)),
    encodeFrame(FLAG_MORE, body(16_383, 2)),
    encodeFrame(FLAG_COMMAND, asciiBytes("\x04PING12")),
    encodeFrame(0, body(20_000, 3)),
    encodeFrame(0, body(16_500, 4)),
    encodeFrame(0, asciiBytes("end")),
  ]);
}

test("bodies that are read in place are what was sent, byte by byte and at every chunk size", () => {
  const stream = largeStream();
  const expected = naive(stream, LIMITS);
  for (let chunkBytes = 1; chunkBytes <= stream.length; chunkBytes += chunkBytes < 40 ? 1 : 997) {
    const bench = new Bench();
    const placed = bench.place(stream, chunkBytes);
    assertEquals(bench.result, expected, `chunks of ${chunkBytes}`);
    if (chunkBytes < 16_384) assertGreater(placed, 16_384 + 20_000 + 16_500 - 4 * chunkBytes);
  }
});

test("a body that is read in place is copied no more, and one buffer is all that it takes", () => {
  for (const bytes of [65_536, 1_048_576, 4_194_304]) {
    const asked: number[] = [];
    const bench = new Bench({}, { memory: (count) => (asked.push(count), new Uint8Array(count)) });
    const content = new Uint8Array(bytes).map((_, index) => index % 251);
    const stream = encodeFrame(0, content);
    // An eighth is kept until there is memory for all of a body of more than 1 MiB.
    const first = bytes > 1_048_576 ? bytes / 8 + 9 : 9 + 1_000;
    bench.decoder.decode(stream.slice(0, first), 0, 1);
    assertEquals(asked, [bytes]);
    const placed = bench.place(stream.subarray(first), 100_000);
    assertEquals(placed, stream.length - first);
    assertEquals([bench.delivered[0]!.buffer.byteLength, asked.length], [bytes, 1]);
    assert(bench.delivered[0]!.every((byte, index) => byte === index % 251));
  }
});

test("a transport may read elsewhere although a place was offered, and in parts of it without asking again", () => {
  const content = new Uint8Array(50_000).map((_, index) => index % 251);
  const stream = encodeFrame(0, content);
  const bench = new Bench();
  bench.feed(stream.subarray(0, 1_000), 1_000);
  assertEquals(bench.decoder.bodyRest!.length, stream.length - 1_000);
  bench.feed(stream.subarray(1_000, 3_000), 700);
  const rest = bench.decoder.bodyRest!;
  rest.set(stream.subarray(3_000));
  for (let at = 0; at < rest.length; at += 10_000) bench.decoder.decode(rest.subarray(at, at + 10_000), 0, 1);
  assertEquals(bench.seen, [{ message: [content] }]);
});

test("nothing is offered for small bodies, between frames, after an error, or if memory cannot be forfeited", () => {
  const bench = new Bench();
  assertEquals(bench.decoder.bodyRest, undefined);
  bench.feed(encodeFrame(0, new Uint8Array(16_383)).subarray(0, 5_000), 5_000);
  assertEquals(bench.decoder.bodyRest, undefined);
  const allocator = { allocate: (bytes: number) => new Uint8Array(bytes), release: () => {} };
  const allocated = new Bench({}, { allocator });
  allocated.feed(encodeFrame(0, new Uint8Array(100_000)).subarray(0, 5_000), 5_000);
  assertEquals(allocated.decoder.bodyRest, undefined);
});

/** An allocator whose pieces are views of larger buffers, as a pool's are. */
class Pieces {
  readonly given: Uint8Array[] = [];
  readonly log: string[] = [];

  allocate(bytes: number): Uint8Array {
    const piece = new Uint8Array(bytes + 100).subarray(0, bytes);
    this.given.push(piece);
    return piece;
  }

  release(memory: Uint8Array): void {
    this.log.push(`release ${this.given.indexOf(memory)}`);
  }

  forfeit(memory: Uint8Array): void {
    this.log.push(`forfeit ${this.given.indexOf(memory)}`);
  }
}

test("bodies in an allocator's memory are read in place, too, and are that memory", () => {
  const stream = largeStream();
  const expected = naive(stream, LIMITS);
  for (let chunkBytes = 100; chunkBytes <= stream.length; chunkBytes += 1_997) {
    const allocator = new Pieces();
    const bench = new Bench({}, { allocator });
    const placed = bench.place(stream, chunkBytes);
    assertEquals(bench.result, expected, `chunks of ${chunkBytes}`);
    if (chunkBytes < 16_384) assertGreater(placed, 16_384 + 20_000 + 16_500 - 4 * chunkBytes);
    for (const frame of bench.delivered) assert(allocator.given.includes(frame));
    bench.decoder.abandon();
    assertEquals(allocator.log, [], "what was delivered is the receiver's");
  }
});

test("a body that was offered and has not come whole is forfeited, everything else is released", () => {
  const large = (flags: number): Uint8Array => encodeFrame(flags, new Uint8Array(50_000));
  const header = encodeFrame(FLAG_MORE, asciiBytes("header"));
  const cases: [Uint8Array, boolean, string[]][] = [
    [concat([header, large(0).subarray(0, 5_000)]), true, ["forfeit 1", "release 0"]],
    [concat([header, large(0).subarray(0, 5_000)]), false, ["release 0", "release 1"]],
    // A body that is whole is read no more, and what was offered before says nothing of the next one.
    [concat([header, large(FLAG_MORE)]), true, ["release 0", "release 1"]],
    [concat([header, large(FLAG_MORE), Uint8Array.of(0, 9, 1)]), true, [
      "release 0",
      "release 1",
      "release 2",
    ]],
    [concat([large(FLAG_MORE), large(0).subarray(0, 9)]), true, ["forfeit 1", "release 0"]],
    [concat([large(0), header]), true, ["release 1"]],
  ];
  for (const [stream, offered, expected] of cases) {
    const allocator = new Pieces();
    const { decoder } = new Bench({}, { allocator });
    for (let at = 0; at < stream.length; at += 1_000) {
      decoder.decode(stream.slice(at, at + 1_000), 0, Infinity);
      if (offered) void decoder.bodyRest;
    }
    decoder.abandon();
    assertEquals(allocator.log, expected);
    decoder.abandon();
    assertEquals(allocator.log, expected, "once");
  }
});

test("a message that is refused with a body half read forfeits it, and one that is whole is released", () => {
  const stream = encodeFrame(0, new Uint8Array(50_000));
  const allocator = new Pieces();
  const half = new Bench({}, { allocator }).feed(stream.subarray(0, 1_000), 1_000);
  const rest = half.decoder.bodyRest!;
  half.decoder.decode(rest.subarray(1, 100), 0, 1);
  assertEquals(half.decoder.error?.code, "ERR_TRANSPORT");
  half.decoder.abandon();
  const whole = new Bench({ messageBytesMax: 40_000 }, { allocator });
  whole.place(stream, 1_000);
  assertEquals(whole.decoder.error?.code, "ERR_PEER_MESSAGE_SIZE");
  whole.decoder.abandon();
  assertEquals(allocator.log, ["forfeit 0", "release 1"]);
});

test("a transport that reads on behind a body's end, into what an allocator has there, is named", () => {
  const stream = encodeFrame(0, new Uint8Array(50_000));
  const { decoder } = new Bench({}, { allocator: new Pieces() }).feed(stream.subarray(0, 1_000), 1_000);
  const rest = decoder.bodyRest!;
  decoder.decode(new Uint8Array(rest.buffer, rest.byteOffset, rest.length + 1), 0, 1);
  assertEquals(decoder.error?.code, "ERR_TRANSPORT");
});

test("what is read into another place of a body is named, and so is memory that was given away", () => {
  const stream = encodeFrame(0, new Uint8Array(50_000));
  const misplaced = new Bench().feed(stream.subarray(0, 1_000), 1_000);
  const rest = misplaced.decoder.bodyRest!;
  misplaced.decoder.decode(rest.subarray(1, 100), 0, 1);
  assertEquals([misplaced.decoder.error?.code, misplaced.seen.length], ["ERR_TRANSPORT", 0]);

  const gone = new Bench().feed(stream.subarray(0, 1_000), 1_000);
  structuredClone(0, { transfer: [gone.decoder.bodyRest!.buffer as ArrayBuffer] });
  assertEquals(gone.decoder.bodyRest, undefined);
  gone.decoder.decode(stream.slice(1_000, 2_000), 0, 1);
  assertEquals([gone.decoder.error?.code, gone.seen.length], ["ERR_TRANSPORT", 0]);
});

test("when memory is short, parts of a large body are kept until it is complete or there is room", () => {
  let room = false;
  const content = new Uint8Array(2_000_000).map((_, index) => index % 251);
  const stream = encodeFrame(0, content);
  for (const roomAt of [1_000_000, Infinity]) {
    room = false;
    const asked: number[] = [];
    const memory = (count: number): Uint8Array => (asked.push(count), new Uint8Array(count));
    const bench = new Bench({}, { sparing: () => !room, memory });
    for (let at = 0; at < stream.length; at += 50_000) {
      room = at >= roomAt;
      bench.decoder.decode(stream.slice(at, at + 50_000), 0, 1);
      const whole = room || at + 50_000 >= stream.length;
      assertEquals(asked.includes(content.length), whole, `after ${at} bytes`);
    }
    assertEquals(bench.seen, [{ message: [content] }]);
  }
});
