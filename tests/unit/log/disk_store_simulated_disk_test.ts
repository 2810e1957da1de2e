import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Disk, DiskFailure, DiskFile } from "../../../src/log/store/store.ts";
import { EventLoop } from "../../support/event_loop.ts";
import { SimulatedDisk } from "../../support/log_disk.ts";
import { DiskRuleBroken } from "../../support/log_disk_folder.ts";
import { Random } from "../../support/random.ts";

// The simulated disk must be able to do everything that a real one may, and nothing that it may not.

class Bench {
  readonly loop: EventLoop;
  readonly disk: SimulatedDisk;
  folder: Disk;

  constructor(seed: number = 1) {
    const random = new Random(seed);
    this.loop = new EventLoop(random.fork("loop"), {
      startMs: 0,
      turnEventsMax: 1,
      shuffleTies: true,
      timerLateMsMax: 0,
      timerEarlyMsMax: 0,
    });
    const schedule = (delayMs: number, run: () => void): unknown => this.loop.io(delayMs, "disk", run);
    this.disk = new SimulatedDisk({ random: random.fork("disk"), schedule, sectorBytes: 4 });
    this.folder = this.disk.folder("t");
  }

  /** Waits for the answer of a call. */
  do<Answer>(call: (done: (answer: Answer) => void) => void): Answer {
    let answer: { readonly value: Answer } | undefined;
    call((value) => answer = { value });
    while (answer === undefined) assert(this.loop.step(), "no answer");
    return answer.value;
  }

  settle(): void {
    while (this.loop.step());
  }

  open(name: string = "a"): DiskFile {
    const file = this.do<DiskFile | DiskFailure>((done) => this.folder.open(name, true, done));
    assert(!("kind" in file));
    return file;
  }

  write(file: DiskFile, at: number, bytes: Uint8Array): DiskFailure | undefined {
    return this.do<DiskFailure | undefined>((done) => file.write(at, [bytes], done));
  }

  sync(what: { sync(done: (failure?: DiskFailure) => void): void }): DiskFailure | undefined {
    return this.do<DiskFailure | undefined>((done) => what.sync(done));
  }

  /** What is in the file after a power loss. */
  lose(name: string = "a"): Uint8Array | undefined {
    this.disk.powerLoss();
    this.folder = this.disk.folder("t");
    return this.disk.content("t", name);
  }
}

const filled = (count: number, value: number): Uint8Array => new Uint8Array(count).fill(value);

/** What comes out of many seeds. */
function outcomes(run: (bench: Bench) => string): Set<string> {
  return new Set(Array.from({ length: 200 }, (_, seed) => run(new Bench(seed))));
}

test("what was synced, with its name, is there after any power loss", () => {
  for (let seed = 0; seed < 100; seed++) {
    const bench = new Bench(seed);
    const file = bench.open();
    bench.write(file, 0, filled(10, 1));
    bench.sync(file);
    bench.sync(bench.folder);
    bench.write(file, 10, filled(10, 2));
    const left = bench.lose()!;
    assertEquals(left.subarray(0, 10), filled(10, 1));
    assert(left.length <= 20);
  }
});

test("of what was not synced all, nothing and any sectors may be there, and the length may say otherwise", () => {
  const found = outcomes((bench) => {
    const file = bench.open();
    bench.sync(file);
    bench.sync(bench.folder);
    bench.write(file, 0, filled(8, 1));
    const left = bench.lose()!;
    const sector = (at: number): string => {
      const part = left.subarray(at, at + 4);
      if (part.length === 4 && part.every((byte) => byte === 1)) return "new";
      return part.length === 0 ? "-" : part.every((byte) => byte === 0) ? "zeros" : "junk";
    };
    return `${sector(0)} ${sector(4)}`;
  });
  for (const expected of ["new new", "- -", "new -", "zeros new", "zeros zeros", "new zeros"]) {
    assert(found.has(expected), `${expected} never happened`);
  }
  assert([...found].some((one) => one.includes("junk")), "nothing old was ever seen");
});

test("a name that was not synced may be lost, and one that was removed may be back", () => {
  const found = outcomes((bench) => {
    bench.sync(bench.open("kept"));
    bench.sync(bench.folder);
    bench.open("fresh");
    bench.do<DiskFailure | undefined>((done) => bench.folder.remove("kept", done));
    bench.lose();
    return bench.disk.names("t").join(" ");
  });
  assertEquals([...found].sort(), ["", "fresh", "fresh kept", "kept"]);
});

test("a sync covers what was complete when it began, and no more", () => {
  const found = outcomes((bench) => {
    const file = bench.open();
    bench.sync(bench.folder);
    bench.write(file, 0, filled(4, 1));
    let left = 2;
    file.sync(() => left--);
    file.write(4, [filled(4, 2)], () => left--);
    while (left > 0) bench.loop.step();
    return String(bench.lose()!.slice(3, 5));
  });
  assert(found.has("1,2") && found.has("1"), [...found].join(" "));
  assert([...found].every((one) => one.startsWith("1")), "the first write was covered");
});

test("after a sync that failed no later one helps, until the bytes are written again", () => {
  const lost = (rewrite: boolean): Set<string> =>
    outcomes((bench) => {
      const file = bench.open();
      bench.sync(bench.folder);
      bench.write(file, 0, filled(4, 1));
      bench.disk.failNext("sync");
      assertEquals(bench.sync(file)?.kind, "failed");
      if (rewrite) bench.write(file, 0, filled(4, 1));
      assertEquals(bench.sync(file), undefined);
      return String(bench.lose()!);
    });
  assert(lost(false).has(""), "it was always there");
  assert(lost(false).has("1,1,1,1"), "it was never there");
  assertEquals([...lost(true)], ["1,1,1,1"]);
});

test("what was lost does not come back over what was written later", () => {
  const found = outcomes((bench) => {
    const file = bench.open();
    bench.sync(bench.folder);
    bench.write(file, 0, filled(8, 1));
    bench.disk.failNext("sync");
    bench.sync(file);
    bench.write(file, 2, filled(3, 2));
    bench.sync(file);
    return String(bench.lose()!.slice(2, 5));
  });
  assertEquals([...found], ["2,2,2"]);
});

test("a kill keeps what is complete, and may cut what is in flight anywhere; nothing is answered any more", () => {
  const found = outcomes((bench) => {
    const file = bench.open();
    bench.write(file, 0, filled(4, 1));
    file.write(4, [filled(4, 2)], () => assert(false, "a dead process was answered"));
    bench.folder.open("b", true, () => assert(false, "a dead process was answered"));
    bench.disk.kill();
    bench.settle();
    const left = bench.disk.content("t", "a")!;
    assertEquals(left.slice(0, 4), filled(4, 1));
    return `${left.length} ${bench.disk.names("t").length}`;
  });
  assertEquals(new Set([...found].map((one) => one[0])), new Set(["4", "5", "6", "7", "8"]));
  assertEquals(new Set([...found].map((one) => one[2])), new Set(["1", "2"]));
});

test("a dead process does nothing any more", () => {
  const bench = new Bench();
  const file = bench.open();
  const dead = bench.folder;
  bench.disk.kill();
  file.write(0, [filled(4, 1)], () => assert(false));
  dead.remove("a", () => assert(false));
  bench.settle();
  assertEquals([bench.disk.names("t"), bench.disk.content("t", "a")?.length, bench.disk.openFiles], [
    ["a"],
    0,
    0,
  ]);
});

test("a full disk takes a part of a write, and no further file", () => {
  const found = outcomes((bench) => {
    const file = bench.open();
    bench.disk.spaceBytes = 5;
    assertEquals(bench.write(file, 0, filled(3, 1)), undefined);
    assertEquals(bench.write(file, 3, filled(9, 2))?.kind, "full");
    assert(bench.disk.usedBytes <= 5);
    // What stands there is overwritten without any space.
    assertEquals(bench.write(file, 0, filled(3, 3)), undefined);
    bench.disk.spaceBytes = bench.disk.usedBytes;
    const other = bench.do<object>((done) => bench.folder.open("b", true, done));
    assertEquals("kind" in other && other.kind, "full");
    return String(bench.disk.usedBytes);
  });
  assertEquals([...found].sort(), ["3", "4", "5"]);
});

test("the rules of the port: lent memory, one write at a time, no use of a closed file", () => {
  const changed = new Bench();
  const memory = filled(4, 1);
  changed.open().write(0, [memory], () => {});
  memory[2] = 9;
  assertThrows(() => changed.settle(), DiskRuleBroken, "changed before the write had ended");

  const bench = new Bench();
  const file = bench.open();
  file.write(0, [filled(1, 1)], () => {});
  assertThrows(() => file.write(1, [filled(1, 1)], () => {}), DiskRuleBroken, "two writes in flight");
  assertThrows(() => file.close(() => {}), DiskRuleBroken, "while something was in flight");
  bench.settle();
  file.close(() => {});
  assertThrows(() => file.sync(() => {}), DiskRuleBroken, "after it was closed");
});

test("damage is there at once, and survives", () => {
  const bench = new Bench();
  bench.disk.put("t", "a", filled(4, 1));
  bench.disk.flipBit("t", "a", 2, 7);
  assertEquals(bench.lose(), Uint8Array.from([1, 1, 129, 1]));
  assertThrows(() => bench.disk.flipBit("t", "a", 4), RangeError);
});

test("the same seed does the same", () => {
  const run = (): string => {
    const bench = new Bench(77);
    const file = bench.open();
    for (let at = 0; at < 20; at += 4) bench.write(file, at, filled(4, at));
    bench.sync(bench.folder);
    return String(bench.lose());
  };
  assertEquals(run(), run());
});
