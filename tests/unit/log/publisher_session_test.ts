import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { MisuseError } from "../../../src/errors.ts";
import { LogError } from "../../../src/log/errors.ts";
import { FULL, SEALED, STARTED, TAKEN } from "../../../src/log/publisher/publisher_types.ts";
import type { Batch, BrokerMessage } from "../../../src/log/wire/messages.ts";
import { valuesOf } from "./publisher_model.ts";
import { type Outcome, Scene, type SceneOptions } from "./publisher_scene.ts";

/** A scene whose session is open, with nothing under way. */
function open(options: SceneOptions = {}): Scene {
  const scene = new Scene(options);
  scene.link();
  scene.toBroker();
  scene.toClient();
  assertEquals(scene.session.state, "open");
  return scene;
}

/** Publishes a record that is a batch. */
function publish(scene: Scene, ...values: readonly string[]): void {
  for (const value of values) {
    assert(scene.publish(value), `no room for ${value}`);
    scene.session.due(scene.nowMs);
  }
}

/** What is under way arrives, and the broker of the test, who is the test itself, says nothing yet. */
function swallow(scene: Scene): void {
  scene.wire.length = 0;
}

/** As the broker would say it of the session that is open. */
function tell(scene: Scene, message: object): void {
  const { session, epoch } = scene.session;
  scene.give({ session, epoch, ...message } as unknown as BrokerMessage);
}

function ack(scene: Scene, nextBatch: number, more: object = {}): void {
  tell(scene, { type: "ack", nextBatch, nextSyncedBatch: 0, limit: 99, runs: [], ...more });
}

function refuse(scene: Scene, batch: number, code: string): void {
  tell(scene, { type: "refused", request: 0, batch, error: { code, message: code } });
}

function codeOf(outcome: Outcome | undefined): string | undefined {
  return outcome !== undefined && "error" in outcome ? outcome.error.code : undefined;
}

const eventTypes = (scene: Scene): string[] => scene.events.map(({ type }) => type);

test("a new session asks for a new epoch, and sends nothing before it is open", () => {
  const scene = new Scene();
  scene.publish("a");
  scene.session.due(0);
  assertEquals(scene.sent, []);
  scene.link();
  assertEquals(scene.wire.map(({ message }) => message), [{
    type: "openSession",
    request: 1,
    topic: "t",
    publisher: "",
    session: 1n,
    epoch: 0,
    acknowledged: 0,
    ack: 1,
    windowBatches: 64,
    windowBytes: 1_000,
  }]);
  scene.toBroker();
  scene.toClient();
  assertEquals(scene.sent, ["batch 1/0"]);
  assertEquals(scene.events, [{ type: "opened", epoch: 1, lastSequence: undefined }]);
});

test("a batch says what it is", () => {
  const scene = open({ publisher: "p" });
  scene.session.append("one", { sequence: 7n });
  scene.session.append("two", { sequence: 8n });
  scene.session.due(0);
  const { message, body } = scene.wire[0]!;
  const { bodyCrc, ...rest } = message as Batch;
  assertEquals(rest, {
    type: "batch",
    session: 1_000n,
    epoch: 1,
    batch: 0,
    count: 2,
    lastSequence: 8n,
    bodyBytes: body!.length,
  });
  assert(bodyCrc !== 0);
  assertEquals(valuesOf(scene.wire[0]!), ["one", "two"]);
});

test("append says what is to be done", () => {
  const scene = open({ batchBytes: 64, windowBytes: 200 });
  const { session } = scene;
  assertEquals(session.append(new Uint8Array(10)), TAKEN | STARTED);
  assertEquals(session.append(new Uint8Array(10)), TAKEN);
  assertEquals(session.append(new Uint8Array(20)), TAKEN | SEALED, "exactly full");
  assertEquals(session.append(new Uint8Array(50)), TAKEN | STARTED);
  assertEquals(
    session.append(new Uint8Array(10)),
    TAKEN | SEALED | STARTED,
    "it did not fit behind the other",
  );
  assertEquals(
    session.append(new Uint8Array(60)),
    TAKEN | SEALED,
    "a batch of its own, which is sealed at once",
  );
  assertEquals(session.append(new Uint8Array(100)), FULL);
  assertEquals(session.submitted, 6);
});

test("an idle publisher's record leaves at the callback's end, a busy one's with the answer or a millisecond later, a lingering one's by a timer", () => {
  const scene = open();
  scene.session.append("a");
  assertEquals(scene.session.started(0), "callback");
  scene.session.due(0);
  scene.session.append("b");
  assertEquals([scene.session.started(7), scene.session.nextTimeoutMs], ["timer", 8]);
  scene.session.handleTimeout(8);
  assertEquals(scene.sent, ["batch 1/0", "batch 1/1"]);
  const lingering = open({ lingerMs: 5 });
  lingering.session.append("a");
  assertEquals([lingering.session.started(10), lingering.session.nextTimeoutMs], ["timer", 15]);
  lingering.session.handleTimeout(14);
  assertEquals(lingering.sent, []);
  lingering.session.handleTimeout(15);
  assertEquals(lingering.sent, ["batch 1/0"]);
});

test("without linger an acknowledgement sends what was gathered; with linger it waits on", () => {
  for (const lingerMs of [0, 5]) {
    const scene = open({ lingerMs });
    publish(scene, "a");
    scene.session.append("b");
    scene.session.append("c");
    ack(scene, 0);
    assertEquals(scene.sent, lingerMs === 0 ? ["batch 1/0", "batch 1/1"] : ["batch 1/0"]);
  }
});

test("what cannot be sent gathers in one batch, and leaves when it can", () => {
  const scene = open();
  scene.broker.window = 1;
  publish(scene, "a", "b", "c", "d");
  assertEquals(scene.sent, ["batch 1/0", "batch 1/1", "batch 1/2", "batch 1/3"]);
  publish(scene, "e", "f");
  assertEquals(scene.wire.length, 4, "the limit is 4");
  scene.settle();
  scene.expectLog(["a", "b", "c", "d", "e", "f"]);
  const batches = scene.broker.log.map(({ batch }) => batch);
  assertEquals(batches, [0, 1, 2, 3, 4, 4]);
});

test("the window is bytes and batches; one batch always fits", () => {
  const bytes = open({ windowBytes: 100 });
  publish(bytes, "x".repeat(52));
  assertEquals([bytes.session.isWritable, bytes.session.append(new Uint8Array(41))], [true, FULL]);
  assertEquals(bytes.session.isWritable, false);
  assertEquals(bytes.session.append(new Uint8Array(40)), TAKEN | STARTED);
  const batches = open({ windowBatches: 2 });
  publish(batches, "a", "b");
  assertEquals([batches.session.append("c"), batches.session.isWritable], [FULL, false]);
  swallow(batches);
  ack(batches, 1);
  assertEquals([batches.session.isWritable, batches.session.append("c")], [true, TAKEN | STARTED]);
  const large = open({ windowBytes: 100 });
  assertEquals(large.session.append(new Uint8Array(500)), TAKEN | SEALED, "nothing else is under way");
  large.session.pump(0);
  assertEquals(large.sent, ["batch 1/0"]);
  assertEquals(large.session.append("x"), FULL);
});

test("the granted bytes hold back, but never all", () => {
  const scene = new Scene({ windowBytes: 10_000 });
  scene.link();
  const request = 1;
  const limits = { limit: 99, windowBytes: 100, lastSequence: undefined, generation: 1, runs: [] };
  scene.give({
    type: "sessionOpened",
    request,
    session: 1n,
    epoch: 1,
    nextBatch: 0,
    nextSyncedBatch: 0,
    ...limits,
  });
  scene.wire.length = 0;
  publish(scene, "x".repeat(300), "y".repeat(20), "z".repeat(20));
  assertEquals(scene.sent, ["batch 1/0"], "the first is larger than the window, and alone");
  ack(scene, 1);
  assertEquals(scene.sent, ["batch 1/0", "batch 1/1"], "the others have gathered");
  publish(scene, "u".repeat(40));
  assertEquals(scene.wire.length, 2);
});

test("positions come with the runs; a record's is its batch's and its place in it", () => {
  const scene = open();
  for (const value of ["a", "b", "c"]) scene.session.append(value, undefined, value);
  scene.session.due(0);
  publish(scene, "d");
  ack(scene, 2, { runs: [{ batch: 0, batches: 1, position: 40n }, { batch: 1, batches: 1, position: 90n }] });
  assertEquals([...scene.outcomes], [
    ["a", { position: 40n }],
    ["b", { position: 41n }],
    ["c", { position: 42n }],
    ["d", { position: 90n }],
  ]);
});

test("a run that begins before what is left still tells positions; an ack without a run tells none", () => {
  const scene = open();
  publish(scene, "a", "b");
  ack(scene, 1, { runs: [{ batch: 0, batches: 1, position: 5n }] });
  ack(scene, 2, { runs: [{ batch: 0, batches: 2, position: 5n }] });
  assertEquals(scene.outcomes.get("b"), { position: 6n });
  publish(scene, "c");
  ack(scene, 3);
  assertEquals(scene.outcomes.get("c"), { position: undefined });
});

test("an acknowledgement of what was never sent is the broker's fault", () => {
  const scene = open();
  publish(scene, "a");
  const one = assertThrows(() => ack(scene, 2), LogError, "batches below 2, and 1 were sent");
  assertEquals(one.code, "ERR_LOG_MALFORMED");
  const run = { runs: [{ batch: 0, batches: 3, position: 0n }] };
  assertThrows(() => ack(scene, 1, run), LogError, "batches below 3");
  assertEquals(scene.outcomes.size, 0);
});

test("what is said of other sessions, epochs and requests is nobody's", () => {
  const scene = open();
  publish(scene, "a");
  ack(scene, 1, { session: 9n });
  ack(scene, 1, { epoch: 2 });
  tell(scene, { type: "fenced", epoch: 2, nextBatch: 1, reason: "gap" });
  tell(scene, { type: "refused", request: 77, batch: 0, error: { code: "ERR_LOG_TOPIC", message: "" } });
  refuse(scene, 5, "ERR_LOG_BATCH_TOO_LARGE");
  assertEquals([scene.outcomes.size, scene.session.state], [0, "open"]);
});

test("a lowered grant is answered with the lowest limit that can be kept", () => {
  const scene = open();
  publish(scene, "a", "b");
  scene.wire.length = 0;
  tell(scene, { type: "grant", limit: 1, lowered: true });
  tell(scene, { type: "grant", limit: 3, lowered: true });
  assertEquals(scene.sent, ["yield 2", "yield 3"]);
  publish(scene, "c", "d");
  assertEquals(scene.sent.slice(2), [], "the first answer was binding: 2 were sent");
  tell(scene, { type: "grant", limit: 4, lowered: false });
  assertEquals(scene.sent.slice(2), ["batch 1/2"]);
});

test("only a grant lowers the limit: an ack may be older than our answer", () => {
  const scene = open();
  ack(scene, 0, { limit: 1 });
  publish(scene, "a", "b");
  assertEquals(scene.sent, ["batch 1/0", "batch 1/1"]);
});

test("a link that takes nothing now is tried again", () => {
  const scene = open();
  scene.blocked = true;
  publish(scene, "a", "b");
  assertEquals(scene.sent, []);
  scene.blocked = false;
  scene.session.pump(0);
  assertEquals(scene.sent, ["batch 1/0", "batch 1/1"]);
});

test("after a lost link everything without an answer goes out again, in order, behind the session", () => {
  const scene = open();
  publish(scene, "a", "b", "c");
  scene.toBroker();
  ack(scene, 1, { runs: [{ batch: 0, batches: 1, position: 0n }] });
  scene.cut();
  publish(scene, "d");
  assertEquals(scene.session.state, "offline");
  scene.link();
  assertEquals(scene.sent, ["open 1 acknowledged 1"]);
  scene.toBroker();
  scene.toClient();
  assertEquals(scene.sent, ["batch 1/1", "batch 1/2", "batch 1/3"]);
  scene.settle();
  scene.expectLog(["a", "b", "c", "d"]);
});

test("what the broker has committed is not sent again after a lost link", () => {
  const scene = open();
  publish(scene, "a", "b", "c");
  while (scene.toBroker());
  scene.cut();
  scene.link();
  scene.toBroker();
  scene.toClient();
  assertEquals(scene.sent, []);
  assertEquals([...scene.outcomes.values()], [{ position: 0n }, { position: 1n }, { position: 2n }]);
});

test("memory is used again only when no transport can hold it any more", () => {
  const taken: Uint8Array[] = [];
  const memory = (bytes: number): Uint8Array => {
    const made = new Uint8Array(bytes);
    taken.push(made);
    return made;
  };
  const scene = open({ memory, windowBytes: 10_000 });
  const value = "x".repeat(50);
  const round = (): void => {
    scene.session.append(value);
    scene.session.due(scene.nowMs);
    swallow(scene);
  };
  for (let i = 0; i < 10; i++) {
    round();
    ack(scene, i + 1);
  }
  assertEquals(taken.length, 2, "one is filled while the other is under way");
  // Sent twice: the answer may be to the first copy, while the second one is still being written.
  round();
  scene.wait(150);
  assertEquals(scene.sent, ["batch 1/10"]);
  ack(scene, 11);
  round();
  ack(scene, 12);
  assertEquals(taken.length, 3);
  // Its link broke: what had not left may be in the transport's hands.
  round();
  scene.cut();
  scene.link();
  const { session } = scene.session;
  const opened = { type: "sessionOpened", request: 2, nextBatch: 13, nextSyncedBatch: 0, limit: 99 };
  tell(scene, { ...opened, session, windowBytes: 9_999, lastSequence: undefined, generation: 1, runs: [] });
  round();
  ack(scene, 14);
  assertEquals(taken.length, 4);
});

test("a publisher at ack 2 waits for the sync, and keeps what it may have to send again", () => {
  const scene = open({ ack: 2, topicAck: 1 });
  publish(scene, "a", "b");
  while (scene.toBroker());
  ack(scene, 2, { nextSyncedBatch: 1, runs: [{ batch: 0, batches: 2, position: 0n }] });
  assertEquals([...scene.outcomes], [["a", { position: 0n }]]);
  assertEquals(scene.session.nextTimeoutMs, Infinity, "what is ordered is not sent again");
  // The machine crashed, and the log with it: b was ordered and not synced.
  scene.broker.log.length = 1;
  const [model] = scene.broker.sessions.values();
  model!.positions.delete(1);
  model!.expected = model!.synced = 1;
  scene.cut();
  scene.settle();
  scene.expectLog(["a", "b"]);
  assertEquals(scene.outcomes.get("b"), { position: 1n });
});

test("a full store stops sending until it has room; who waits, waits", () => {
  const scene = open();
  scene.broker.full = true;
  publish(scene, "a", "b");
  while (scene.toBroker());
  while (scene.toClient());
  assertEquals(eventTypes(scene), ["opened", "storeFull"]);
  scene.wait(3_000);
  assertEquals(scene.sent, [], "nothing is sent again in vain");
  publish(scene, "c");
  scene.broker.full = false;
  tell(scene, { type: "storeState", state: "resumed", message: "" });
  assertEquals(scene.sent, ["batch 1/0", "batch 1/1", "batch 1/2"]);
  scene.settle();
  scene.expectLog(["a", "b", "c"]);
  assertEquals(eventTypes(scene), ["opened", "storeFull", "storeResumed"]);
});

test("a full store that says nothing more is asked now and then", () => {
  const scene = open();
  scene.broker.full = true;
  publish(scene, "a");
  scene.toBroker();
  scene.toClient();
  for (let i = 0; i < 3; i++) {
    scene.wait(5_000);
    assertEquals(scene.sent, ["batch 1/0"]);
    scene.toBroker();
    scene.toClient();
  }
  scene.broker.full = false;
  scene.wait(5_000);
  scene.settle();
  scene.expectLog(["a"]);
  assertEquals(eventTypes(scene), ["opened", "storeFull", "storeResumed"]);
});

test("closing waits for what was published, then closes the session", () => {
  const scene = open();
  publish(scene, "a");
  scene.session.append("b", undefined, "b");
  scene.session.close(0);
  assertThrows(() => scene.session.append("c"), LogError, "closed");
  assertEquals(scene.sent, ["batch 1/0", "batch 1/1"]);
  while (scene.toBroker());
  scene.broker.ackAll();
  while (scene.toClient());
  assertEquals(scene.sent, ["closeSession"]);
  assertEquals([scene.session.state, scene.session.endedClean, scene.outcomes.size], ["closed", true, 2]);
});

test("closing what was never open: at once without a link, in order with one", () => {
  const offline = new Scene();
  offline.session.close(0);
  assertEquals(offline.session.state, "closed");
  const opening = new Scene();
  opening.link();
  opening.session.close(0);
  assertEquals(opening.session.state, "opening");
  opening.toBroker();
  opening.toClient();
  assertEquals([opening.session.state, opening.sent], ["closed", ["closeSession"]]);
});

test("abandoning rejects what is not acknowledged", () => {
  const scene = open();
  publish(scene, "a", "b");
  ack(scene, 1);
  scene.session.append("c", undefined, "c");
  scene.session.abandon(new LogError("ERR_LOG_CLOSED", "enough"));
  assertEquals(["a", "b", "c"].map((value) => codeOf(scene.outcomes.get(value))), [
    undefined,
    "ERR_LOG_CLOSED",
    "ERR_LOG_CLOSED",
  ]);
  assertEquals([scene.session.endedClean, scene.session.settledThrough], [false, 3]);
  assertEquals(scene.session.progress, {
    brokers: [{ brokerId: 0, records: 1 }],
    acknowledged: 1,
    submitted: 3,
    refused: 2,
  });
  assertThrows(() => scene.session.append("d"), LogError, "enough");
});

test("sequences rise, of named publishers alone, and are judged when the last one is known", () => {
  const nameless = open();
  assertThrows(() => nameless.session.append("a", { sequence: 1n }), MisuseError, '"name"');
  const scene = new Scene({ publisher: "p" });
  assertThrows(() => scene.session.append("a", { sequence: -1n }), MisuseError, "0n");
  assertThrows(() => scene.session.append("a", { sequence: 1n << 64n }), MisuseError, "2n**64n-1n");
  assertEquals([scene.session.append("a", { sequence: 5n }), scene.session.isWritable], [FULL, false]);
  scene.link();
  scene.toBroker();
  scene.toClient();
  assert(scene.session.isWritable);
  assert(scene.publish("a", { sequence: 5n }));
  const error = assertThrows(
    () => scene.session.append("b", { sequence: 5n }),
    LogError,
    "the last one was 5",
  );
  assertEquals([error.code, scene.session.lastSequence, scene.session.submitted], [
    "ERR_LOG_SEQUENCE",
    5n,
    1,
  ]);
  assert(scene.publish("b", { sequence: 6n }));
  assert(scene.publish("c"), "one without a sequence");
  scene.settle();
  // A restarted program goes on where the log ends.
  const again = new Scene({ publisher: "p" });
  for (const session of scene.broker.sessions.values()) again.broker.sessions.set(session.id, session);
  again.link();
  again.toBroker();
  again.toClient();
  assertEquals([again.session.epoch, again.session.lastSequence], [2, 6n]);
  assertThrows(() => again.session.append("b", { sequence: 6n }), LogError, "the last one was 6");
});

test("an open that is refused ends the publisher; for a full store it is tried again", () => {
  const scene = new Scene();
  publish(scene, "a");
  scene.link();
  const refused = { type: "refused", session: 0n, epoch: 0, batch: 0 } as const;
  scene.give({ ...refused, request: 1, error: { code: "ERR_LOG_STORE_FULL", message: "full" } });
  assertEquals([scene.session.state, scene.session.nextTimeoutMs], ["opening", 5_000]);
  scene.wait(5_000);
  assertEquals(scene.sent, ["open 0 acknowledged 0", "open 0 acknowledged 0"]);
  scene.give({ ...refused, request: 2, error: { code: "ERR_LOG_SESSIONS", message: "too many" } });
  assertEquals([scene.session.state, codeOf(scene.outcomes.get("a"))], ["failed", "ERR_LOG_SESSIONS"]);
});

test("answers to older requests, and to none, are nobody's", () => {
  const scene = new Scene();
  scene.link();
  scene.cut();
  scene.link();
  const opened = {
    type: "sessionOpened",
    session: 1n,
    epoch: 1,
    nextBatch: 0,
    nextSyncedBatch: 0,
    limit: 9,
  } as const;
  const more = { windowBytes: 9, lastSequence: undefined, generation: 1, runs: [] };
  scene.give({ ...opened, ...more, request: 1 });
  assertEquals(scene.session.state, "opening");
  scene.give({ ...opened, ...more, request: 2 });
  assertEquals(scene.session.state, "open");
});

test("what a broker with narrower limits refuses has used no sequence", () => {
  const scene = new Scene({ publisher: "importer", windowBytes: 8_000 });
  scene.link();
  while (scene.toBroker() || scene.toClient());
  scene.publish("first", { sequence: 1n });
  scene.settle();
  scene.cut();
  // A batch of its own, which leaves when there is a link.
  scene.publish("x".repeat(1_500), { sequence: 2n });
  assertEquals(scene.session.lastSequence, 2n);
  scene.link({ batchBytesMax: 1_000 });
  assertEquals(scene.events.filter(({ type }) => type === "refused").length, 1);
  assertEquals(scene.session.lastSequence, 1n);
  scene.publish("second", { sequence: 2n });
  scene.settle();
  scene.expectLog(["first", "second"]);
});
