// runtimes: node
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/properties.ts";
import type { OpenDecision, SequencedBatch, Sequencer } from "../../../src/log/order/sequencer.ts";
import type { Order } from "../../../src/log/topic_options.ts";
import { NaiveSequencer } from "./sequencer_model.ts";
import { batchOf, requestOf, Scene } from "./sequencer_scene.ts";

const LEASE_MS = 1_000;
const IDLE_MS = 4_000;
const WINDOW = 8;
/** The time that passes at once: below half a lease, so that nothing is looked at too late. */
const PASS_MS_MAX = 400;

/** Two sessions with ids of their own, two with names. */
const PUBLISHERS = ["", "", "a", "b"] as const;

type Step =
  | { readonly do: "open"; readonly who: number; readonly epochBack: number; readonly acknowledged: number }
  | {
    readonly do: "send";
    readonly who: number;
    readonly ahead: number;
    readonly epochUp: number;
    readonly whole: boolean;
  }
  | { readonly do: "arrive" | "abandon"; readonly who: number; readonly which: number }
  | { readonly do: "round" | "snapshot" }
  | { readonly do: "commit"; readonly entries: number }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "close" | "disconnect"; readonly who: number };

const who = fc.nat({ max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("open" as const),
      who,
      // 0: a new epoch. Otherwise resumes the last one but so many.
      epochBack: fc.constantFrom(0, 0, 1, 1, 1, 1, 1, 2, -1),
      acknowledged: fc.constantFrom(0, 0, 3),
    }),
  },
  {
    weight: 24,
    arbitrary: fc.record({
      do: fc.constant("send" as const),
      who,
      ahead: fc.constantFrom(0, 0, 0, 0, 1, 1, 2, 3, 5, 9, -1, -2),
      epochUp: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, -1, 1),
      whole: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("arrive" as const), who, which: fc.nat({ max: 9 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("abandon" as const), who, which: fc.nat({ max: 9 }) }),
  },
  { weight: 8, arbitrary: fc.constant({ do: "round" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "snapshot" as const }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("commit" as const), entries: fc.nat({ max: 4 }) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.nat({ max: PASS_MS_MAX }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("close" as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("disconnect" as const), who }) },
);

/** Drives both sequencers, and compares everything that they say. */
class Twins {
  readonly scene: Scene;
  readonly naive: NaiveSequencer;
  readonly order: Order;
  /** Told `take`, and neither in the ring nor abandoned. */
  readonly flying: SequencedBatch[] = [];
  snapshot:
    | { readonly sessions: ReturnType<Sequencer["exportSessions"]>; readonly entries: number }
    | undefined;
  /** Everything that either of them says, each line with the session that it is about. */
  readonly said: [who: number, what: string][] = [];
  #sequence = 1n;
  #naiveDiscards = 0;
  #discards = 0;

  constructor(order: Order) {
    this.order = order;
    this.scene = new Scene({ order, leaseMs: LEASE_MS, sessionIdleMs: IDLE_MS });
    this.naive = new NaiveSequencer(order >= 4, LEASE_MS, IDLE_MS, WINDOW);
  }

  run(step: Step): void {
    switch (step.do) {
      case "open":
        return this.#open(step);
      case "send":
        return this.#send(step);
      case "arrive":
      case "abandon":
        return this.#fly(step);
      case "round":
        return this.round();
      case "commit":
        return this.commit(step.entries);
      case "pass":
        return this.pass(step.ms);
      case "snapshot":
        this.round();
        this.snapshot = {
          sessions: this.scene.sequencer.exportSessions(this.scene.nowMs),
          entries: this.scene.entries.length,
        };
        return;
      case "close":
      case "disconnect":
        return this.#leave(step);
    }
  }

  round(): void {
    const { scene, naive } = this;
    for (const batch of scene.ring) naive.accept(batch, scene.nowMs);
    scene.round();
    const before = this.#logged;
    const mine = scene.log.slice(before);
    this.#logged = scene.log.length;
    assertEquals(mine, naive.takeRound());
    for (const { session, epoch, batch } of mine) this.#say(session, `assigned ${epoch}:${batch}`);
    this.#check();
  }

  commit(entries: number): void {
    const { scene, naive } = this;
    const from = scene.durable;
    // Fences answer with what they gave up in the midst of others.
    for (const entry of scene.entries.slice(from, from + entries)) {
      scene.commit(1);
      if (entry.type === "order") { for (const batch of entry.batches) naive.committed(batch); }
      else if (entry.type === "fence") {
        const { session, epoch } = entry.decision;
        naive.discarded.push(...naive.fenced(session, epoch));
        this.#say(session, `fenced ${epoch}`);
      }
      this.#check();
    }
  }

  pass(ms: number): void {
    const { scene, naive } = this;
    // What is in the ring comes before what runs out, as in a topic.
    this.round();
    const nowMs = scene.nowMs + ms;
    const decisions = scene.expire(nowMs);
    const sorted = [...decisions].sort((a, b) => Number(a.session - b.session));
    assertEquals(sorted, naive.expire(nowMs).sort((a, b) => Number(a.session - b.session)));
    for (const { session, epoch, nextBatch } of sorted) this.#say(session, `fence ${epoch} at ${nextBatch}`);
    this.#check();
  }

  #logged = 0;

  #open({ who, epochBack, acknowledged }: Step & { do: "open" }): void {
    const { scene, naive } = this;
    const publisher = PUBLISHERS[who]!;
    const known = naive.find(BigInt(who + 1), publisher);
    const epoch = epochBack === 0 ? 0 : Math.max(1, (known?.epoch ?? 0) + 1 - epochBack);
    const session = publisher === "" ? BigInt(who + 1) : 0n;
    this.round();
    const more = { publisher, epoch, acknowledged, windowBatches: WINDOW };
    const decision = scene.open(session, more);
    const newId = decision.kind === "newEpoch" ? decision.session : 0n;
    const expected = naive.open(requestOf(session, more), newId, scene.nowMs);
    // A new epoch is opened at once: what the one before held is given up.
    assertEquals(decision as OpenDecision, expected);
    if (newId !== 0n) this.#whos.set(newId, who);
    this.said.push([who, JSON.stringify(decision, plain)]);
    this.#check();
  }

  readonly #whos = new Map<bigint, number>();

  #say(session: bigint, what: string): void {
    this.said.push([this.#whos.get(session)!, what]);
  }

  #send({ who, ahead, epochUp, whole }: Step & { do: "send" }): void {
    const { scene, naive } = this;
    const known = naive.find(BigInt(who + 1), PUBLISHERS[who]!);
    const session = known?.id ?? BigInt(who + 1);
    const epoch = Math.max(1, (known?.epoch ?? 1) + epochUp);
    const batch = Math.max(0, (known?.next ?? 0) + ahead);
    const lastSequence = PUBLISHERS[who] === "" ? undefined : this.#sequence++;
    const one = batchOf(session, epoch, batch, { count: 1 + batch % 3, lastSequence });
    const limit = scene.sequencer.limitOf(session);
    const admission = scene.sequencer.admit(session, epoch, batch, one.bytes);
    assertEquals(admission, naive.admit(session, epoch, batch, limit));
    this.said.push([who, `${epoch}:${batch} ${admission}`]);
    if (admission === "take") (whole ? scene.ring : this.flying).push(one);
  }

  #fly({ do: what, who, which }: Step & { do: "arrive" | "abandon" }): void {
    const { scene, naive, flying } = this;
    const mine = flying.filter(({ session }) => this.#whos.get(session) === who);
    const one = mine[which % mine.length];
    if (one === undefined) return;
    flying.splice(flying.indexOf(one), 1);
    if (what === "arrive") scene.ring.push(one);
    else {
      scene.sequencer.abandon(one.session, one.epoch, one.batch);
      naive.abandon(one.session, one.epoch, one.batch);
      this.#check();
    }
  }

  #leave({ do: what, who }: Step & { do: "close" | "disconnect" }): void {
    const { scene, naive } = this;
    const known = naive.find(BigInt(who + 1), PUBLISHERS[who]!);
    if (known === undefined) return;
    const { id, epoch } = known;
    const { nowMs } = scene;
    if (what === "close") {
      scene.sequencer.close(id, epoch, nowMs);
      naive.close(id, epoch, nowMs);
    } else {
      scene.sequencer.disconnected(id, epoch, nowMs);
      naive.disconnected(id, epoch, nowMs);
    }
    this.#check();
  }

  #check(): void {
    const { sequencer, discarded } = this.scene;
    const { naive } = this;
    for (const { id, publisher, epoch, next, waiting, committed } of naive.sessions.values()) {
      const view = sequencer.view(id)!;
      assertEquals([view.publisher, view.epoch, view.assigned, view.held], [
        publisher,
        epoch,
        next,
        waiting.length,
      ]);
      assert(committed.size >= view.nextBatch && view.nextBatch <= next);
    }
    const { counters } = sequencer;
    assertEquals(counters.sessions, naive.sessions.size);
    assertEquals(counters.accepted, naive.accepted);
    assertEquals(counters.accepted, counters.assigned + counters.heldNow + counters.discarded);
    assert(counters.grantedBatches <= this.scene.init.grantBatchesMax);
    const lines = (batches: readonly SequencedBatch[]): string[] =>
      batches.map(({ session, epoch, batch }) => `${session}:${epoch}:${batch}`).sort();
    assertEquals(
      lines(discarded.slice(this.#discards)),
      lines(naive.discarded.slice(this.#naiveDiscards)),
      "everything that was accepted is ordered, held or given up",
    );
    this.#discards = discarded.length;
    this.#naiveDiscards = naive.discarded.length;
  }
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

/** Without ages: links, that come and go, leave no entries. Runs are compared by what a link is told. */
function sessionsOf(sequencer: Sequencer): unknown[] {
  return sequencer.exportSessions(0)
    .map(({ ageMs: _, runs: __, ...rest }) => rest)
    .sort((a, b) => Number(a.session - b.session));
}

function checkLog(twins: Twins): void {
  const numbers = new Map<string, number[]>();
  for (const { session, epoch, batch } of twins.scene.log) {
    const key = `${session}:${epoch}`;
    numbers.set(key, [...numbers.get(key) ?? [], batch]);
  }
  for (const [key, batches] of numbers) {
    // A session that was forgotten begins anew, with the same epoch where it chose the same id.
    const runs: number[][] = [];
    for (const batch of batches) {
      if (runs.length === 0 || runs.at(-1)!.includes(batch)) runs.push([]);
      runs.at(-1)!.push(batch);
    }
    if (twins.order < 4) continue;
    for (const run of runs) assertEquals(run, run.map((_, index) => index), `${key} has a gap`);
  }
}

function open(who: number, epochBack: number, acknowledged = 0): Step {
  return { do: "open", who, epochBack, acknowledged };
}

function send(who: number, ahead: number, epochUp = 0): Step & { readonly do: "send" } {
  return { do: "send", who, ahead, epochUp, whole: true };
}

const ROUND: Step = { do: "round" };
const COMMIT: Step = { do: "commit", entries: 100 };
const LEASE: readonly Step[] = [400, 400, 200].map((ms) => ({ do: "pass", ms }));
const PAUSE: Step = { do: "pass", ms: 350 };

/** A history in which everything happens. */
const EVERYTHING: readonly Step[] = [
  ...[open(0, 0), open(0, -1), open(1, 0, 3), open(2, 0), open(2, 0), open(2, 2), open(2, 1)],
  ...[send(0, 0), send(0, 0), send(0, 2), send(2, 0, -1), send(2, 0, 1), send(0, 30), ROUND, COMMIT],
  // What is fenced is refused from the decision on; the answer waits until that is stored.
  ...[...LEASE, send(0, 0), open(0, 1), COMMIT, open(0, 1), send(0, 0)],
  ...[open(0, 0), send(0, 0), { do: "snapshot" } as const, ROUND, COMMIT],
  // Named sessions stay when they are closed.
  ...[send(2, 0), ROUND, { do: "close", who: 2 } as const, send(2, 0)],
  // Closed while batches of an earlier epoch are being written: forgotten when they are.
  ...[open(1, 0), send(1, 0), ROUND, open(1, 0), { do: "close", who: 1 } as const, COMMIT],
  // A batch that comes in after its link has gone: the session is idle from there on.
  ...[open(1, 0), { ...send(1, 0), whole: false }, COMMIT, { do: "disconnect", who: 1 } as const],
  ...[
    ...LEASE,
    { do: "arrive", who: 1, which: 0 } as const,
    ROUND,
    COMMIT,
    ...LEASE,
    ...LEASE,
    ...LEASE,
    PAUSE,
  ],
  ...[PAUSE, PAUSE, ROUND],
];

for (const order of [0, 2, 4, 5] as const) {
  test(`order ${order}: as a naive twin, for any interleaving, and a replay leaves the same state`, () => {
    const seen = new Set<string>();
    const steps = fc.array(step, { minLength: 20, maxLength: 160, size: "max" });
    fc.assert(
      fc.property(steps, (steps) => {
        const twins = new Twins(order);
        for (const one of steps) twins.run(one);
        twins.round();
        twins.commit(Infinity);
        checkLog(twins);
        for (const [, what] of twins.said) seen.add(what.replaceAll(/\d+/g, "").slice(0, 40));
        checkReplay(twins);
        checkLeaks(twins);
      }),
      { numRuns: 150, examples: [[[...EVERYTHING]]] },
    );
    const admissions = ["take", "duplicate", "staleEpoch", "unknownSession", "fenced", "beyondWindow"];
    const kinds = ["newEpoch", "resume", "superseded", "unknown"];
    const fences = order < 4 ? [] : ["fence  at ", "fenced ", '{"kind":"fenced"', '{"kind":"wait"'];
    const wanted = [
      ...admissions.map((one) => `: ${one}`),
      ...kinds.map((kind) => `{"kind":"${kind}"`),
      ...fences,
    ];
    for (const one of wanted) {
      assert([...seen].some((said) => said.startsWith(one)), `no history has "${one}"`);
    }
  });
}

function checkReplay({ scene, snapshot }: Twins): void {
  const { sequencer } = scene;
  scene.noteEnded();
  const live = new Set(sequencer.exportSessions(0).map(({ session }) => session));
  const replayed = scene.replay();
  assertEquals(sessionsOf(replayed), sessionsOf(sequencer));
  if (snapshot !== undefined) {
    const { sessions, entries } = snapshot;
    const later = scene.replay((twin) => twin.importSessions(sessions, 0), entries);
    assertEquals(sessionsOf(later), sessionsOf(sequencer));
    // Of an epoch that was over in the snapshot nobody asks.
    const over = new Set(sessions.filter(({ fenced }) => fenced).map(({ session }) => session));
    for (const session of live) {
      if (!over.has(session)) assertEquals(later.takeRuns(session), replayed.takeRuns(session));
    }
  }
  for (const session of live) {
    const [mine, twin] = [sequencer.view(session)!, replayed.view(session)!];
    assertEquals([twin.nextBatch, twin.lastSequence], [mine.nextBatch, mine.lastSequence]);
    assertEquals(replayed.takeRuns(session), sequencer.takeRuns(session));
  }
}

/** When everything that is under way has come to its end, nothing is counted that is not there. */
function checkLeaks({ scene, naive, flying }: Twins): void {
  const { sequencer } = scene;
  for (const { session, epoch, batch } of flying) sequencer.abandon(session, epoch, batch);
  scene.settle();
  for (const { id, publisher, epoch } of naive.sessions.values()) {
    const view = sequencer.view(id);
    if (view === undefined || view.held > 0) continue;
    const session = publisher === "" ? id : 0n;
    if (scene.open(session, { publisher, epoch, windowBytes: 1 }).kind !== "resume") continue;
    assertEquals(sequencer.view(id)!.windowBytes, 1, "bytes that nobody has sent");
  }
  for (const { id, epoch } of naive.sessions.values()) sequencer.disconnected(id, epoch, scene.nowMs);
  for (let leases = 0; leases < 3; leases++) {
    scene.expire(scene.nowMs + LEASE_MS);
    scene.commit();
  }
  const { grantedBatches, grantedBytes, heldNow, heldNowBytes, attached, waiting } = sequencer.counters;
  assertEquals([grantedBatches, grantedBytes, heldNow, heldNowBytes, attached, waiting], [0, 0, 0, 0, 0, 0]);
}

test("what one session does changes nothing for the others", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(2, 4, 5),
      who,
      fc.array(step, { maxLength: 120, size: "max" }),
      (order, noisy, steps) => {
        const [all, quiet] = [new Twins(order as Order), new Twins(order as Order)];
        for (const one of steps) {
          // What one session does may begin a round, and make one durable: both have them at the same times.
          const step = one.do === "commit" ? { ...one, entries: Infinity } : one;
          for (const twins of [all, quiet]) {
            if (twins === all || !("who" in step && step.who === noisy)) twins.run(step);
            twins.round();
          }
        }
        all.round();
        quiet.round();
        const without = (twins: Twins): unknown => {
          return twins.said.filter(([who]) => who !== noisy).map(([who, what]) => {
            return [who, what.replaceAll(/"session":"\d+"/g, "")];
          });
        };
        assertEquals(without(all), without(quiet));
      },
    ),
    { numRuns: 150 },
  );
});
