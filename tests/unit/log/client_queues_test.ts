import { test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { MisuseError } from "../../../src/errors.ts";
import { PublishQueue, type PublishToken } from "../../../src/log/client/publish_queue.ts";
import type { PublishOptions } from "../../../src/log/client/publish_types.ts";
import { RecordStream } from "../../../src/log/client/record_stream.ts";
import { type Holds, Waits } from "../../../src/log/client/waits.ts";
import { LogError } from "../../../src/log/errors.ts";
import type { DeliveredBatch } from "../../../src/log/reader/subscriber_cursor.ts";
import { BatchBuilder } from "../../../src/log/wire/batch_builder.ts";
import { RecordBatch } from "../../../src/log/wire/record.ts";
import fc from "../../support/properties.ts";

class Held implements Holds {
  count = 0;

  hold(): void {
    this.count++;
  }

  release(): void {
    this.count--;
    assert(this.count >= 0, "released more than held");
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  }
}

const closed = new LogError("ERR_LOG_CLOSED", "closed");

/** A batch of records at `position`, of which the first `skip` were not asked for. */
function batch(position: number, count: number, skip = 0): DeliveredBatch {
  const builder = new BatchBuilder(new Uint8Array(64 * count));
  for (let index = 0; index < count; index++) builder.append(`${position + index}`);
  const records = RecordBatch.open(builder.body(), { position: BigInt(position), timestampMs: 0, count });
  assert(records instanceof RecordBatch);
  return { records, skip, cursor: 1 };
}

async function positionOf(
  next: Promise<IteratorResult<{ readonly position: bigint }>>,
): Promise<bigint | "done"> {
  const { value, done } = await next;
  return done === true ? "done" : value.position;
}

test("a wait that ended leaves no listener on its signal", async () => {
  const listeners = new Set<() => void>();
  const signal = {
    aborted: false,
    reason: undefined,
    addEventListener: (_type: "abort", listener: () => void) => void listeners.add(listener),
    removeEventListener: (_type: "abort", listener: () => void) => void listeners.delete(listener),
  };
  const waits = new Waits<number, string>(new Held());
  const waiting = waits.wait(1, { signal });
  assertEquals(listeners.size, 1);
  waits.resolveAll("done");
  assertEquals([await waiting, listeners.size], ["done", 0]);
});

test("waits end once, in order, and hold the process for as long", async () => {
  const held = new Held();
  const waits = new Waits<number, string>(held);
  const abort = new AbortController();
  const aborted = waits.wait(1, { signal: abort.signal });
  const others = [waits.wait(2), waits.wait(3, { signal: abort.signal }), waits.wait(4)];
  assertEquals([held.count, waits.size, waits.first()?.task], [4, 4, 1]);
  waits.first()!.resolve("one");
  abort.abort("why");
  assertEquals([held.count, await aborted], [2, "one"]);
  const error = await assertRejects(() => others[1]!, LogError);
  assertEquals([error.code, error.cause], ["ERR_LOG_ABORTED", "why"]);
  for (const waiter of waits) waiter.resolve(`task ${waiter.task}`);
  waits.rejectAll(closed);
  assertEquals([await others[0], await others[2], held.count], ["task 2", "task 4", 0]);
  await assertRejects(() => waits.wait(5, { signal: "x" as never }), MisuseError, '"signal" to "x"');
  await assertRejects(() => waits.wait(5, 7 as never), MisuseError, "options 7");
  assertEquals(held.count, 0);
});

test("those who wait for records get them in the order in which they asked", async () => {
  for (const deliveries of [[3], [1, 2], [1, 1, 1], [2, 1], [5]]) {
    const stream = new RecordStream(new Held(), () => {});
    const first = [stream.next(), stream.next()];
    let at = 0;
    for (const count of deliveries) {
      stream.deliver(batch(at, count));
      at += count;
    }
    // Those who wait were woken, but have not gone on yet.
    const late = stream.next();
    const all = await Promise.all([...first, late].map(positionOf));
    assertEquals(all, [0n, 1n, 2n], String(deliveries));
  }
});

test("one who asked for a batch gets what is left of it, and nobody behind is forgotten", async () => {
  const stream = new RecordStream(new Held(), () => {});
  const waits = [stream.nextBatch(2), stream.next(), stream.nextBatch(10), stream.next(), stream.next()];
  stream.deliver(batch(0, 5));
  stream.deliver(batch(5, 1));
  stream.end(closed);
  const positions = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(({ position }) => position) : (value as { position: bigint }).position;
  for (const [index, expected] of [[0n, 1n], 2n, [3n, 4n], 5n].entries()) {
    assertEquals(positions((await waits[index]!).value), expected);
  }
  assertEquals((await assertRejects(() => waits[4]!, LogError)).code, "ERR_LOG_CLOSED");
  assertEquals(await stream.next(), { value: undefined, done: true });
});

test("the end is told once, behind all that was delivered; a close tells everybody at once", async () => {
  const held = new Held();
  const ended = new RecordStream(held, () => {});
  assertEquals(ended.position, undefined);
  ended.deliver(batch(0, 2));
  assertEquals(ended.position, 0n, "delivered is not read");
  ended.end(closed);
  ended.deliver(batch(2, 1));
  assertEquals([await positionOf(ended.next()), await positionOf(ended.next())], [0n, 1n]);
  await assertRejects(() => ended.next(), LogError);
  assertEquals([await positionOf(ended.next()), ended.position], ["done", 2n]);

  const all = new RecordStream(held, () => {});
  const waits = Array.from({ length: 4 }, () => all.next());
  assertEquals(held.count, 4);
  all.close();
  assertEquals(await Promise.all(waits.map(positionOf)), ["done", "done", "done", "done"]);
  all.deliver(batch(0, 1));
  assertEquals([await positionOf(all.next()), held.count], ["done", 0]);

  const aborted = new RecordStream(held, () => {});
  aborted.deliver(batch(0, 2));
  assertEquals(await positionOf(aborted.next()), 0n);
  aborted.close(closed);
  await assertRejects(() => aborted.next(), LogError);
  assertEquals([await positionOf(aborted.next()), aborted.position], ["done", 1n]);
});

test("streams: whatever is delivered and asked for in whatever order, each record comes once, in order, and each batch is consumed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ ask: fc.integer({ min: 0, max: 4 }), deliver: fc.integer({ min: 0, max: 4 }) })),
      async (steps) => {
        const consumed: bigint[] = [];
        const held = new Held();
        const stream = new RecordStream(held, ({ records }) => void consumed.push(records.position));
        const asked: Promise<bigint | "done">[] = [];
        const begins: bigint[] = [];
        let delivered = 0;
        for (const { ask, deliver } of steps) {
          if (deliver > 0) {
            begins.push(BigInt(delivered));
            // As after a lost link: the first record of the batch was read before.
            const again = delivered > 0 ? 1 : 0;
            stream.deliver(batch(delivered - again, deliver + again, again));
            begins[begins.length - 1]! -= BigInt(again);
            delivered += deliver;
          }
          for (let i = 0; i < ask; i++) asked.push(positionOf(stream.next()));
          if (ask === 3) await Promise.resolve();
        }
        while (asked.length <= delivered) asked.push(positionOf(stream.next()));
        stream.end(closed);
        const ends = await Promise.allSettled(asked);
        const records = ends.slice(0, delivered).map((end) =>
          end.status === "fulfilled" ? end.value : end.reason
        );
        assertEquals(records, Array.from({ length: delivered }, (_, index) => BigInt(index)));
        assertEquals(ends.filter(({ status }) => status === "rejected").length, 1);
        assertEquals([consumed, held.count], [begins, 0]);
      },
    ),
    { numRuns: 200 },
  );
});

/** A queue before a publisher that has room for so many records. */
class Room {
  readonly held: Held = new Held();
  readonly taken: { readonly value: Uint8Array | string; readonly options: PublishOptions | undefined }[] =
    [];
  readonly tokens: PublishToken[] = [];
  readonly queue: PublishQueue;
  free = 0;
  atOnce = false;

  constructor() {
    this.queue = new PublishQueue(this.held, {
      append: (value, options, token) => {
        if (value === "refuse me") throw new MisuseError("ERR_MESSAGE", "refused");
        if (this.free === 0) return false;
        this.free--;
        this.taken.push({ value, options });
        this.tokens.push(token);
        return true;
      },
      resolvesAtOnce: () => this.atOnce,
    });
  }

  drain(free: number): void {
    this.free = free;
    this.queue.drain();
  }
}

test("records that wait for room keep their order, their content and the process", async () => {
  const room = new Room();
  const [value, key, header] = [new Uint8Array([1]), new Uint8Array([2]), new Uint8Array([3])];
  room.free = 1;
  const published = [room.queue.publish("first", undefined)];
  published.push(room.queue.publish(value, { key, headers: { header, text: "t" }, timestampMs: 5 }));
  published.push(room.queue.publish("third", { key: "k" }));
  const refused = room.queue.publish("refuse me", undefined);
  const drained = room.queue.drained({});
  for (const bytes of [value, key, header]) bytes.fill(9);
  assertEquals([room.queue.size, room.held.count], [3, 4]);
  room.drain(1);
  room.drain(5);
  await drained;
  await assertRejects(() => refused, MisuseError);
  assertEquals(room.taken.map(({ value }) => value), ["first", new Uint8Array([1]), "third"]);
  const { options } = room.taken[1]!;
  assertEquals([options?.key, options?.headers, options?.timestampMs], [
    new Uint8Array([2]),
    new Map<string, unknown>([["header", new Uint8Array([3])], ["text", "t"]]),
    5,
  ]);
  room.tokens.forEach((token, index) => token.resolve({ position: BigInt(index) }));
  assertEquals((await Promise.all(published)).map(({ position }) => position), [0n, 1n, 2n]);
  assertEquals([room.queue.size, room.held.count], [0, 0]);
});

test("a wait that is aborted leaves its record in the queue; a failure rejects whoever still waits", async () => {
  const room = new Room();
  const abort = new AbortController();
  const { signal } = abort;
  const aborted = room.queue.publish("a", { signal });
  const kept = room.queue.publish("b", undefined);
  abort.abort();
  assertEquals((await assertRejects(() => aborted, LogError)).code, "ERR_LOG_ABORTED");
  await assertRejects(() => room.queue.publish("c", { signal }), LogError);
  await assertRejects(() => room.queue.publish("c", { signal: 5 as never }), MisuseError, '"signal" to 5');
  room.drain(1);
  assertEquals(room.taken.map(({ value }) => value), ["a"]);
  room.tokens[0]!.resolve({ position: 0n });
  room.queue.fail(closed);
  assertEquals((await assertRejects(() => kept, LogError)).code, "ERR_LOG_CLOSED");
  assertEquals([room.queue.size, room.held.count], [0, 0]);
  room.free = 1;
  room.atOnce = true;
  assertEquals(await room.queue.publish("d", undefined), { position: undefined });
});
