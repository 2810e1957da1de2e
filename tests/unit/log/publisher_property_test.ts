// runtimes: node
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc, { type Arbitrary } from "../../support/properties.ts";
import type { Ack, Order } from "../../../src/log/topic_options.ts";
import { Scene } from "./publisher_scene.ts";

// Whatever happens to link and broker, what is committed is what was submitted: once, in order, at the promised places.

type Step =
  | { readonly kind: "publish"; readonly count: number; readonly bytes: number }
  | { readonly kind: "toBroker" | "toClient"; readonly count: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "due" | "cut" | "link" | "ack" | "fence" | "lower" | "again" | "block" | "sync" }
  | { readonly kind: "full" | "damage"; readonly on: boolean };

const step: Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("publish" as const),
      count: fc.integer({ min: 1, max: 9 }),
      bytes: fc.constantFrom(1, 10, 30, 80),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("toBroker" as const), count: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("toClient" as const), count: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(1, 50, 150, 400) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        ...[
          "due",
          "due",
          "cut",
          "link",
          "link",
          "ack",
          "ack",
          "fence",
          "lower",
          "again",
          "block",
          "sync",
        ] as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom("full" as const, "damage" as const), on: fc.boolean() }),
  },
);

class Run {
  readonly scene: Scene;
  readonly submitted: string[] = [];
  damage = false;

  constructor(order: Order, ack: Ack, topicAck: Ack) {
    this.scene = new Scene({ order, ack, topicAck, windowBatches: 12 });
  }

  do(step: Step): void {
    const { scene } = this;
    const session = scene.broker.sessions.get(scene.session.session);
    switch (step.kind) {
      case "publish":
        for (let i = 0; i < step.count; i++) {
          const value = `${this.submitted.length}`.padEnd(step.bytes, "x");
          if (scene.publish(value)) this.submitted.push(value);
        }
        return;
      case "toBroker":
        for (let i = 0; i < step.count; i++) this.toBroker();
        return;
      case "toClient":
        for (let i = 0; i < step.count; i++) scene.toClient();
        return;
      case "wait":
        return scene.wait(step.ms);
      case "due":
        return scene.session.due(scene.nowMs);
      case "cut":
        return scene.cut();
      case "link":
        return scene.linked ? undefined : scene.link();
      case "ack":
        return scene.broker.ackAll();
      case "fence":
        // Below order 4 nothing waits behind a gap, so nothing is ever fenced for one.
        return session && scene.broker.order >= 4 ? scene.broker.fence(session) : undefined;
      case "lower":
        return session && scene.broker.lower(session);
      case "again":
        // A copy of something that is under way: resends and links may do that.
        return this.again();
      case "block":
        scene.blocked = !scene.blocked;
        return scene.session.pump(scene.nowMs);
      case "sync":
        return scene.broker.sync();
      case "full":
        return this.full(step.on);
      case "damage":
        this.damage = step.on;
    }
  }

  toBroker(): void {
    const { wire } = this.scene;
    const first = wire[0];
    if (this.damage && first?.body !== undefined) {
      const body = first.body.slice();
      body[body.length - 1]! ^= 1;
      wire[0] = { message: first.message, body };
      this.damage = false;
    }
    this.scene.toBroker();
  }

  again(): void {
    const { wire } = this.scene;
    const at = wire.map(({ message }) => message.type).lastIndexOf("batch");
    if (at >= 0) wire.splice(at + 1, 0, wire[at]!);
  }

  full(on: boolean): void {
    const { broker, session } = this.scene;
    if (broker.full === on) return;
    broker.full = on;
    const { session: id, epoch } = session;
    const state = on ? "full" as const : "resumed" as const;
    if (this.scene.linked) {
      broker.out.push({ type: "storeState", session: id, epoch, state, message: "full" });
    }
  }

  end(): void {
    this.full(false);
    this.damage = false;
    // After a fence that left nothing to resubmit, only a batch of the next epoch can tell that what stood before it is synced.
    while (!this.scene.publish("last")) this.scene.flow(20);
    this.submitted.push("last");
    this.scene.settle();
  }
}

function check(order: Order, ack: Ack, topicAck: Ack): void {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
      const run = new Run(order, ack, topicAck);
      const { scene, submitted } = run;
      scene.link();
      for (const one of steps) run.do(one);
      run.end();
      if (order >= 4) scene.expectLog(submitted);
      else assertEquals(scene.broker.log.map(({ value }) => value).sort(), [...submitted].sort());
      assertEquals(scene.outcomes.size, submitted.length);
      for (const [value, outcome] of scene.outcomes) {
        assert("position" in outcome, "rejected");
        if (outcome.position === undefined) continue;
        assertEquals(scene.broker.log[Number(outcome.position)]!.value, value);
      }
      const { acknowledged, refused } = scene.session.progress;
      assertEquals([acknowledged, refused], [submitted.length, 0]);
    }),
    { numRuns: 300 },
  );
}

test("order 5: exactly once and in order, over cuts, fences, copies, damage and full stores", () =>
  check(5, 1, 1));
test("order 5 at ack 2 on a topic of ack 1: the same, and nothing resolves before it is synced", () =>
  check(5, 2, 1));
test("order 5 at ack 2 on a topic of ack 2", () => check(5, 2, 2));
test("order 2: exactly once", () => check(2, 1, 1));
test("order 0 at ack 2: exactly once", () => check(0, 2, 1));
