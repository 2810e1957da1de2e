import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "../../support/properties.ts";
import type { OpenDecision, OpenRequest } from "../../../src/log/order/sequencer.ts";
import { range, requestOf, Scene } from "./sequencer_scene.ts";

/** So many batches for everyone. */
function sceneOf(grantBatchesMax: number, more: Record<string, number> = {}): Scene {
  return new Scene({ grantBatchesMax, holdBatchesMax: grantBatchesMax, ...more });
}

function limits(scene: Scene, sessions: readonly bigint[]): number[] {
  return sessions.map((session) => scene.sequencer.limitOf(session));
}

test("a publisher gets what it asks for, the next ones one batch and half of what is left then", () => {
  const scene = sceneOf(32);
  for (const session of [1n, 2n, 3n, 4n, 5n]) scene.open(session, { windowBatches: 12 });
  assertEquals(limits(scene, [1n, 2n, 3n, 4n, 5n]), [12, 11, 5, 3, 1]);
  assertEquals(scene.sequencer.counters.grantedBatches, 32);
  const alone = sceneOf(1);
  alone.open(1n, { windowBatches: 0, windowBytes: 0 });
  assertEquals(limits(alone, [1n]), [1]);
});

test("a limit moves on with what is committed, and the ack says so", () => {
  const scene = sceneOf(16);
  scene.open(1n, { windowBatches: 4 });
  scene.sendAll(1n, 1, [0, 1, 2, 3]);
  scene.round();
  assertEquals(scene.send(1n, 1, 4), "beyondWindow", "assigned is not committed");
  scene.commit();
  assertEquals(limits(scene, [1n]), [8]);
  assertEquals(scene.sequencer.takeAck(1n)!.limit, 8);
  assertEquals(scene.sequencer.takeGrants(), []);
});

test("an unnamed limit of an unknown session is 0", () => {
  assertEquals(limits(sceneOf(1), [7n]), [0]);
});

test("a newcomer waits when nothing is left: the idle are asked first, for all but one batch", () => {
  const scene = sceneOf(8);
  for (const [session, windowBatches] of [[1n, 4], [2n, 2], [3n, 1], [4n, 1]] as const) {
    scene.open(session, { windowBatches });
  }
  assertEquals(limits(scene, [1n, 2n, 3n, 4n]), [4, 2, 1, 1]);
  scene.nowMs = 2_000;
  // The second one is in use, the first one is not.
  scene.sendAll(2n, 1, [0]);
  scene.round();
  assertEquals(scene.open(5n).kind, "wait");
  const lowered = scene.grants();
  assertEquals(lowered, [{ session: 1n, epoch: 1, limit: 1, lowered: true }]);
  assertEquals(scene.grants(), [], "it is asked once");
  // The old limit holds until it answered.
  scene.sendAll(1n, 1, [0, 1, 2, 3]);
  scene.sequencer.yielded(1n, 1, 4);
  assertEquals([scene.freed, scene.open(5n).kind], [0, "wait"], "it had sent all that it could");
  scene.settle();
  assertEquals(scene.freed, 1);
  assertEquals(scene.open(5n).kind, "newEpoch");
  assertEquals(limits(scene, [1n, 2n, 3n, 4n, 5n]), [5, 3, 1, 1, 2]);
});

test("what is yielded goes to those who wait, first come first served", () => {
  const scene = sceneOf(4);
  scene.open(1n, { windowBatches: 2 });
  scene.open(2n, { windowBatches: 1 });
  scene.open(3n, { windowBatches: 1 });
  assertEquals(limits(scene, [1n, 2n, 3n]), [2, 1, 1]);
  for (const session of [4n, 5n]) assertEquals(scene.open(session).kind, "wait");
  assertEquals(scene.sequencer.counters.waiting, 2);
  assertEquals(scene.grants(), [{ session: 1n, epoch: 1, limit: 1, lowered: true }]);
  scene.sequencer.yielded(1n, 1, 1);
  assertEquals(scene.freed, 1);
  assertEquals(scene.open(5n).kind, "wait", "it is the turn of another one");
  assertEquals(scene.open(6n).kind, "wait");
  assertEquals(scene.open(4n).kind, "newEpoch");
  assertEquals(scene.send(1n, 1, 1), "beyondWindow");
  scene.sequencer.disconnected(2n, 1, 0);
  scene.sequencer.disconnected(3n, 1, 0);
  assertEquals([scene.open(6n).kind, scene.open(5n).kind], ["newEpoch", "newEpoch"]);
});

test("a request that is given up leaves the queue to the next one", () => {
  const scene = sceneOf(1);
  scene.open(1n);
  assertEquals([scene.open(2n).kind, scene.open(3n).kind], ["wait", "wait"]);
  scene.sequencer.cancelOpen(requestOf(2n));
  scene.sequencer.disconnected(1n, 1, 0);
  assertEquals(scene.open(2n).kind, "wait");
  // Its batch was set aside, and nobody comes for it.
  scene.sequencer.cancelOpen(requestOf(3n));
  assertEquals(scene.open(2n).kind, "newEpoch");
});

test("what was set aside for a request that never comes is given to the next one after a lease", () => {
  const scene = sceneOf(1);
  scene.open(1n);
  assertEquals([scene.open(2n).kind, scene.open(3n).kind], ["wait", "wait"]);
  scene.sequencer.disconnected(1n, 1, 0);
  assertEquals([scene.freed, scene.sequencer.nextTimeoutMs], [1, 1_000]);
  scene.expire(999);
  assertEquals(scene.open(3n).kind, "wait");
  scene.expire(1_000);
  assertEquals([scene.freed, scene.open(3n).kind], [2, "newEpoch"]);
});

test("a session whose link is gone keeps only what is in ring and hold", () => {
  const scene = sceneOf(16);
  scene.open(1n, { windowBatches: 8 });
  scene.sendAll(1n, 1, [0, 2, 5]);
  scene.round();
  scene.sequencer.disconnected(1n, 1, 0);
  assertEquals(scene.sequencer.counters.grantedBatches, 6, "as far as what is held");
  scene.commit();
  assertEquals(scene.sequencer.counters.grantedBatches, 5);
  // The batch that fills the gap has room at once, whoever else wants some.
  for (const session of range(2, 13).map(BigInt)) scene.open(session, { windowBatches: 1 });
  assertEquals(scene.open(99n).kind, "wait");
  assertEquals(scene.open(1n, { epoch: 1 }).kind, "resume");
  scene.sendAll(1n, 1, [1, 3, 4]);
  scene.settle();
  assertEquals(scene.sequencer.view(1n)!.nextBatch, 6);
  scene.sequencer.disconnected(1n, 1, 0);
  assertEquals(scene.open(99n).kind, "newEpoch");
});

test("a session without a link and without batches waits like a newcomer when it resumes", () => {
  const scene = sceneOf(1);
  scene.open(1n);
  scene.sequencer.disconnected(1n, 1, 0);
  scene.open(2n);
  assertEquals(scene.open(1n, { epoch: 1 }).kind, "wait");
  scene.sequencer.disconnected(2n, 1, 0);
  assertEquals(scene.open(1n, { epoch: 1 }).kind, "resume");
});

test("a batch that was in flight when its link went is given back when it is abandoned", () => {
  const scene = sceneOf(8);
  scene.open(1n, { windowBatches: 8 });
  assertEquals(scene.sequencer.admit(1n, 1, 3, 10), "take");
  scene.sequencer.disconnected(1n, 1, 0);
  assertEquals(scene.sequencer.counters.grantedBatches, 4);
  scene.sequencer.abandon(1n, 1, 3);
  assertEquals(scene.sequencer.counters.grantedBatches, 0);
});

test("a session that uses all it has gets more, and the largest gives some of its own", () => {
  const scene = sceneOf(16);
  scene.open(1n, { windowBatches: 16 });
  scene.open(2n, { windowBatches: 16 });
  assertEquals(limits(scene, [1n, 2n]), [9, 4]);
  let next = 0;
  // One is silent, but not for so long that it counts as idle.
  for (let turn = 0; turn < 6; turn++) {
    while (scene.send(2n, 1, next) === "take") next++;
    scene.settle();
    for (const { session, lowered, limit } of scene.grants()) {
      if (lowered) scene.sequencer.yielded(session, 1, limit);
    }
  }
  const windows = [1n, 2n].map((session) => {
    const { limit, nextBatch } = scene.sequencer.view(session)!;
    return limit - nextBatch;
  });
  assertEquals(windows, [9, 7], "none has more than twice as much as one that needs it");
  scene.nowMs += 5_000;
  for (let turn = 0; turn < 6; turn++) {
    while (scene.send(2n, 1, next) === "take") next++;
    scene.settle();
    for (const { session, lowered, limit } of scene.grants()) {
      if (lowered) scene.sequencer.yielded(session, 1, limit);
    }
  }
  const { limit, nextBatch } = scene.sequencer.view(2n)!;
  assert(limit - nextBatch >= 14, `${limit - nextBatch} batches for the only one that sends`);
  assertEquals(scene.sequencer.view(1n)!.limit, 1);
});

test("a publisher that does not answer is lowered after a lease; others are asked long before", () => {
  const scene = sceneOf(8, { leaseMs: 10_000 });
  for (const [session, windowBatches] of [[1n, 4], [2n, 2], [3n, 1], [4n, 1]] as const) {
    scene.open(session, { windowBatches });
  }
  assertEquals(limits(scene, [1n, 2n, 3n, 4n]), [4, 2, 1, 1]);
  assertEquals(scene.open(5n).kind, "wait");
  assertEquals(scene.grants().map(({ session, limit }) => [session, limit]), [[1n, 2]]);
  assertEquals(scene.sequencer.nextTimeoutMs, 1_000);
  scene.expire(1_000);
  assertEquals(scene.grants().map(({ session, limit }) => [session, limit]), [[2n, 1]]);
  assertEquals(scene.send(1n, 1, 2), "take", "it may not have read that yet");
  assertEquals(scene.sequencer.nextTimeoutMs, 2_000);
  scene.expire(2_000);
  scene.expire(9_999);
  assertEquals([scene.freed, scene.grants().length], [0, 0]);
  scene.expire(10_000);
  assertEquals(scene.freed, 1, "below what has arrived nothing is taken away");
  assertEquals(limits(scene, [1n, 2n]), [3, 1]);
  assertEquals(scene.grants(), [{ session: 1n, epoch: 1, limit: 3, lowered: true }]);
  assertEquals(scene.send(1n, 1, 3), "beyondWindow");
  scene.sequencer.yielded(1n, 1, 4);
  assertEquals(limits(scene, [1n]), [3], "too late");
});

test("a publisher that used up what it was to give, and whose answer comes too late, goes on all the same", () => {
  const scene = sceneOf(2);
  scene.open(1n, { windowBatches: 2 });
  scene.nowMs = 2_000;
  assertEquals(scene.open(2n).kind, "wait");
  assertEquals(scene.grants(), [{ session: 1n, epoch: 1, limit: 1, lowered: true }]);
  scene.sendAll(1n, 1, [0, 1]);
  scene.settle();
  assertEquals(scene.sequencer.takeAck(1n)!.limit, 1, "nothing is given before it answered");
  scene.nowMs = scene.sequencer.nextTimeoutMs;
  scene.sequencer.expire(scene.nowMs);
  scene.nowMs += 100_000;
  scene.sequencer.expire(scene.nowMs);
  assertEquals(scene.grants(), [{ session: 1n, epoch: 1, limit: 3, lowered: false }]);
  scene.sequencer.yielded(1n, 1, 2);
  assertEquals(scene.send(1n, 1, 2), "take");
});

test("a broker that stood still takes nothing away before it has read what came meanwhile", () => {
  const scene = sceneOf(2, { leaseMs: 10_000 });
  scene.open(1n, { windowBatches: 2 });
  assertEquals(scene.open(2n).kind, "wait");
  assertEquals(scene.grants().map(({ limit }) => limit), [1]);
  scene.expire(1_000);
  scene.expire(100_000);
  assertEquals(limits(scene, [1n]), [1]);
  assertEquals(scene.send(1n, 1, 1), "take", "it was sent before its publisher knew");
  scene.expire(109_999);
  assertEquals(scene.freed, 0);
  scene.expire(110_000);
  assertEquals(scene.send(1n, 1, 2), "beyondWindow");
});

test("an answer above the limit or below what has arrived is taken for what it can be", () => {
  const lowered = (): Scene => {
    const scene = sceneOf(4);
    scene.open(1n, { windowBatches: 2 });
    scene.open(2n, { windowBatches: 1 });
    scene.open(3n, { windowBatches: 1 });
    scene.open(4n);
    assertEquals(scene.grants().length, 1);
    return scene;
  };
  const above = lowered();
  above.sequencer.yielded(1n, 1, 1_000);
  assertEquals(limits(above, [1n]), [2]);
  const below = lowered();
  assertEquals(below.sequencer.admit(1n, 1, 1, 10), "take");
  below.sequencer.yielded(1n, 1, 0);
  assertEquals(limits(below, [1n]), [2]);
  const never = sceneOf(4);
  never.open(1n, { windowBatches: 4 });
  never.sequencer.yielded(1n, 1, 0);
  never.sequencer.yielded(1n, 2, 0);
  never.sequencer.yielded(9n, 1, 0);
  assertEquals(limits(never, [1n]), [3], "nobody had asked");
});

test("a link that was not answered yet is told its limit there and nowhere else", () => {
  const { sequencer } = sceneOf(4);
  sequencer.open(requestOf(1n, { windowBatches: 4 }), 0);
  sequencer.opened(1n, 1, 0);
  sequencer.open(requestOf(2n), 0);
  sequencer.opened(2n, 1, 0);
  sequencer.open(requestOf(3n), 0);
  sequencer.opened(3n, 1, 0);
  assertEquals(sequencer.open(requestOf(4n), 0).kind, "newEpoch", "nobody knew the limit that was lowered");
  assertEquals(sequencer.takeGrants(), []);
  assertEquals(sequencer.view(1n)!.limit, 1);
  sequencer.takeRuns(1n);
  assertEquals(sequencer.takeGrants(), []);
});

test("bytes: a window bounds what is not committed, but never the expected batch", () => {
  const scene = sceneOf(16);
  scene.open(1n, { windowBytes: 100 });
  assertEquals(scene.sequencer.view(1n)!.windowBytes, 100);
  assertEquals(scene.send(1n, 1, 0, { bytes: 1_000 }), "take");
  assertEquals(scene.send(1n, 1, 1, { bytes: 1 }), "beyondWindow");
  scene.round();
  assertEquals(scene.send(1n, 1, 2, { bytes: 1 }), "beyondWindow", "assigned is not committed");
  assertEquals(scene.send(1n, 1, 1, { bytes: 1_000 }), "take");
  scene.settle();
  for (const [batch, bytes] of [[3, 50], [4, 50]] as const) {
    assertEquals(scene.send(1n, 1, batch, { bytes }), "take");
  }
  assertEquals(scene.send(1n, 1, 5, { bytes: 1 }), "beyondWindow");
  assertEquals(scene.send(1n, 1, 2, { bytes: 1_000 }), "take", "the batch that fills the gap");
  assertEquals(scene.settle(), [2, 3, 4]);
});

test("bytes: the sum of what may have to wait is bounded, and nobody has less than one batch", () => {
  const scene = sceneOf(64, { grantBytesMax: 10_000, holdBytesMax: 10_000 });
  const ids = range(1, 33).map(BigInt);
  for (const session of ids) scene.open(session, { windowBatches: 16, windowBytes: 8_000 });
  assert(scene.sequencer.counters.grantedBytes <= 10_000);
  for (const session of ids) {
    const { limit } = scene.sequencer.view(session)!;
    assert(limit >= 1);
    // All that may come, but for the batch that is expected.
    for (const batch of range(1, limit)) scene.send(session, 1, batch, { bytes: 1_000 });
  }
  scene.round();
  assert(scene.sequencer.counters.heldNowBytes <= 10_000);
  for (const session of ids) assertEquals(scene.send(session, 1, 0, { bytes: 1_000 }), "take");
  scene.settle();
  assertEquals(scene.sequencer.counters.heldNow, 0);
});

/** A publisher that keeps to what it is told, at the other end of a link with delay. */
class Office {
  readonly scene: Scene;
  readonly clients: Client[] = [];
  #nextSession = 1n;

  constructor(scene: Scene) {
    this.scene = scene;
  }

  connect(wish: Partial<OpenRequest>): void {
    const client = new Client(requestOf(this.#nextSession++, wish), this.scene);
    this.clients.push(client);
    client.open();
  }

  /** As the broker does at the end of a burst: acks, then grants, then who waits. */
  flush(): void {
    const { sequencer } = this.scene;
    for (const session of sequencer.takeMarked()) {
      const { limit } = sequencer.takeAck(session)!;
      this.#of(session)?.inbox.push({ limit, lowered: false });
    }
    for (const { session, limit, lowered } of sequencer.takeGrants()) {
      this.#of(session)?.inbox.push({ limit, lowered });
    }
    for (const client of this.clients) if (client.state === "waiting") client.open();
    this.check();
  }

  check(): void {
    const { counters } = this.scene.sequencer;
    const { grantBatchesMax } = this.scene.init;
    let sum = 0;
    for (const client of this.clients) {
      if (client.state !== "open") continue;
      const view = this.scene.sequencer.view(client.request.session)!;
      // What the publisher believes, or will when it has read everything.
      const most = Math.max(client.limit, ...client.inbox.map(({ limit }) => limit));
      sum += Math.max(0, most - view.assigned);
    }
    assert(
      sum <= counters.grantedBatches && counters.grantedBatches <= grantBatchesMax,
      `${sum} are granted`,
    );
  }

  #of(session: bigint): Client | undefined {
    return this.clients.find(({ request, state }) => request.session === session && state === "open");
  }
}

class Client {
  readonly request: OpenRequest;
  readonly #scene: Scene;
  #known = false;
  state: "waiting" | "open" | "gone" = "waiting";
  limit = 0;
  next = 0;
  /** Messages to it, and from it, that have not arrived. */
  inbox: { readonly limit: number; readonly lowered: boolean }[] = [];
  outbox: ({ readonly batch: number } | { readonly yield: number })[] = [];

  constructor(request: OpenRequest, scene: Scene) {
    this.request = request;
    this.#scene = scene;
  }

  open(): void {
    const decision: OpenDecision = this.#scene.open(this.request.session, {
      windowBatches: this.request.windowBatches,
      epoch: this.#known ? 1 : 0,
    });
    if (decision.kind === "wait") return;
    assert(decision.kind === "newEpoch" || decision.kind === "resume", decision.kind);
    this.state = "open";
    this.#known = true;
    const { limit, nextBatch } = this.#scene.sequencer.view(this.request.session)!;
    this.limit = limit;
    this.next = nextBatch;
  }

  send(): void {
    if (this.state === "open" && this.next < this.limit) this.outbox.push({ batch: this.next++ });
  }

  read(): void {
    const message = this.inbox.shift();
    if (message === undefined) return;
    if (!message.lowered) this.limit = Math.max(this.limit, message.limit);
    else {
      const keep = Math.max(message.limit, this.next);
      this.limit = Math.min(this.limit, keep);
      this.outbox.push({ yield: keep });
    }
  }

  /** What it sent first arrives. */
  arrive(): void {
    const { session } = this.request;
    const message = this.outbox.shift();
    if (message === undefined) return;
    if ("yield" in message) this.#scene.sequencer.yielded(session, 1, message.yield);
    else {
      const admission = this.#scene.send(session, 1, message.batch);
      assert(admission === "take" || admission === "duplicate", `batch ${message.batch}: ${admission}`);
    }
  }

  disconnect(): void {
    if (this.state === "gone") return;
    if (this.state === "waiting") this.#scene.sequencer.cancelOpen(this.request);
    else this.#scene.sequencer.disconnected(this.request.session, 1, this.#scene.nowMs);
    this.state = "gone";
    this.inbox = [];
    this.outbox = [];
  }
}

type Move =
  | { readonly do: "connect"; readonly windowBatches: number }
  | { readonly do: "send" | "read" | "arrive" | "disconnect" | "return"; readonly which: number }
  | { readonly do: "round" | "commit" | "flush" }
  | { readonly do: "pass"; readonly ms: number };

const which = fc.nat({ max: 30 });
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("connect" as const),
      windowBatches: fc.constantFrom(1, 2, 4, 16, 64),
    }),
  },
  { weight: 12, arbitrary: fc.record({ do: fc.constant("send" as const), which }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constantFrom("read" as const, "arrive" as const), which }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("disconnect" as const, "return" as const), which }),
  },
  {
    weight: 12,
    arbitrary: fc.record({ do: fc.constantFrom("round" as const, "commit" as const, "flush" as const) }),
  },
  // Far below the time after which somebody who does not answer is lowered all the same.
  { weight: 2, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.nat({ max: 400 }) }) },
);

function play(office: Office, move: Move): void {
  const { scene, clients } = office;
  switch (move.do) {
    case "connect":
      return office.connect({ windowBatches: move.windowBatches });
    case "round":
      scene.round();
      return;
    case "commit":
      return scene.commit(1);
    case "flush":
      return office.flush();
    case "pass":
      scene.expire(scene.nowMs + move.ms);
      return;
    default: {
      const client = clients[move.which % clients.length];
      if (client === undefined) return;
      if (move.do === "return") {
        if (client.state === "gone") client.state = "waiting";
      } else client[move.do]();
    }
  }
}

test("for any interleaving: limits that publishers know are kept, their sum is bounded, and everyone gets on", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 24 }),
      fc.array(move, { maxLength: 250, size: "max" }),
      (grantBatchesMax, moves) => {
        const office = new Office(sceneOf(grantBatchesMax, { leaseMs: 1_000_000, sessionIdleMs: 9_000_000 }));
        const { scene, clients } = office;
        for (const one of moves) {
          play(office, one);
          office.check();
        }
        // From here on everybody sends, answers and is answered; as many leave as are too many.
        const waiting = clients.filter(({ state }) => state !== "gone");
        for (const client of waiting.slice(grantBatchesMax)) client.disconnect();
        const before = clients.map(({ next }) => next);
        for (let turn = 0; turn < 40; turn++) {
          scene.expire(scene.nowMs + 400);
          for (const client of clients) {
            while (client.inbox.length > 0) client.read();
            client.send();
            while (client.outbox.length > 0) client.arrive();
          }
          scene.settle();
          office.flush();
        }
        for (const [index, client] of clients.entries()) {
          if (client.state === "gone") continue;
          assertEquals(client.state, "open");
          assert(client.next > before[index]!, `client ${index} did not get on`);
        }
        for (const client of clients) client.disconnect();
        scene.settle();
        const { grantedBatches, grantedBytes, waiting: left } = scene.sequencer.counters;
        assertEquals([grantedBatches, grantedBytes, left], [0, 0, 0]);
      },
    ),
    { numRuns: 300 },
  );
});
