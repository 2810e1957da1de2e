/**
 * A sequencer whose tables are full: of sessions, of grants, of what is held.
 *
 * @module
 */

import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/properties.ts";
import { range, Scene } from "./sequencer_scene.ts";

const IDLE_MS = 3_000;

type Move =
  | { readonly do: "open" | "resume" | "send" | "gap" | "close" | "disconnect"; readonly who: number }
  | { readonly do: "settle" | "restart" }
  | { readonly do: "pass"; readonly ms: number };

const who = fc.integer({ min: 1, max: 7 });
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom<"open" | "resume" | "send" | "gap" | "close" | "disconnect">(
        ...["open", "open", "resume", "send", "send", "gap", "close", "disconnect"] as const,
      ),
      who,
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("settle" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.nat({ max: 450 }) }) },
);

/** What the test knows of a session that was opened. */
interface Known {
  attached: boolean;
  closed: boolean;
  activeMs: number;
  /** Its last entry in the log. What else it does, like coming back, a restart does not know of. */
  entryMs: number;
}

test("a table that is full refuses newcomers, and gives up nobody: with a link, recently used, or over a restart", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(move, { maxLength: 150, size: "max" }), (moves) => {
      let scene = new Scene({
        sessionsMax: 3,
        sessionIdleMs: IDLE_MS,
        grantBatchesMax: 6,
        holdBatchesMax: 6,
      });
      const known = new Map<bigint, Known>();
      for (const one of moves) {
        const { sequencer } = scene;
        const session = "who" in one ? BigInt(one.who) : 0n;
        const view = sequencer.view(session);
        switch (one.do) {
          case "open":
          case "resume": {
            const epoch = one.do === "open" ? 0 : view?.epoch ?? 1;
            const { kind } = scene.open(session, { epoch, windowBatches: 4 });
            seen.add(kind);
            if (kind === "full") assertEquals(sequencer.counters.sessions, 3);
            if (kind === "resume" || kind === "newEpoch") {
              const entryMs = kind === "newEpoch" ? scene.nowMs : known.get(session)!.entryMs;
              known.set(session, { attached: true, closed: false, activeMs: scene.nowMs, entryMs });
            } else if (kind === "wait") sequencer.cancelOpen({ ...EMPTY, session });
            break;
          }
          case "send":
          case "gap": {
            if (view === undefined) break;
            const batch = view.assigned + (one.do === "gap" ? 1 : 0);
            if (scene.send(session, view.epoch, batch) !== "take") break;
            const mine = known.get(session)!;
            mine.activeMs = scene.nowMs;
            if (one.do === "send") mine.entryMs = scene.nowMs;
            break;
          }
          case "close":
          case "disconnect": {
            if (view === undefined) break;
            const mine = known.get(session)!;
            if (one.do === "close") {
              sequencer.close(session, view.epoch, scene.nowMs);
              mine.closed = true;
            } else sequencer.disconnected(session, view.epoch, scene.nowMs);
            if (mine.attached) mine.activeMs = scene.nowMs;
            mine.attached = false;
            break;
          }
          case "settle":
            scene.settle();
            break;
          case "pass":
            // What is in the ring is ordered first, as in a topic.
            scene.round();
            scene.expire(scene.nowMs + one.ms);
            break;
          case "restart":
            scene.settle();
            scene.noteEnded();
            scene = scene.restart(scene.entries.length);
            seen.add("restart");
            for (const mine of known.values()) {
              mine.attached = false;
              mine.activeMs = mine.entryMs;
            }
            break;
        }
        assert(scene.sequencer.counters.sessions <= 3);
        for (const [id, { attached, closed, activeMs }] of known) {
          if (scene.sequencer.view(id) !== undefined) continue;
          assert(closed || (!attached && scene.nowMs - activeMs >= IDLE_MS), `session ${id} was given up`);
          known.delete(id);
          seen.add(closed ? "closed" : "idle");
        }
      }
    }),
    { numRuns: 150 },
  );
  for (const one of ["closed", "full", "idle", "newEpoch", "restart", "resume", "unknown", "wait"]) {
    assert(seen.has(one), `no history has "${one}"`);
  }
});

const EMPTY = { publisher: "", epoch: 0, acknowledged: 0, windowBatches: 4, windowBytes: 1 };

test("every place for grants taken and every place for held batches filled: who is there gets on, who comes waits in line", () => {
  const scene = new Scene({ grantBatchesMax: 8, holdBatchesMax: 8, sessionsMax: 100 });
  const { sequencer } = scene;
  for (const session of range(1, 9).map(BigInt)) {
    assertEquals(scene.open(session, { windowBatches: 1 }).kind, "newEpoch");
  }
  scene.commit();
  assertEquals(sequencer.counters.grantedBatches, 8);
  for (const session of range(9, 12).map(BigInt)) assertEquals(scene.open(session).kind, "wait");
  for (const batch of range(0, 30)) {
    for (const session of range(1, 9).map(BigInt)) assertEquals(scene.send(session, 1, batch), "take");
    assertEquals(scene.settle().length, 8, "a round serves everybody");
    assertEquals(scene.grants(), [], "acks say all");
    assertEquals(scene.expire(scene.nowMs + 100), []);
  }
  assertEquals(sequencer.counters.sessions, 8);
  // One leaves: the first in line gets its place, and only that one.
  sequencer.close(3n, 1, scene.nowMs);
  assert(scene.freed > 0);
  assertEquals([9n, 10n, 11n].map((session) => scene.open(session).kind), ["newEpoch", "wait", "wait"]);
});
