/**
 * Peers that say anything at any time: no invariant breaks, no bound is passed, and honest sessions get on.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/properties.ts";
import type { Order } from "../../../src/log/topic_options.ts";
import type { OpenRequest, SequencedBatch } from "../../../src/log/order/sequencer.ts";
import { batchOf, range, requestOf, Scene } from "./sequencer_scene.ts";

const HONEST = 99n;

type Move =
  | {
    readonly do: "open";
    readonly who: number;
    readonly epochUp: number;
    readonly windowBatches: number;
    readonly windowBytes: number;
    readonly acknowledged: number;
  }
  | {
    readonly do: "batch";
    readonly who: number;
    readonly epochUp: number;
    readonly ahead: number;
    readonly bytes: number;
  }
  | { readonly do: "yield"; readonly who: number; readonly limit: number }
  | { readonly do: "close" | "disconnect" | "cancel"; readonly who: number }
  | { readonly do: "arrive" | "abandon"; readonly which: number }
  | { readonly do: "round" | "commit" | "flush" | "honest" }
  | { readonly do: "pass"; readonly ms: number };

const who = fc.nat({ max: 5 });
const epochUp = fc.constantFrom(0, 0, 0, 0, 0, -1, 1);
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("open" as const),
      who,
      epochUp: fc.constantFrom(0, 0, 0, -1, 1, -99, -99),
      windowBatches: fc.constantFrom(0, 1, 2, 5, 100, 2 ** 32),
      windowBytes: fc.constantFrom(0, 1, 150, 3_000, 2 ** 40),
      acknowledged: fc.constantFrom(0, 0, 0, 7, 2 ** 53),
    }),
  },
  {
    weight: 16,
    arbitrary: fc.record({
      do: fc.constant("batch" as const),
      who,
      epochUp,
      ahead: fc.constantFrom(0, 0, 1, 1, 2, 3, 4, 5, 6, -1, -3, 2 ** 40, Number.MAX_SAFE_INTEGER),
      bytes: fc.constantFrom(0, 10, 99, 100, 100, 100, 101),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("yield" as const),
      who,
      limit: fc.constantFrom(0, 1, 2, 3, 5, 9, 2 ** 53),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("close" as const, "disconnect" as const, "disconnect" as const, "cancel" as const),
      who,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("arrive" as const, "arrive" as const, "abandon" as const),
      which: fc.nat({ max: 9 }),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constantFrom("round" as const, "commit" as const, "flush" as const, "honest" as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(0, 100, 600, 1_000) }),
  },
);

class Hostiles {
  readonly scene: Scene;
  readonly flying: SequencedBatch[] = [];
  honest = 0;
  #offset = 0;

  constructor(order: Order) {
    this.scene = new Scene({
      order,
      sessionsMax: 4,
      sessionIdleMs: 900,
      grantBatchesMax: 12,
      holdBatchesMax: 12,
      grantBytesMax: 400,
      holdBytesMax: 400,
      batchBytesMax: 100,
      runsKept: 2,
    });
    // It has a batch, whatever the others want.
    assertEquals(this.scene.open(HONEST, { windowBatches: 1, windowBytes: 100 }).kind, "newEpoch");
  }

  run(move: Move): void {
    const { scene } = this;
    const { sequencer } = scene;
    const mine = "who" in move ? this.#of(move.who) : undefined;
    switch (move.do) {
      case "open": {
        const { epoch, request } = mine!;
        const wanted = move.epochUp === -99 ? 0 : Math.max(0, epoch + move.epochUp);
        const { windowBatches, windowBytes, acknowledged } = move;
        scene.open(request.session, { ...request, epoch: wanted, windowBatches, windowBytes, acknowledged });
        return;
      }
      case "batch": {
        const { id, epoch, assigned } = mine!;
        const batch = Math.max(0, Math.min(assigned + move.ahead, Number.MAX_SAFE_INTEGER));
        const at = Math.max(0, epoch + move.epochUp);
        if (sequencer.admit(id, at, batch, move.bytes) !== "take") return;
        this.flying.push(batchOf(id, at, batch, { bytes: move.bytes, offset: this.#offset++ }));
        return;
      }
      case "yield":
        return sequencer.yielded(mine!.id, mine!.epoch, move.limit);
      case "close":
        return sequencer.close(mine!.id, mine!.epoch, scene.nowMs);
      case "disconnect":
        return sequencer.disconnected(mine!.id, mine!.epoch, scene.nowMs);
      case "cancel":
        return sequencer.cancelOpen(mine!.request);
      case "arrive":
      case "abandon": {
        const [one] = this.flying.splice(move.which % Math.max(1, this.flying.length), 1);
        if (one === undefined) return;
        if (move.do === "arrive") scene.ring.push(one);
        else sequencer.abandon(one.session, one.epoch, one.batch);
        return;
      }
      case "honest":
        return this.publish();
      case "round":
        scene.round();
        return;
      case "commit":
        return scene.commit(1);
      case "flush":
        scene.grants();
        return;
      case "pass":
        scene.round();
        scene.expire(scene.nowMs + move.ms);
    }
  }

  /** The honest one sends what it may, and it is ordered at once. */
  publish(): void {
    const { scene } = this;
    const { limit, nextBatch } = scene.sequencer.view(HONEST)!;
    assert(limit > nextBatch, "it always has one batch");
    if (this.honest >= limit) return;
    scene.ring.push(batchOf(HONEST, 1, this.honest, { bytes: 100, offset: this.#offset++ }));
    assertEquals(scene.sequencer.admit(HONEST, 1, this.honest, 100), "take");
    scene.round();
    assertEquals(scene.log.at(-1)!.session, HONEST, "nothing holds it up");
    this.honest++;
  }

  check(): void {
    const { counters } = this.scene.sequencer;
    assert(counters.sessions <= 4 && counters.heldNow <= 12 && counters.heldNowBytes <= 400);
    assert(counters.grantedBatches <= 12 && counters.grantedBytes <= 400);
    assertEquals(counters.accepted, counters.assigned + counters.heldNow + counters.discarded);
  }

  /** Everybody goes: in the end nothing is left of anybody. */
  leave(): void {
    const { scene } = this;
    const { sequencer } = scene;
    for (const { session, epoch, publisher } of sequencer.exportSessions(0)) {
      sequencer.cancelOpen(requestOf(publisher === "" ? session : 0n, { publisher }));
      sequencer.disconnected(session, epoch, scene.nowMs);
    }
    for (const who of range(0, 6)) sequencer.cancelOpen(this.#of(who).request);
    for (let leases = 0; leases < 4; leases++) {
      scene.expire(scene.nowMs + 1_000);
      scene.commit();
    }
    const { sessions, attached, waiting, heldNow, grantedBatches, grantedBytes } = sequencer.counters;
    assertEquals([sessions, attached, waiting, heldNow, grantedBatches, grantedBytes], [0, 0, 0, 0, 0, 0]);
  }

  #of(who: number): {
    readonly id: bigint;
    readonly epoch: number;
    readonly assigned: number;
    readonly request: OpenRequest;
  } {
    const { sequencer } = this.scene;
    const publisher = who < 4 ? "" : `named ${who}`;
    const known = sequencer.exportSessions(0).find((one) => {
      return who < 4 ? one.session === BigInt(who + 1) : one.publisher === publisher;
    });
    const id = known?.session ?? BigInt(who + 1);
    const request = requestOf(who < 4 ? id : 0n, { publisher });
    return { id, epoch: known?.epoch ?? 1, assigned: known?.nextBatch ?? 0, request };
  }
}

test("whatever peers say in whatever order: no invariant breaks, bounds hold, and an honest session gets on", () => {
  const orders = fc.constantFrom<Order>(0, 2, 4, 5);
  fc.assert(
    fc.property(orders, fc.array(move, { maxLength: 200, size: "max" }), (order, moves) => {
      const hostiles = new Hostiles(order);
      const { scene } = hostiles;
      for (const move of moves) {
        hostiles.run(move);
        hostiles.check();
      }
      for (const batch of hostiles.flying) scene.sequencer.abandon(batch.session, batch.epoch, batch.batch);
      scene.settle();
      hostiles.publish();
      scene.settle();
      assertEquals(scene.sequencer.view(HONEST)!.nextBatch, hostiles.honest);
      assertEquals(
        scene.log.filter(({ session }) => session === HONEST).map(({ batch }) => batch),
        range(0, hostiles.honest),
      );
      // A restart knows what was durable, and nobody else.
      scene.noteEnded();
      const names = (one: Scene): string[] =>
        one.sequencer.exportSessions(0).map(({ session, epoch, nextBatch }) =>
          `${session}:${epoch}:${nextBatch}`
        );
      assertEquals(names(scene.restart(scene.entries.length)).sort(), names(scene).sort());
      hostiles.leave();
    }),
    { numRuns: 250 },
  );
});
