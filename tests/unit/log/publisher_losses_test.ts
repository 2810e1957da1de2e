import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { Ack, Order } from "../../../src/log/topic_options.ts";
import fc from "../../support/properties.ts";
import { Scene } from "./publisher_scene.ts";

// Where records are refused for good, or a crash takes what was not synced: everything else is in the log once, in
// order, and whoever waited is told the truth.

const STEPS = [
  ...[
    "publish",
    "publish",
    "publish",
    "refused",
    "large",
    "toBroker",
    "toBroker",
    "toBroker",
    "toClient",
    "toClient",
  ],
  ...["due", "due", "wait", "cut", "link", "link", "ack", "ack", "sync", "lower", "block", "full", "room"],
] as const;
type Step = typeof STEPS[number] | "fence" | "crash";

class Run {
  readonly scene: Scene;
  readonly submitted: string[] = [];
  /** Records of the model's log that survive a crash. */
  #synced = 0;
  /** Records that a crash took, although they had been told a position. */
  lost = 0;

  constructor(order: Order, ack: Ack, topicAck: Ack) {
    this.scene = new Scene({ order, ack, topicAck, windowBatches: 12 });
    this.scene.broker.refuses = (value) => value.startsWith("refuse") ? "ERR_LOG_BATCH_TOO_LARGE" : undefined;
    this.scene.link();
  }

  do(step: Step): void {
    const { scene } = this;
    const session = scene.broker.sessions.get(scene.session.session);
    switch (step) {
      case "publish":
        return this.publish(`value ${this.submitted.length}`);
      case "refused":
        return this.publish(`refuse ${this.submitted.length}`);
      case "large":
        return this.publish(`value ${this.submitted.length}`.padEnd(90, "x"));
      case "toBroker":
        return void scene.toBroker();
      case "toClient":
        return void scene.toClient();
      case "due":
        return scene.session.due(scene.nowMs);
      case "wait":
        return scene.wait(150);
      case "cut":
        return scene.cut();
      case "link":
        return scene.linked ? undefined : scene.link();
      case "ack":
        return scene.broker.ackAll();
      case "sync":
        this.#synced = scene.broker.log.length;
        return scene.broker.sync();
      case "lower":
        return session && scene.broker.lower(session);
      case "block":
        scene.blocked = !scene.blocked;
        return scene.session.pump(scene.nowMs);
      case "full":
      case "room":
        return this.fill(step === "full");
      case "fence":
        // Below order 4 nothing waits behind a gap, so nothing is ever fenced for one.
        return session && scene.broker.order >= 4 ? scene.broker.fence(session) : undefined;
      case "crash":
        return this.crash();
    }
  }

  publish(value: string): void {
    if (this.scene.publish(value)) this.submitted.push(value);
  }

  fill(full: boolean): void {
    const { broker, session: { session, epoch }, linked } = this.scene;
    if (broker.full === full) return;
    broker.full = full;
    const state = full ? "full" as const : "resumed" as const;
    if (linked) broker.out.push({ type: "storeState", session, epoch, state, message: state });
  }

  crash(): void {
    const { scene } = this;
    scene.cut();
    for (const { value } of scene.broker.log.slice(this.#synced)) {
      const outcome = scene.outcomes.get(value);
      if (outcome !== undefined && "position" in outcome) this.lost++;
    }
    scene.broker.crash(this.#synced);
  }

  end(): void {
    this.fill(false);
    // Behind a refused batch only a batch of the next epoch can tell that what stood before it is synced.
    this.scene.flow(50);
    for (let round = 0; !this.scene.publish("last"); round++) {
      assert(round < 20, `there is never room again: ${this.scene.session.state}`);
      this.scene.flow(20);
    }
    this.submitted.push("last");
    this.scene.settle();
  }
}

function check(order: Order, ack: Ack, topicAck: Ack, also: "fence" | "crash"): void {
  const steps = fc.array(fc.constantFrom<Step>(...STEPS, also), { maxLength: 150, size: "max" });
  fc.assert(
    fc.property(steps, (all) => {
      const run = new Run(order, ack, topicAck);
      const { scene, submitted } = run;
      for (const step of all) run.do(step);
      run.end();
      assertEquals(scene.outcomes.size, submitted.length, "each is told");
      for (const [value, outcome] of scene.outcomes) {
        if ("error" in outcome) {
          assertEquals(outcome.error.code, "ERR_LOG_BATCH_TOO_LARGE");
          continue;
        }
        assert(!value.startsWith("refuse"), `${value} was refused, and told a position`);
        if (outcome.position === undefined || run.lost > 0) continue;
        assertEquals(scene.broker.log[Number(outcome.position)]?.value, value);
      }
      // A refused record takes the others of its batch with it.
      const wanted = submitted.filter((value) => "position" in scene.outcomes.get(value)!);
      const there = scene.broker.log.map(({ value }) => value);
      assertEquals(new Set(there).size, there.length, "none is doubled");
      if (run.lost === 0) {
        assertEquals(order >= 4 ? there : there.sort(), order >= 4 ? wanted : wanted.sort());
      } else assertEquals(there, wanted.filter((value) => there.includes(value)));
      assertEquals(wanted.length - there.length, run.lost);
      if (ack === 2) assertEquals(run.lost, 0, "what was synced is there");
      const told = scene.events.flatMap((event) => event.type === "acknowledgedLost" ? [event.batches] : []);
      assertEquals(told.length > 0, run.lost > 0, "lost records are told of, and no others");
      const { acknowledged, refused } = scene.session.progress;
      assertEquals([acknowledged, refused], [wanted.length, submitted.length - wanted.length]);
    }),
    { numRuns: 300 },
  );
}

test("refused batches and fences, order 5: the others once, in order", () => check(5, 1, 1, "fence"));
test("refused batches and fences at ack 2 on a topic of ack 1", () => check(5, 2, 1, "fence"));
test("refused batches and fences at ack 2 on a topic of ack 2", () => check(5, 2, 2, "fence"));
test("refused batches, order 2: the others once", () => check(2, 1, 1, "fence"));
test("refused batches, order 0 at ack 2: the others once", () => check(0, 2, 1, "fence"));
test("a crash that takes what was not synced, at ack 1: publishers are told how much", () =>
  check(5, 1, 1, "crash"));
test("a crash at ack 2: nothing that was acknowledged is gone", () => check(5, 2, 1, "crash"));

test("what stands before a refused batch goes out again over a new link, and what stands behind it does not", () => {
  const scene = new Run(5, 1, 1).scene;
  while (scene.toBroker() || scene.toClient());
  for (const value of ["a", "refuse b", "c"]) {
    assert(scene.publish(value));
    scene.session.due(scene.nowMs);
  }
  assertEquals(scene.sent, ["batch 1/0", "batch 1/1", "batch 1/2"]);
  scene.wire.shift();
  while (scene.toBroker());
  while (scene.toClient());
  assertEquals(scene.session.state, "draining");
  scene.cut();
  scene.link();
  scene.toBroker();
  scene.toClient();
  assertEquals([scene.session.state, scene.sent], ["draining", ["batch 1/0"]]);
  scene.settle();
  scene.expectLog(["a", "c"]);
});
