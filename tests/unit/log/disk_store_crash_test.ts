// runtimes: node
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/properties.ts";
import type { DiskStore } from "../../../src/log/store/disk_store.ts";
import { joined, Scene, TOPIC } from "./disk_store_scene.ts";

type Step =
  | { readonly kind: "append"; readonly bytes: number }
  | { readonly kind: "roll" }
  | { readonly kind: "sync" }
  | { readonly kind: "settle" }
  | { readonly kind: "run"; readonly events: number }
  | { readonly kind: "read"; readonly at: number; readonly hold: boolean }
  | { readonly kind: "trim"; readonly at: number }
  | { readonly kind: "full"; readonly more: number }
  | { readonly kind: "room" }
  | { readonly kind: "reopen" }
  | { readonly kind: "kill" }
  | { readonly kind: "powerLoss" }
  | { readonly kind: "failSync" };

const only = <Kind extends string>(kind: Kind) => fc.record({ kind: fc.constant(kind) });
const nat = <Kind extends string, Field extends string>(kind: Kind, field: Field, max: number) =>
  fc.record({ kind: fc.constant(kind), [field]: fc.nat(max) });

function stepsOf(extra: readonly { readonly weight: number; readonly arbitrary: fc.Arbitrary<unknown> }[]) {
  return fc.array(
    fc.oneof(
      { weight: 10, arbitrary: nat("append", "bytes", 40) },
      { weight: 8, arbitrary: nat("run", "events", 12) },
      { weight: 3, arbitrary: only("sync") },
      { weight: 3, arbitrary: only("roll") },
      { weight: 3, arbitrary: nat("trim", "at", 400) },
      { weight: 1, arbitrary: only("settle") },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("read"), at: fc.nat(400), hold: fc.boolean() }) },
      { weight: 1, arbitrary: only("reopen") },
      ...extra,
    ),
    { maxLength: 60 },
  ) as fc.Arbitrary<Step[]>;
}

const SEGMENT_BYTES = 48;

interface Held {
  readonly bytes: Uint8Array;
  readonly expected: Uint8Array;
  release(): void;
}

/** A store on a disk that fails, and beside it what it must hold. */
class Twin {
  readonly scene: Scene;
  store: DiskStore;
  /** Everything that was appended, from offset 0. After a crash: what is left of it. */
  #bytes: Uint8Array = new Uint8Array(0);
  /** Below this nothing is expected any more. */
  #trimmed = 0;
  /** What is known to have been synced, in any life. */
  #synced = 0;
  /** Every byte that was ever appended differs from the one that stood there in a former life. */
  #life = 0;
  #held: Held[] = [];

  constructor(seed: number, memoryBytesMax: number) {
    this.scene = new Scene({ seed, segmentBytes: SEGMENT_BYTES, memoryBytesMax, writeBytesMax: 30 });
    this.store = this.scene.open();
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) {
      this.#step(step);
      this.#check();
    }
    this.#step({ kind: "room" });
    this.#step({ kind: "reopen" });
    this.#step({ kind: "powerLoss" });
    assertEquals(this.#bytes.length, this.#synced, "everything was synced by the last close");
  }

  #step(step: Step): void {
    const { scene, store } = this;
    if (step.kind === "append") this.#append(step.bytes);
    else if (step.kind === "roll") scene.call(() => store.roll());
    else if (step.kind === "sync") scene.call(() => store.sync());
    else if (step.kind === "settle") scene.disk.spaceBytes === Infinity && scene.settle();
    else if (step.kind === "run") scene.steps(step.events);
    else if (step.kind === "read") this.#read(step.at, step.hold);
    else if (step.kind === "trim") this.#trim(step.at);
    else if (step.kind === "full") scene.disk.spaceBytes = scene.disk.usedBytes + step.more;
    else if (step.kind === "room") scene.disk.spaceBytes = Infinity;
    else if (step.kind === "reopen") this.#reopen();
    else if (step.kind === "failSync") this.#failSync();
    else this.#crash(step.kind);
  }

  #append(bytes: number): void {
    const { scene, store } = this;
    const offset = this.#bytes.length;
    if (bytes + store.segments.at(-1)!.bytes > SEGMENT_BYTES) scene.call(() => store.roll());
    const chunk = Uint8Array.from({ length: bytes }, (_, at) => (offset + at) * 5 + this.#life * 101);
    scene.call(() => store.append(offset, [chunk.subarray(0, bytes >> 1), chunk.subarray(bytes >> 1)]));
    this.#bytes = joined([this.#bytes, chunk]);
  }

  #read(at: number, hold: boolean): void {
    const { store } = this;
    const segment = store.segments[at % store.segments.length]!;
    const from = segment.base + at % (segment.bytes + 1);
    const bytes = segment.base + segment.bytes - from;
    const expected = this.#bytes.slice(from, from + bytes);
    store.read(from, bytes, (answer) => {
      assert(!("kind" in answer), "kind" in answer ? answer.message : "");
      assertEquals(answer.bytes, expected);
      if (hold) this.#held.push({ bytes: answer.bytes, expected, release: () => answer.release(true) });
      else answer.release(true);
    });
    if (!hold) this.#held.shift()?.release();
  }

  #trim(at: number): void {
    const before = at % (this.#bytes.length + 1);
    this.store.trim(before);
    this.#trimmed = Math.max(this.#trimmed, before);
  }

  /** The store stops; it is closed and opened again. What was written is read again, and no longer trusted. */
  #failSync(): void {
    const { scene, store } = this;
    if (scene.disk.spaceBytes !== Infinity || store.stopped !== undefined) return;
    scene.disk.failNext("sync");
    this.#append(1);
    scene.call(() => store.sync());
    scene.settle();
    assert(store.stopped !== undefined, "the failed sync was not noticed");
    this.#noteSynced();
    this.#releaseAll();
    assertEquals(scene.close(store)?.kind, "stopped");
    this.store = scene.open();
    this.#recover(0);
  }

  #reopen(): void {
    const { scene, store } = this;
    this.#releaseAll();
    const full = scene.disk.spaceBytes !== Infinity;
    const failure = scene.close(store);
    assert(failure === undefined || full, failure?.message);
    if (failure === undefined) this.#synced = this.#bytes.length;
    this.#noteSynced();
    assertEquals(scene.pool.idleBytes, SEGMENT_BYTES * scene.pool.fresh, "memory was lost");
    this.store = scene.open();
    this.#recover(failure === undefined ? this.#bytes.length : store.written);
  }

  #crash(kind: "kill" | "powerLoss"): void {
    const { scene } = this;
    this.#noteSynced();
    const written = scene.toldWritten;
    this.#held = [];
    scene[kind]();
    scene.disk.spaceBytes = Infinity;
    this.store = scene.open();
    this.#recover(kind === "kill" ? written : 0);
  }

  #noteSynced(): void {
    this.#synced = Math.max(this.#synced, this.scene.toldSynced);
  }

  #releaseAll(): void {
    for (const { release } of this.#held) release();
    this.#held = [];
  }

  /** As the log does: goes as far as there is what was written, without a hole, and cuts off the rest. */
  #recover(written: number): void {
    const { scene, store } = this;
    const least = Math.max(this.#synced, written);
    let end = store.segments[0]!.base;
    assert(end <= Math.max(this.#trimmed, 0), `begins at ${end}, but only ${this.#trimmed} were trimmed`);
    for (const { base, bytes } of store.segments) {
      if (base !== end) break;
      const found = scene.readBytes(store, base, bytes);
      const same = found.findIndex((byte, at) => byte !== this.#bytes[base + at]);
      end = base + (same < 0 ? bytes : same);
      if (same >= 0) break;
    }
    assert(end >= least, `${end} bytes are left, but ${least} were safe`);
    let failure: unknown = "not called";
    store.truncate(end, (answer) => failure = answer);
    scene.until(() => failure !== "not called");
    assertEquals([failure, store.tail, store.written], [undefined, end, end]);
    this.#bytes = this.#bytes.slice(0, end);
    this.#life++;
  }

  #check(): void {
    const { scene, store } = this;
    assertEquals(store.tail, this.#bytes.length);
    assert(store.synced <= store.written && store.written <= store.tail);
    assert(scene.toldWritten <= store.written && scene.toldSynced <= store.synced);
    store.segments.forEach(({ base, bytes }, at) => {
      assertEquals(store.segments[at + 1]?.base ?? store.tail, base + bytes, "no holes");
    });
    const { entries, platter } = scene.disk.state(TOPIC);
    for (const name of [...entries.keys()].sort().slice(0, -1)) {
      assert(platter.has(name), `${name} is not the last file, and a power loss could take it`);
    }
    for (const { bytes, expected } of this.#held) assertEquals(bytes, expected);
  }
}

const seeds = fc.nat(1_000_000);
const memories = fc.constantFrom(0, 48, 96, 1_000);

function check(name: string, runs: number, steps: fc.Arbitrary<Step[]>): void {
  test(name, () => {
    fc.assert(
      fc.property(seeds, memories, steps, (seed, memory, list) => new Twin(seed, memory).run(list)),
      { numRuns: runs },
    );
  });
}

check("any operations, against an array", 150, stepsOf([]));
check(
  "any operations on a disk that is short of space",
  150,
  stepsOf([{ weight: 2, arbitrary: nat("full", "more", 60) }, { weight: 2, arbitrary: only("room") }]),
);
check("a kill loses nothing that written has told", 300, stepsOf([{ weight: 3, arbitrary: only("kill") }]));
check(
  "a power loss loses nothing that synced has told",
  400,
  stepsOf([{ weight: 3, arbitrary: only("powerLoss") }]),
);
check(
  "everything together: full disks, failed syncs, kills and power losses",
  300,
  stepsOf([
    { weight: 1, arbitrary: nat("full", "more", 60) },
    { weight: 1, arbitrary: only("room") },
    { weight: 1, arbitrary: only("failSync") },
    { weight: 1, arbitrary: only("kill") },
    { weight: 1, arbitrary: only("powerLoss") },
  ]),
);
