// runtimes: node
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { TopicInput } from "../../../src/log/configuration/topic.ts";
import type { Ack } from "../../../src/log/topic_options.ts";
import type { Peer } from "./broker_peer.ts";
import { judge, ModelPublisher, readAll } from "./broker_crash_model.ts";
import { BrokerScene } from "./broker_scene.ts";

const SEEDS = 3;

interface Run {
  readonly seed: number;
  /** The topic's. */
  readonly ack: Ack;
  /** How the broker ends. */
  readonly ends: readonly ("kill" | "powerLoss" | "close")[];
  /** Default: one that syncs. */
  readonly store?: "process";
  readonly topic?: TopicInput;
  readonly writeBytesMax?: number | undefined;
  /** Operations of the disk that fail now and then. */
  readonly failures?: readonly string[];
}

/** Publishers under way while the broker dies again and again. Answers the scene, with everything acknowledged. */
function run({ seed, ack, ends, store, topic, writeBytesMax, failures = [] }: Run): void {
  const scene = new BrokerScene({
    seed,
    store: store ?? "machine",
    topic: { ack, syncIntervalMs: 20, ...topic },
    writeBytesMax,
  });
  const { random } = scene;
  const valueBytes = random.pick([20, 300]);
  // One of them always waits for the sync.
  const publishers = ["a", "b", "c"].map((name) => {
    return new ModelPublisher(scene, name, name === "b" && store === undefined ? 2 : ack, valueBytes);
  });
  const trimmed = (topic?.retention?.bytesMax ?? 0) > 0;
  let failing: string | undefined;
  scene.disk.fail = ({ kind }) =>
    kind === failing ? { kind: "failed", message: `no ${kind} now` } : undefined;
  for (let life = 0; life < 5; life++) {
    const readers: Peer[] = [];
    for (let round = random.integer(5, 150); round > 0; round--) {
      random.pick(publishers).act();
      if (readers.at(-1)?.open !== true) readers.push(scene.peer().subscribe({ creditBytes: 1e9 }));
      if (random.chance(0.6)) scene.steps(random.integer(1, 6));
      failing = failures.length > 0 && random.chance(0.05) ? random.pick(failures) : undefined;
    }
    failing = undefined;
    const end = random.pick(ends);
    if (end === "close") {
      scene.close();
      scene.restart();
    } else if (end === "kill") scene.kill();
    else scene.powerLoss();
    for (const publisher of publishers) publisher.lost(end === "powerLoss");
    if (trimmed) continue;
    const seen = readAll(scene);
    judge(seen, publishers);
    // At ack 2 readers never see what the machine's death takes away, and at ack 1 not what the process's does.
    if (ack === 1 && end === "powerLoss") continue;
    for (const reader of readers) {
      assertEquals(reader.seen, seen.slice(0, reader.seen.length), "seen and gone");
    }
  }
  const wanted = publishers.map(({ submitted }) => Math.max(20, submitted));
  const behind = (): number => publishers.findIndex((one, at) => one.acknowledged < wanted[at]!);
  for (let tries = 0, at = behind(); at >= 0; tries++, at = behind()) {
    assert(tries < 5_000, "it goes on without help");
    publishers[at]!.act(wanted[at]);
    scene.steps(3);
    // A store that failed is opened again after a while.
    if (tries % 50 === 49) scene.run(1_100);
  }
  for (const { peer } of publishers) peer?.vanish();
  const { earliest } = scene.topic();
  judge(readAll(scene, BigInt(earliest)), publishers);
  scene.settle();
  scene.assertNothingHeld();
  scene.close();
  assertEquals(scene.disk.openFiles, 0);
}

for (const ack of [1, 2] as const) {
  test(`what was acknowledged at ack ${ack} survives every death of the process, in order and once`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) run({ seed, ack, ends: ["kill", "close"] });
  });

  test(`scenario 54: a crash of the machine between write and sync: what was told at ack ${ack} holds`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) run({ seed, ack, ends: ["powerLoss", "kill", "close"] });
  });

  test(`with writes that fail now and then: ack ${ack}`, () => {
    const ends = ["powerLoss", "kill", "close"] as const;
    for (let seed = 1; seed <= SEEDS; seed++) run({ seed, ack, ends, failures: ["write"] });
  });

  test(`with syncs that fail now and then: ack ${ack}`, () => {
    // Who comes after a process that knew of a failed sync, and is gone, cannot know: so only the machine dies.
    const ends = ["powerLoss"] as const;
    for (let seed = 1; seed <= SEEDS; seed++) run({ seed, ack, ends, failures: ["sync", "syncFolder"] });
  });

  test(`with segments that retention removes meanwhile, and writes of a few bytes: ack ${ack}`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const retention = { bytesMax: 9_000, ageMsMax: 0, keepFor: [] };
      run({
        seed,
        ack,
        ends: ["powerLoss", "kill"],
        topic: { retention },
        writeBytesMax: seed % 2 === 0 ? 200 : undefined,
      });
    }
  });
}

test("a store that never syncs keeps what was acknowledged over every death of the process", () => {
  for (let seed = 1; seed <= 2; seed++) {
    run({
      seed,
      ack: 1,
      ends: ["kill", "close"],
      store: "process",
      failures: seed % 2 === 0 ? ["write"] : [],
    });
  }
});
