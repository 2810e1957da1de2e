import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { MisuseError } from "../../../src/errors.ts";
import { FULL } from "../../../src/log/publisher/publisher_types.ts";
import type { BrokerMessage } from "../../../src/log/wire/messages.ts";
import fc from "../../support/properties.ts";
import type { ModelSession } from "./publisher_model.ts";
import { Scene, type SceneOptions } from "./publisher_scene.ts";

/** A scene whose session is open, with nothing under way. */
function open(options: SceneOptions = {}): Scene {
  const scene = new Scene(options);
  scene.broker.window = options.windowBatches ?? 64;
  scene.link();
  scene.toBroker();
  scene.toClient();
  assertEquals(scene.session.state, "open");
  return scene;
}

/** Each value is a batch. */
function publish(scene: Scene, values: readonly string[]): void {
  for (const value of values) {
    assert(scene.publish(value), `no room for ${value}`);
    scene.session.due(scene.nowMs);
  }
}

function values(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `v${from + index}`);
}

function modelOf(scene: Scene): ModelSession {
  const [session] = scene.broker.sessions.values();
  return session!;
}

/** What is under way is lost, although the link lives. */
function lose(scene: Scene): number {
  const { length } = scene.wire;
  scene.wire.length = 0;
  return length;
}

test("scenario 41: a fence credits what was committed once, however the old acknowledgements and the new ones come", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 8 }),
      fc.integer({ min: 0, max: 8 }),
      fc.boolean(),
      fc.boolean(),
      (committed, acked, late, again) => {
        const scene = open({ windowBatches: 64 });
        const all = values(8);
        publish(scene, all);
        for (let number = 0; number < committed; number++) scene.toBroker();
        lose(scene);
        const told = Math.min(acked, committed);
        const model = modelOf(scene);
        const old = (nextBatch: number): BrokerMessage => ({
          type: "ack",
          session: model.id,
          epoch: 1,
          nextBatch,
          nextSyncedBatch: 0,
          limit: 64,
          runs: nextBatch === 0 ? [] : [{ batch: 0, batches: nextBatch, position: 0n }],
        });
        scene.broker.out.length = 0;
        scene.give(old(told));
        assertEquals(scene.session.progress.acknowledged, told);
        if (late) scene.broker.out.push(old(committed));
        scene.broker.fence(model);
        while (scene.toClient());
        assertEquals(scene.session.progress.acknowledged, committed, "the fence tells what is committed");
        // What was said of the old epoch comes after its end.
        for (let copies = again ? 3 : 1; copies > 0; copies--) scene.give(old(committed));
        assertEquals(scene.session.progress.acknowledged, committed);
        scene.settle();
        scene.expectLog(all);
        const { acknowledged, brokers, refused } = scene.session.progress;
        assertEquals([acknowledged, brokers, refused], [8, [{ brokerId: 0, records: 8 }], 0]);
        assertEquals(scene.outcomes.size, 8);
      },
    ),
    { numRuns: 200 },
  );
});

test("scenario 42: what is acknowledged only rises and is never more than what was sent, whatever a broker claims", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10 }),
      fc.array(
        fc.record({
          next: fc.integer({ min: 0, max: 14 }),
          synced: fc.integer({ min: 0, max: 14 }),
          run: fc.option(
            fc.record({ batch: fc.integer({ min: 0, max: 14 }), batches: fc.integer({ min: 1, max: 14 }) }),
          ),
        }),
        { maxLength: 12 },
      ),
      fc.constantFrom(0 as const, 1 as const, 2 as const),
      (sent, claims, ack) => {
        const faults: string[] = [];
        const scene = open({ ack, topicAck: 0, windowBatches: 64 });
        publish(scene, values(sent));
        lose(scene);
        const { session, epoch } = scene.session;
        let before = 0;
        for (const { next, synced, run } of claims) {
          const runs = run === null ? [] : [{ ...run, position: BigInt(run.batch) }];
          const claim = {
            type: "ack",
            session,
            epoch,
            nextBatch: next,
            nextSyncedBatch: synced,
            limit: 64,
            runs,
          };
          try {
            scene.give(claim as BrokerMessage);
          } catch (error) {
            // The link would be closed, and nothing of the claim is believed.
            faults.push((error as Error).message);
          }
          const lies = next > sent || (run !== null && run.batch + run.batches > sent);
          assertEquals(faults.length > 0, lies, faults.join());
          faults.length = 0;
          const { acknowledged, submitted } = scene.session.progress;
          assert(acknowledged >= before && acknowledged <= sent && submitted === sent);
          if (lies) assertEquals(acknowledged, before);
          before = acknowledged;
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("scenario 43: when time runs out only the first batch without an answer is sent again, each time later", () => {
  const scene = open({ resendTimeoutMs: 100, windowBatches: 64 });
  publish(scene, values(50));
  assertEquals(lose(scene), 50);
  const waits: number[] = [];
  for (let round = 0; round < 12; round++) {
    const before = scene.nowMs;
    scene.nowMs = scene.session.nextTimeoutMs - 1;
    scene.session.handleTimeout(scene.nowMs);
    assertEquals(scene.sent, [], "too early");
    scene.wait(1);
    assertEquals(scene.sent, ["batch 1/0"]);
    waits.push(scene.nowMs - before);
    lose(scene);
  }
  assertEquals(waits, [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 60_000, 60_000]);
  assertEquals(scene.session.submitted, 50);
  // Progress: the next one is the first, after a short wait again. That the others were answered late measures nothing.
  scene.give({
    type: "ack",
    session: scene.session.session,
    epoch: 1,
    nextBatch: 3,
    nextSyncedBatch: 0,
    limit: 64,
    runs: [{ batch: 0, batches: 3, position: 0n }],
  });
  const before = scene.nowMs;
  scene.wait(scene.session.nextTimeoutMs - scene.nowMs);
  assertEquals(scene.sent, ["batch 1/3"]);
  assertEquals(scene.nowMs - before, 100);
});

test("a window of few batches is full until one is answered, and says so", () => {
  for (const windowBatches of [1, 2, 3]) {
    for (const linked of [false, true]) {
      const scene = linked ? open({ windowBatches }) : new Scene({ windowBatches });
      const { session } = scene;
      let taken = 0;
      // Two records to a batch of 64 bytes, and not a third.
      while (session.append("x".repeat(20)) !== FULL) session.pump(taken++);
      assertEquals(taken, 2 * windowBatches);
      assertEquals(session.isWritable, false, "who waits for room would ask again at once, and for ever");
      if (!linked) continue;
      session.due(0);
      assertEquals(session.isWritable, false);
      while (scene.toBroker());
      scene.broker.ackAll();
      while (scene.toClient());
      assertEquals(session.isWritable, true);
      assert(session.append("x".repeat(20)) !== FULL);
    }
  }
});

test("whatever append refuses, isWritable tells when it takes it", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 64, max: 200 }),
      fc.array(fc.record({ bytes: fc.integer({ min: 0, max: 90 }), flow: fc.boolean() }), { maxLength: 60 }),
      (windowBatches, windowBytes, records) => {
        const scene = open({ windowBatches, windowBytes });
        for (const { bytes, flow } of records) {
          const value = "x".repeat(bytes);
          if (flow) scene.flow(1);
          if (scene.session.append(value) !== FULL) {
            scene.session.pump(scene.nowMs);
            continue;
          }
          assertEquals(scene.session.isWritable, false, "refused and writable");
          scene.session.due(scene.nowMs);
          for (let round = 0; !scene.session.isWritable; round++) {
            assert(round < 10, "never writable again");
            scene.flow(1);
          }
          assert(scene.session.append(value) !== FULL, "writable and refused");
          scene.session.pump(scene.nowMs);
        }
        scene.settle();
      },
    ),
    { numRuns: 300 },
  );
});

test("a broker that closes opens no sessions: the next one is asked", () => {
  for (const resuming of [false, true]) {
    const scene = resuming ? open() : new Scene();
    if (resuming) {
      publish(scene, ["a"]);
      scene.cut();
    }
    scene.link();
    const request = scene.wire.map(({ message }) => message).find(({ type }) => type === "openSession");
    assert(request?.type === "openSession");
    const error = { code: "ERR_LOG_CLOSED" as const, message: "The broker was closed" };
    scene.give({ type: "refused", request: request.request, session: 0n, epoch: 0, batch: 0, error });
    assertEquals(scene.session.error, undefined);
    scene.cut();
    if (!resuming) publish(scene, ["a"]);
    scene.settle();
    scene.expectLog(["a"]);
  }
});

test("what is no record and no options is misuse, with a full window and an empty one", () => {
  const scene = new Scene({ windowBytes: 64 });
  const { session } = scene;
  for (const value of [undefined, null, 5, {}, []]) {
    assertThrows(() => session.append(value as never), MisuseError, "value is");
  }
  for (const options of [null, 5, "key"]) {
    assertThrows(() => session.append("x", options as never), MisuseError, "options");
  }
  assertEquals([session.submitted, session.append("x")], [0, 3]);
});
