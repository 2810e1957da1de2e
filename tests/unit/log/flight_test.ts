import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { LogError } from "../../../src/log/errors.ts";
import { Flight } from "../../../src/log/publisher/flight.ts";
import { OutgoingBatch } from "../../../src/log/publisher/window.ts";
import type { Ack, Order } from "../../../src/log/topic_options.ts";

const TIMEOUT_MS = 100;
const REFUSED = new LogError("ERR_LOG_BATCH_TOO_LARGE", "refused");

/** A flight whose batches are named by their first record, and what became of them. */
class Bench {
  readonly settled: number[] = [];
  readonly retired: number[] = [];
  readonly flight: Flight<string>;
  #pushed = 0;

  constructor(options: { order?: Order; level?: Ack; limit?: number; windowBytes?: number } = {}) {
    this.flight = new Flight<string>(TIMEOUT_MS, {
      settled: ({ firstRecord }) => this.settled.push(firstRecord),
      retired: ({ firstRecord }) => this.retired.push(firstRecord),
    });
    this.flight.limit = options.limit ?? 100;
    this.flight.windowBytes = options.windowBytes ?? 1_000_000;
    this.flight.order = options.order ?? 5;
    this.flight.level = options.level ?? 1;
  }

  push(count: number, bytes = 10): void {
    for (let i = 0; i < count; i++) {
      this.flight.window.push(
        new OutgoingBatch<string>({
          body: new Uint8Array(bytes),
          memory: undefined,
          firstRecord: this.#pushed++,
          count: 2,
          crc: 0,
          lastSequence: undefined,
          tokens: undefined,
          tokenRecords: undefined,
        }),
      );
    }
  }

  /** Sends what may be sent, and returns its names. */
  send(nowMs = 0, again = false): number[] {
    const names: number[] = [];
    for (let batch = this.flight.peek(again); batch !== undefined; batch = this.flight.peek(again)) {
      names.push(batch.firstRecord);
      this.flight.sent(nowMs);
    }
    return names;
  }

  ack(nextBatch: number, nextSyncedBatch = 0, nowMs = 0): string | undefined {
    return this.flight.acknowledged({ nextBatch, nextSyncedBatch, runs: [] }, nowMs);
  }

  /** Batches that are ordered out of turn. */
  place(batch: number, batches: number, position = 100n, nowMs = 0): string | undefined {
    const runs = [{ batch, batches, position }];
    return this.flight.acknowledged({ nextBatch: 0, nextSyncedBatch: 0, runs }, nowMs);
  }

  get left(): number[] {
    const { window } = this.flight;
    return Array.from({ length: window.length }, (_, index) => window.at(index).firstRecord);
  }
}

test("nothing is sent before a limit is granted, and nothing at or above it", () => {
  const fresh = new Flight<string>(TIMEOUT_MS, { settled: () => {}, retired: () => {} });
  const bench = new Bench({ limit: 2 });
  bench.push(3);
  fresh.window.push(bench.flight.window.at(0));
  assertEquals(fresh.peek(false), undefined);
  assertEquals([bench.send(), bench.flight.next, bench.flight.high], [[0, 1], 2, 2]);
  bench.flight.limit = 3;
  assertEquals(bench.send(), [2]);
});

test("bytes under way fill their window to the last, and one batch may always go", () => {
  const bench = new Bench({ windowBytes: 30 });
  bench.push(1, 31);
  bench.push(4, 10);
  assertEquals(bench.send(), [0], "larger than the window, and alone");
  bench.ack(1);
  assertEquals(bench.send(), [1, 2, 3], "exactly the window");
  bench.ack(2);
  assertEquals(bench.send(), [4]);
});

test("there is room for one more batch where all that wait have been sent, and limit and bytes allow it", () => {
  const bench = new Bench({ windowBytes: 30, limit: 3 });
  bench.push(2);
  assertEquals(bench.flight.hasRoomFor(1), false, "two are not sent yet");
  bench.send();
  assertEquals([bench.flight.hasRoomFor(10), bench.flight.hasRoomFor(11)], [true, false]);
  bench.push(1);
  bench.send();
  assertEquals(bench.flight.hasRoomFor(0), false, "the limit");
});

test("the first batch without an answer is sent again after its time-out, counted from the last progress", () => {
  const bench = new Bench();
  assertEquals([bench.flight.resendAtMs, bench.flight.unanswered], [Infinity, undefined]);
  bench.push(3);
  bench.send(50);
  assertEquals([bench.flight.resendAtMs, bench.flight.unanswered], [150, 0]);
  bench.place(0, 1, 100n, 80);
  assertEquals(bench.flight.unanswered, 1);
  assertEquals(bench.flight.resendAtMs > 180 - 1, true);
  bench.place(2, 1, 104n, 90);
  assertEquals(bench.flight.unanswered, 1, "the one behind it does not count");
  bench.flight.postponed(1_000);
  const lateMs = bench.flight.resendAtMs;
  bench.flight.resent(1, 2_000);
  assertEquals(bench.flight.resendAtMs - 2_000, 2 * (lateMs - 1_000), "after twice as long");
  bench.ack(3);
  assertEquals([bench.flight.resendAtMs, bench.flight.committed], [Infinity, 3]);
});

test("only the round trip of a batch that was sent once, and after the last second copy, is measured", () => {
  const bench = new Bench();
  bench.push(4);
  bench.send(1_000);
  bench.flight.resent(0, 1_500);
  bench.ack(4, 0, 9_000);
  bench.push(1);
  bench.send(10_000);
  assertEquals(bench.flight.resendAtMs, 10_000 + TIMEOUT_MS, "eight seconds were the second copy's");
  bench.ack(5, 0, 10_400);
  bench.push(1);
  bench.send(20_000);
  assertEquals(bench.flight.resendAtMs, 20_000 + 400 + 4 * 200, "four hundred are the round trip");
});

test("behind a batch that was refused nothing is sent from order 4 on; below, all that follows is", () => {
  for (const order of [5, 4, 2, 0] as const) {
    const bench = new Bench({ order, limit: 2 });
    bench.push(4);
    assertEquals(bench.send(), [0, 1]);
    assertEquals(bench.flight.drop(1, REFUSED), true);
    bench.flight.limit = 100;
    bench.flight.rewind(1);
    assertEquals(bench.send(), order >= 4 ? [] : [2, 3], `order ${order}`);
    bench.ack(1);
    assertEquals(bench.flight.unanswered, order >= 4 ? undefined : 2, `order ${order}`);
  }
});

test("behind a batch that was refused nobody is waited for from order 4 on", () => {
  for (const order of [5, 4, 2, 0] as const) {
    const bench = new Bench({ order });
    bench.push(3);
    bench.send();
    bench.flight.drop(1, REFUSED);
    assertEquals(bench.flight.unanswered, 0);
    bench.ack(1);
    assertEquals(bench.flight.unanswered, order >= 4 ? undefined : 2, `order ${order}`);
  }
});

test("what was ordered out of turn is not sent again", () => {
  const bench = new Bench();
  bench.push(3);
  bench.send();
  bench.place(1, 1);
  bench.flight.rewind(0);
  assertEquals(bench.send(0, true), [0, 2]);
});

test("a rewind goes back to what was sent and not committed, and nowhere else", () => {
  const bench = new Bench({ windowBytes: 30 });
  bench.push(6);
  bench.send();
  bench.ack(1);
  bench.send();
  assertEquals(bench.flight.next, 4);
  for (const number of [0, 4, 5]) {
    bench.flight.rewind(number);
    assertEquals(bench.flight.next, 4, `to ${number}`);
  }
  bench.flight.rewind(2);
  assertEquals([bench.flight.next, bench.send(), bench.flight.high], [2, [2, 3], 4]);
  bench.flight.rewind(1);
  assertEquals(bench.send(), [1, 2, 3], "bytes were counted anew");
});

test("`again` sends no batch that was never sent", () => {
  const bench = new Bench({ limit: 2 });
  bench.push(4);
  bench.send();
  bench.flight.limit = 4;
  bench.flight.rewind(0);
  assertEquals([bench.send(0, true), bench.send()], [[0, 1], [2, 3]]);
});

test("a link that is gone may hold the memory of what was sent, and takes its bytes with it", () => {
  const bench = new Bench({ windowBytes: 20 });
  bench.push(3);
  bench.send();
  bench.flight.unlinked();
  const { window } = bench.flight;
  assertEquals([0, 1, 2].map((index) => window.at(index).shared), [true, true, false]);
  assertEquals([bench.flight.next, bench.send()], [0, [0, 1]]);
});

test("an acknowledgement of what was never sent is a fault, to the number, and changes nothing", () => {
  const bench = new Bench({ limit: 2 });
  bench.push(3);
  bench.send();
  const fault = "the broker speaks of batches below 3, and 2 were sent";
  assertEquals([bench.ack(3), bench.place(1, 2), bench.settled], [fault, fault, []]);
  assertEquals([bench.place(1, 1), bench.ack(2), bench.settled], [undefined, undefined, [1, 0]]);
  assertEquals([bench.retired, bench.left], [[0, 1], [2]]);
});

test("acknowledgements never go back", () => {
  const bench = new Bench();
  bench.push(3);
  bench.send();
  bench.ack(2);
  assertEquals([bench.ack(1), bench.flight.committed, bench.settled], [undefined, 2, [0, 1]]);
});

test("at ack 2 a batch is settled when it is synced, which is never before it is ordered", () => {
  const bench = new Bench({ level: 2 });
  bench.push(4);
  bench.send();
  bench.ack(3, 1);
  assertEquals([bench.settled, bench.retired, bench.flight.committed], [[0], [0], 3]);
  bench.ack(3, 4);
  assertEquals([bench.settled, bench.left], [[0, 1, 2], [3]]);
});

test("positions are taken down, also behind what is gone already", () => {
  const bench = new Bench({ level: 2 });
  bench.push(4);
  bench.send();
  const { flight } = bench;
  flight.acknowledged(
    { nextBatch: 1, nextSyncedBatch: 1, runs: [{ batch: 0, batches: 1, position: 40n }] },
    0,
  );
  // Two records in each.
  flight.acknowledged(
    { nextBatch: 3, nextSyncedBatch: 1, runs: [{ batch: 0, batches: 3, position: 40n }] },
    0,
  );
  assertEquals([flight.get(1).position, flight.get(2).position, flight.get(3).position], [
    42n,
    44n,
    undefined,
  ]);
});

test("what an older epoch left unsynced is settled by the first of the next one that is", () => {
  const bench = new Bench({ level: 2 });
  bench.push(3);
  bench.send();
  bench.ack(2, 0);
  bench.flight.renumber();
  assertEquals([bench.flight.window.older, bench.settled], [2, []]);
  bench.flight.opened(0, false);
  assertEquals(bench.settled, []);
  bench.flight.limit = 10;
  bench.push(1);
  assertEquals(bench.send(), [2, 3]);
  bench.ack(1, 0);
  assertEquals(bench.settled, [], "ordered, and not synced");
  bench.ack(1, 1);
  assertEquals([bench.settled, bench.retired, bench.left], [[0, 1, 2], [0, 1, 2], [3]]);
});

test("where all that stands before an epoch is synced, what older ones left is settled when it opens", () => {
  const bench = new Bench({ level: 2 });
  bench.push(2);
  bench.send();
  bench.ack(2, 0);
  bench.flight.renumber();
  bench.flight.opened(0, true);
  assertEquals([bench.settled, bench.retired, bench.left], [[0, 1], [0, 1], []]);
});

test("the end of an epoch says what of it is ordered, and whether that is synced", () => {
  for (const synced of [true, false]) {
    const bench = new Bench({ level: 2 });
    bench.push(3);
    bench.send();
    bench.flight.ended(2, synced, 0);
    assertEquals([bench.settled, bench.flight.committed], [synced ? [0, 1] : [], 2]);
  }
});

test("a new epoch numbers what is left from 0, as if it had never been sent, but for its memory", () => {
  const bench = new Bench({ limit: 3 });
  bench.push(4);
  bench.send();
  bench.flight.get(1).damages = 5;
  bench.ack(1);
  bench.flight.drop(2, REFUSED);
  bench.flight.renumber();
  const { flight } = bench;
  assertEquals([bench.left, bench.retired, flight.dropped], [[1, 3], [0, 2], 0]);
  assertEquals([flight.committed, flight.next, flight.high, flight.limit], [0, 0, 0, 0]);
  const kept = [0, 1].map((number) => flight.get(number));
  assertEquals(kept.map(({ sends, damages, shared }) => [sends, damages, shared]), [[0, 0, true], [
    0,
    0,
    false,
  ]]);
  assertEquals(bench.send(), [], "no limit was granted yet");
  flight.limit = 2;
  assertEquals(bench.send(), [1, 3]);
});

test("where nothing of a session is in the log, what was ordered and not settled begins anew", () => {
  const bench = new Bench({ level: 2 });
  bench.push(3);
  bench.send();
  bench.place(0, 2, 40n);
  bench.flight.renumber();
  assertEquals(bench.flight.window.older, 2);
  bench.flight.forget();
  bench.flight.renumber();
  const { window } = bench.flight;
  assertEquals([window.older, window.olderBytes, bench.left, bench.settled], [0, 0, [0, 1, 2], []]);
  assertEquals([0, 1].map((index) => [window.at(index).position, window.at(index).committed]), [
    [undefined, false],
    [undefined, false],
  ]);
});

test("when nothing will be answered any more, whoever was not told is told why, once", () => {
  const bench = new Bench({ level: 2 });
  bench.push(4);
  bench.send();
  bench.place(1, 1);
  bench.flight.drop(2, REFUSED);
  const batches = [0, 1, 2, 3].map((number) => bench.flight.get(number));
  const over = new LogError("ERR_LOG_CLOSED", "over");
  bench.flight.clear(over);
  assertEquals([bench.settled, bench.left], [[2, 0, 1, 3], []]);
  assertEquals(batches.map(({ error }) => error), [over, over, REFUSED, over]);
  const { flight } = bench;
  assertEquals([flight.dropped, flight.committed, flight.next, flight.high], [0, 4, 4, 4]);
});

test("a batch that is dropped before it was sent is gone, and those behind it move up", () => {
  const bench = new Bench({ limit: 1 });
  bench.push(3);
  bench.send();
  assertEquals(bench.flight.drop(1, REFUSED), false);
  assertEquals([bench.settled, bench.retired, bench.left, bench.flight.dropped], [[1], [1], [0, 2], 0]);
  assertEquals(bench.flight.drop(0, REFUSED), true);
  assertEquals([bench.settled, bench.retired, bench.left, bench.flight.dropped], [[1, 0], [1], [0, 2], 1]);
});

test("the window holds what is neither answered nor gone, to its first and last number", () => {
  const bench = new Bench({ level: 2 });
  bench.push(4);
  bench.send();
  bench.ack(2, 1);
  bench.flight.drop(3, REFUSED);
  // 0 has left, 1 is ordered, 2 is under way, 3 is refused, and 4 was never there.
  assertEquals([0, 1, 2, 3, 4].map((number) => bench.flight.holds(number)), [
    false,
    false,
    true,
    false,
    false,
  ]);
  bench.push(1);
  assertEquals([bench.flight.holds(4), bench.flight.holds(5)], [true, false]);
  const first = new Bench();
  first.push(1);
  assertEquals(first.flight.holds(0), true);
});

test("the last batch that was sent may be dropped without a trace, unless a second copy is under way", () => {
  const bench = new Bench({ windowBytes: 30 });
  bench.push(3);
  bench.send();
  bench.flight.drop(2, REFUSED);
  assertEquals([bench.flight.gap(), bench.left, bench.retired], ["closed", [0, 1], [2]]);
  assertEquals([bench.flight.high, bench.flight.next, bench.flight.dropped], [2, 2, 0]);
  bench.push(1);
  assertEquals(bench.send(), [3], "its number and its bytes are free");

  const only = new Bench();
  only.push(1);
  only.send();
  only.flight.drop(0, REFUSED);
  assertEquals([only.flight.gap(), only.left], ["closed", []]);

  const doubled = new Bench();
  doubled.push(2);
  doubled.send();
  doubled.flight.resent(1, 10);
  doubled.flight.drop(1, REFUSED);
  assertEquals([doubled.flight.gap(), doubled.left], ["waiting", [0, 1]]);
  doubled.ack(1);
  assertEquals(doubled.flight.gap(), "drained");
});

test("a gap in front of others stays until all that can be ordered is: behind it only below order 4", () => {
  for (const order of [5, 4, 2] as const) {
    const bench = new Bench({ order });
    bench.push(3);
    bench.send();
    bench.flight.drop(1, REFUSED);
    assertEquals(bench.flight.gap(), "waiting", "0 is not ordered");
    bench.ack(1);
    assertEquals(bench.flight.gap(), order >= 4 ? "drained" : "waiting", `order ${order}: 2 is not ordered`);
    bench.place(2, 1);
    assertEquals([bench.flight.gap(), bench.flight.dropped], ["drained", 1]);
  }
});

test("a link that is made again tells how far the epoch is: what it has is committed, the rest sent again", () => {
  const bench = new Bench({ windowBytes: 30 });
  bench.push(3);
  bench.send();
  bench.ack(1);
  bench.flight.unlinked();
  assertEquals(bench.flight.resumed({ nextBatch: 2, nextSyncedBatch: 0, runs: [] }, 20), 0);
  assertEquals([bench.settled, bench.flight.committed, bench.flight.next], [[0, 1], 2, 2]);
  bench.push(3);
  assertEquals(bench.send(600), [2, 3, 4], "bytes were counted anew");
  assertEquals(bench.flight.resendAtMs, 600 + TIMEOUT_MS);
});

test("a link that is made again does not settle what an older epoch left unsynced", () => {
  const bench = new Bench({ level: 2 });
  bench.push(2);
  bench.send();
  bench.ack(1);
  bench.flight.renumber();
  bench.flight.limit = 10;
  bench.send();
  bench.flight.unlinked();
  assertEquals(bench.flight.resumed({ nextBatch: 1, nextSyncedBatch: 0, runs: [] }, 0), 0);
  assertEquals([bench.settled, bench.left], [[], [0, 1]]);
});

test("after a crash of the machine ordered batches may be taken back, settled ones are counted as lost", () => {
  const unsynced = new Bench({ level: 2 });
  unsynced.push(3);
  unsynced.send();
  unsynced.ack(2, 0);
  unsynced.flight.unlinked();
  assertEquals(unsynced.flight.resumed({ nextBatch: 1, nextSyncedBatch: 1, runs: [] }, 0), 0);
  assertEquals([unsynced.flight.committed, unsynced.settled, unsynced.send()], [1, [0], [1, 2]]);

  const settled = new Bench();
  settled.push(4);
  settled.send();
  settled.ack(3);
  settled.flight.unlinked();
  assertEquals(settled.flight.resumed({ nextBatch: 1, nextSyncedBatch: 0, runs: [] }, 0), 2);
});

test("what is lost is counted where batches overtook each other: runs that the broker names are there", () => {
  const crash = (runs: { batch: number; batches: number }[], nextBatch = 0): number | string => {
    const bench = new Bench({ order: 0 });
    bench.push(7);
    bench.send();
    // 0 and 1 have left the window; 4 and 5 were acknowledged out of turn.
    bench.ack(2);
    bench.place(4, 2);
    bench.flight.unlinked();
    const named = runs.map((run) => ({ ...run, position: 500n }));
    return bench.flight.resumed({ nextBatch, nextSyncedBatch: 0, runs: named }, 0);
  };
  assertEquals(crash([]), 4, "0, 1, 4 and 5");
  assertEquals(crash([], 1), 3, "1, 4 and 5");
  assertEquals(crash([{ batch: 4, batches: 1 }]), 3);
  assertEquals(crash([{ batch: 5, batches: 1 }]), 3);
  assertEquals(crash([{ batch: 4, batches: 2 }]), 2);
  assertEquals(crash([{ batch: 5, batches: 2 }]), 3, "to the last that was sent");
  assertEquals(crash([{ batch: 3, batches: 1 }, { batch: 6, batches: 1 }]), 4, "nobody was told of these");
  assertEquals(crash([{ batch: 1, batches: 1 }]), 3, "gone from the window, and in the log");
  assertEquals(crash([{ batch: 0, batches: 6 }], 1), 0);
  assertEquals(crash([{ batch: 4, batches: 4 }]), 4, "a run beyond all that was sent is none");
});

test("a broker that has more than was ever sent is not believed", () => {
  const bench = new Bench({ limit: 1 });
  bench.push(2);
  bench.send();
  const fault = "the broker speaks of batches below 2, and 1 were sent";
  assertEquals(bench.flight.resumed({ nextBatch: 2, nextSyncedBatch: 0, runs: [] }, 0), fault);
  assertEquals(bench.flight.resumed({ nextBatch: 1, nextSyncedBatch: 0, runs: [] }, 0), 0);
});
