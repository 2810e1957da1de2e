import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { crc32 } from "../../../src/bytes/crc32.ts";
import type { LogError, LogErrorCode } from "../../../src/log/errors.ts";
import {
  type CursorInit,
  type DeliveredBatch,
  SubscriberCursor,
} from "../../../src/log/reader/subscriber_cursor.ts";
import { BatchBuilder } from "../../../src/log/wire/batch_builder.ts";
import type { Credit, RecordsEntry, Subscribe, Unsubscribe } from "../../../src/log/wire/messages.ts";
import fc from "../../support/properties.ts";

/** A cursor and what it says. The test is the broker. */
class Scene {
  readonly cursor: SubscriberCursor;
  readonly sent: (Subscribe | Credit | Unsubscribe)[] = [];
  readonly delivered: DeliveredBatch[] = [];
  readonly events: { readonly type: string; readonly error: LogError }[] = [];
  end: LogError | undefined;
  #requests = 0;
  #cursors = 0;

  constructor(options: Partial<CursorInit> = {}) {
    this.cursor = new SubscriberCursor({
      topic: "t",
      start: "earliest",
      from: 0n,
      generation: 0,
      creditBytes: 1_000,
      onTrimmed: undefined,
      crc32,
      ...options,
      target: {
        nextRequest: () => ++this.#requests,
        nextCursor: () => ++this.#cursors,
        send: (message) => void this.sent.push(message),
        deliver: (batch) => void this.delivered.push(batch),
        happened: (type, error) => void this.events.push({ type, error }),
        ended: (error) => {
          assert(this.end === undefined, "ended twice");
          this.end = error;
        },
      },
    });
  }

  /** What was said since the last look. */
  said(): (Subscribe | Credit | Unsubscribe)[] {
    return this.sent.splice(0);
  }

  asked(): Subscribe {
    const [message, ...more] = this.said();
    assert(message?.type === "subscribe" && more.length === 0, "it did not ask once");
    return message;
  }

  /** Links, and answers that the stream begins at `position`. */
  flow(position = 0n, tail = 100n): Subscribe {
    this.cursor.linked();
    const asked = this.asked();
    this.answer(asked, position, tail);
    return asked;
  }

  answer({ request, cursor }: Subscribe, position: bigint, tail = 100n, generation = 1): void {
    this.cursor.subscribed({ type: "subscribed", request, cursor, position, tail, generation });
  }

  /** Batches of so many records each, the first at `position`. */
  records(position: bigint, counts: readonly number[], spoil?: (body: Uint8Array) => void): void {
    const entries: RecordsEntry[] = [];
    const bodies: Uint8Array[] = [];
    let at = position;
    for (const count of counts) {
      const body = bodyOf(at, count);
      entries.push({ position: at, timestampMs: 5, count, bodyBytes: body.length, bodyCrc: crc32(body, 0) });
      spoil?.(body);
      bodies.push(body);
      at += BigInt(count);
    }
    const { cursor } = this.cursor;
    this.cursor.records(
      { type: "records", request: 0, cursor, position, tail: 100n, generation: 1, entries },
      bodies,
    );
  }

  refused(request: number, code: LogErrorCode, from?: bigint, to?: bigint): void {
    const error = { code, message: code, from, to };
    this.cursor.refused({ type: "refused", request, session: 0n, epoch: 0, batch: 0, error } as never);
  }

  ended(code: LogErrorCode, from?: bigint, to?: bigint): void {
    const error = { code, message: code, from, to };
    this.cursor.cursorEnded({ type: "cursorEnded", cursor: this.cursor.cursor, error } as never);
  }

  /** Reads all that is there. Answers the positions. */
  read(): bigint[] {
    return this.delivered.splice(0).flatMap((batch) => {
      const positions = batch.records.records(batch.skip).map(({ position }) => position);
      this.cursor.consumed(batch);
      return positions;
    });
  }
}

function bodyOf(position: bigint, count: number): Uint8Array {
  const builder = new BatchBuilder(new Uint8Array(64 * count));
  for (let index = 0; index < count; index++) builder.append(`record ${position + BigInt(index)}`);
  return builder.body().slice();
}

function range(from: bigint, to: bigint): bigint[] {
  return Array.from({ length: Number(to - from) }, (_, index) => from + BigInt(index));
}

test("a subscription asks for what it was told, and knows its position once it is answered", () => {
  for (
    const [start, from] of [["earliest", 0n], ["latest", 0n], ["timestamp", 77n], ["position", 5n]] as const
  ) {
    const scene = new Scene({ start, from, generation: 3 });
    assertEquals(scene.cursor.position, start === "position" ? 5n : undefined);
    scene.cursor.linked();
    const asked = scene.asked();
    assertEquals(asked, {
      type: "subscribe",
      request: 1,
      cursor: 1,
      topic: "t",
      start,
      from,
      generation: start === "position" ? 3 : 0,
      creditBytes: 1_000,
    });
    scene.answer(asked, 5n, 9n);
    assertEquals([scene.cursor.position, scene.cursor.tail, scene.cursor.state], [5n, 9n, "flowing"]);
  }
});

test("records are delivered in order, and credit is given back by halves", () => {
  const scene = new Scene({ creditBytes: 90 });
  scene.flow();
  scene.records(0n, [2, 1]);
  const bytes = scene.delivered.map(({ records }) => records.body.length);
  assertEquals(scene.said(), []);
  assertEquals(scene.read(), [0n, 1n, 2n]);
  assert(bytes[0]! < 45 && bytes[0]! + bytes[1]! >= 45);
  assertEquals(scene.said(), [{ type: "credit", cursor: 1, consumedBytes: bytes[0]! + bytes[1]! }]);
});

test("the first batch may begin before the position that was asked for: the rest of it is passed over", () => {
  const scene = new Scene({ start: "position", from: 3n });
  scene.flow(3n);
  scene.records(0n, [2, 4]);
  assertEquals(scene.read(), [3n, 4n, 5n]);
  assertEquals(scene.cursor.position, 6n);
});

test("a hole and damage are asked for again, a few times, and then the stream ends", () => {
  const spoil = (body: Uint8Array): void => void (body[body.length - 1]! ^= 1);
  const faults: readonly (readonly [LogErrorCode, (scene: Scene, at: bigint) => void])[] = [
    ["ERR_LOG_MALFORMED", (scene, at) => scene.records(at + 2n, [1])],
    ["ERR_LOG_CORRUPT", (scene, at) => scene.records(at, [1], spoil)],
  ];
  for (const [code, fault] of faults) {
    const scene = new Scene();
    scene.flow();
    for (const at of [3n, 4n]) {
      // Progress makes them count anew.
      scene.records(at === 3n ? 0n : 3n, [at === 3n ? 3 : 1]);
      scene.read();
      for (let times = 1; times <= 3; times++) {
        fault(scene, at);
        const [left, asked] = scene.said();
        assertEquals([left?.type, asked?.type], ["unsubscribe", "subscribe"]);
        assert(asked?.type === "subscribe" && asked.start === "position" && asked.from === at);
        scene.answer(asked, at);
      }
    }
    fault(scene, 4n);
    assertEquals([scene.end?.code, scene.end?.from, scene.cursor.state], [code, 4n, "ended"]);
    assertEquals([scene.said().map(({ type }) => type), scene.delivered], [["unsubscribe"], []]);
  }
});

test("what comes of a stream that is over, or that nobody knows, is passed over", () => {
  const scene = new Scene();
  const first = scene.flow();
  scene.records(0n, [1]);
  scene.cursor.unlinked();
  scene.records(1n, [1]);
  scene.cursor.linked();
  assertEquals(scene.said(), [], "what was received before is read first, so that the credit is whole");
  assertEquals(scene.read(), [0n]);
  const second = scene.asked();
  assertEquals([second.start, second.from, second.generation], ["position", 1n, 1]);
  scene.answer(first, 0n);
  scene.refused(first.request, "ERR_LOG_STORE_FAILED");
  scene.cursor.cursorEnded({
    type: "cursorEnded",
    cursor: first.cursor,
    error: { code: "ERR_LOG_CUT", message: "old" },
  });
  assertEquals(scene.cursor.state, "subscribing");
  scene.answer(second, 1n);
  scene.records(1n, [1]);
  assertEquals(scene.read(), [1n]);
});

test("records that are gone: an error with both bounds, or on from where they are kept", () => {
  for (const way of ["subscribed", "cursorEnded"] as const) {
    const ends = new Scene({ start: "position", from: 2n });
    const goesOn = new Scene({ start: "position", from: 2n, onTrimmed: "earliest" });
    for (const scene of [ends, goesOn]) {
      if (way === "subscribed") scene.flow(7n);
      else {
        scene.flow(2n);
        scene.ended("ERR_LOG_TRIMMED", 2n, 7n);
      }
      assertEquals(scene.events.map(({ type, error }) => [type, error.from, error.to]), [[
        "trimmed",
        2n,
        7n,
      ]]);
    }
    assertEquals([ends.end?.code, ends.end?.from, ends.end?.to], ["ERR_LOG_TRIMMED", 2n, 7n]);
    assertEquals(goesOn.end, undefined);
    if (way === "cursorEnded") {
      const again = goesOn.asked();
      assertEquals([again.start, again.from], ["position", 7n]);
      goesOn.answer(again, 7n);
    }
    goesOn.records(7n, [2]);
    assertEquals(goesOn.read(), [7n, 8n]);
  }
});

test("a log that was cut ends the stream and says from where; a broker that closes does not", () => {
  const cut = new Scene();
  cut.flow();
  cut.ended("ERR_LOG_CUT", 4n, 6n);
  assertEquals(cut.events.map(({ type }) => type), ["logCut"]);
  assertEquals([cut.end?.code, cut.end?.from, cut.end?.to], ["ERR_LOG_CUT", 4n, 6n]);
  const closing = new Scene();
  closing.cursor.linked();
  const asked = closing.asked();
  closing.refused(asked.request, "ERR_LOG_CLOSED");
  assertEquals([closing.end, closing.cursor.state], [undefined, "subscribing"]);
  closing.cursor.unlinked();
  closing.cursor.linked();
  assertEquals(closing.asked().start, "earliest");
});

test("closing tells the broker once, and nothing is said or delivered afterwards", () => {
  const scene = new Scene();
  scene.flow();
  scene.records(0n, [1]);
  scene.cursor.close();
  assertEquals(scene.said(), [{ type: "unsubscribe", cursor: 1 }]);
  scene.read();
  scene.records(1n, [1]);
  scene.cursor.unlinked();
  scene.cursor.linked();
  scene.cursor.close();
  scene.ended("ERR_LOG_CUT");
  assertEquals([scene.said(), scene.delivered, scene.end], [[], [], undefined]);
});

test("over lost links, faults and slow readers: every position once, in order, and never more credit than given", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("send", "send", "send", "read", "cut", "hole", "spoil", "early"), {
        maxLength: 80,
        size: "max",
      }),
      fc.integer({ min: 60, max: 400 }),
      (steps, creditBytes) => {
        const scene = new Scene({ creditBytes });
        const seen: bigint[] = [];
        let next = 0n;
        let granted = 0;
        let used = 0;
        let linked = false;
        const hear = (): void => {
          for (const message of scene.said()) {
            if (message.type === "subscribe") {
              assert(message.start !== "position" || message.from === scene.cursor.position);
              next = message.start === "position" ? message.from : 0n;
              granted = message.creditBytes;
              used = 0;
              scene.answer(message, next);
            } else if (message.type === "credit") granted = creditBytes + message.consumedBytes;
          }
        };
        const send = (position: bigint, spoil?: (body: Uint8Array) => void): void => {
          const bytes = bodyOf(position, 2).length;
          if (used > 0 && used + bytes > granted) return;
          used += bytes;
          scene.records(position, [2], spoil);
        };
        for (const step of [...steps, "read", "cut", "send", "read"]) {
          if (scene.end !== undefined) break;
          if (!linked) scene.cursor.linked();
          linked = true;
          hear();
          if (step === "read") seen.push(...scene.read());
          else if (step === "cut") {
            scene.cursor.unlinked();
            linked = false;
          } else if (scene.cursor.state === "flowing") {
            if (step === "send") {
              send(next);
              next += 2n;
              // The credit was used up: nothing was sent.
              if (scene.cursor.position !== next) next = scene.cursor.position!;
            } else if (step === "early") send(next > 1n ? next - 1n : 0n);
            else if (step === "hole") send(next + 1n);
            else send(next, (body) => void (body[8]! ^= 255));
            next = scene.cursor.position!;
          }
          hear();
        }
        seen.push(...scene.read());
        assertEquals(seen, range(0n, BigInt(seen.length)));
      },
    ),
    { numRuns: 200 },
  );
});
