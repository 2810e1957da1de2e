import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { crc32 } from "../../../src/bytes/crc32.ts";
import { Connection, refusalOf, type RenewedLink } from "../../../src/log/client/connection.ts";
import type { LogError } from "../../../src/log/errors.ts";
import { decodeMessage, encodeMessage, WireError } from "../../../src/log/wire/codec.ts";
import type { AckMessage, BrokerMessage, LogMessage, Welcome } from "../../../src/log/wire/messages.ts";
import type { Host } from "../../../src/ports.ts";

const WELCOME: Welcome = {
  type: "welcome",
  version: 1,
  features: 0,
  brokerId: 3,
  logId: 9n,
  batchBytesMax: 4_096,
};

/** A connection over a link that is the test. */
class Scene implements RenewedLink {
  readonly local = false;
  readonly ended: Promise<void> = Promise.resolve();
  readonly sent: LogMessage["type"][] = [];
  readonly told: string[] = [];
  readonly resets: (Error | undefined)[] = [];
  readonly timers: (() => void)[] = [];
  failure: LogError | undefined;
  closes = 0;
  /** Messages that the link still takes. */
  room = Infinity;
  readonly connection: Connection;

  constructor() {
    const host = {
      nowMs: () => 0,
      schedule: (_ms: number, run: () => void) => {
        this.timers.push(run);
        return () => void this.timers.splice(this.timers.indexOf(run), 1);
      },
    } as unknown as Host;
    this.connection = new Connection({
      host,
      crc32,
      link: () => this,
      connected: ({ brokerId }) => void this.told.push(`connected to ${brokerId}`),
      disconnected: (error) => void this.told.push(`disconnected: ${error?.message}`),
      failed: (error) => void (this.failure = error),
    });
  }

  trySend(frames: readonly Uint8Array[]): boolean {
    if (this.room === 0) return false;
    this.room--;
    const message = decodeMessage([...frames], crc32);
    assert(!(message instanceof WireError) && message.type !== "unknown", "it sent nonsense");
    this.sent.push(message.type);
    return true;
  }

  reset(reason?: Error): void {
    this.resets.push(reason);
  }

  close(): void {
    this.closes++;
  }

  give(message: BrokerMessage): void {
    this.connection.message(encodeMessage(message, crc32));
  }

  open(): this {
    this.connection.opened();
    this.give(WELCOME);
    return this;
  }
}

function ack(session: bigint): AckMessage {
  return { type: "ack", session, epoch: 1, nextBatch: 0, nextSyncedBatch: 0, limit: 1, runs: [] };
}

test("users are told in their order: publishers, readers, consumers, askers; a late one at once", () => {
  const scene = new Scene();
  const { connection } = scene;
  const user = (name: string) => ({
    linked: ({ brokerId }: Welcome) => void scene.told.push(`${name} linked to ${brokerId}`),
    unlinked: () => void scene.told.push(`${name} unlinked`),
    superseded: () => {},
  });
  connection.add(connection.askers, user("asker"));
  connection.add(connection.consumers, user("consumer"));
  connection.add(connection.readers, user("reader"));
  connection.add(connection.publishers, user("publisher"));
  connection.opened();
  assertEquals([scene.sent, scene.told, connection.broker], [["hello"], [], undefined]);
  scene.give(WELCOME);
  const names = ["publisher", "reader", "consumer", "asker"];
  assertEquals(scene.told, ["connected to 3", ...names.map((name) => `${name} linked to 3`)]);
  connection.add(connection.readers, user("late"));
  assertEquals(scene.told.splice(0).at(-1), "late linked to 3");
  connection.closed(new Error("gone"));
  assertEquals(scene.told.splice(0), [
    ...["publisher", "reader", "late", "consumer", "asker"].map((name) => `${name} unlinked`),
    "disconnected: gone",
  ]);
  // A link that was never greeted unlinks nobody.
  connection.opened();
  connection.closed();
  assertEquals(scene.told, ["disconnected: undefined"]);
});

test("what is sent waits for room in order, and batches do not overtake it; nothing of a link outlives it", () => {
  const scene = new Scene().open();
  const { connection } = scene;
  scene.sent.length = 0;
  scene.room = 1;
  const answered: string[] = [];
  const batch = {
    type: "batch",
    session: 1n,
    epoch: 1,
    batch: 0,
    count: 1,
    lastSequence: undefined,
  } as const;
  const body = new Uint8Array(8);
  const tryBatch = (): boolean =>
    connection.trySendBatch({ ...batch, bodyBytes: 8, bodyCrc: crc32(body, 0) }, body);
  for (let times = 0; times < 3; times++) {
    connection.send({
      type: "status",
      request: connection.nextRequest(({ type }) => void answered.push(type)),
    });
  }
  assertEquals([scene.sent.length, tryBatch()], [1, false]);
  scene.room = 1;
  connection.writable();
  assertEquals([scene.sent.length, tryBatch()], [2, false]);
  scene.room = 9;
  let writable = 0;
  connection.add(connection.publishers, {
    linked: () => {},
    unlinked: () => {},
    writable: () => void writable++,
  });
  connection.writable();
  assertEquals([[...scene.sent], writable, tryBatch()], [["status", "status", "status"], 1, true]);
  scene.give({ type: "statusReport", request: 2, report: {} });
  scene.give({ type: "statusReport", request: 2, report: {} });
  assertEquals(answered, ["statusReport"]);
  scene.room = 0;
  connection.send({ type: "status", request: 9 });
  connection.closed();
  scene.room = 9;
  scene.sent.length = 0;
  connection.send({ type: "status", request: 9 });
  assertEquals(tryBatch(), false);
  scene.open();
  scene.give({ type: "statusReport", request: 1, report: {} });
  assertEquals([scene.sent, answered.length], [["hello"], 1], "an answer to a question of the link before");
});

test("a broker that speaks another version, or no version, ends it for good", () => {
  for (const answer of ["refused", "unsupported"] as const) {
    const scene = new Scene();
    scene.connection.opened();
    const error = { code: "ERR_LOG_UNSUPPORTED" as const, message: "version 7 only" };
    scene.give(
      answer === "refused"
        ? { type: "refused", request: 0, session: 0n, epoch: 0, batch: 0, error }
        : { type: "unsupported", request: 0, unknownType: 1 },
    );
    assertEquals([scene.failure?.code, scene.closes], ["ERR_LOG_UNSUPPORTED", 1]);
    scene.connection.opened();
    scene.give(WELCOME);
    assertEquals([scene.connection.state, scene.told], ["closed", []]);
  }
});

test("no welcome in time, and frames that are none, make another link; what nobody knows is answered", () => {
  const silent = new Scene();
  silent.connection.opened();
  silent.timers[0]!();
  assertEquals((silent.resets[0] as LogError).code, "ERR_LOG_TIMEOUT");
  const scene = new Scene().open();
  assertEquals(scene.timers, [], "welcome ends the wait");
  scene.connection.message([new Uint8Array(3)]);
  assertEquals((scene.resets[0] as LogError).code, "ERR_LOG_MALFORMED");
  const [header] = encodeMessage({ type: "status", request: 5 }, crc32);
  header![1] = 0x7e;
  const view = new DataView(header!.buffer, header!.byteOffset, header!.length);
  view.setUint32(60, crc32(header!.subarray(0, 60), 0), true);
  scene.connection.message([header!]);
  assertEquals([scene.sent.at(-1), scene.resets.length], ["unsupported", 1]);
});

test("sessions, streams and requests get what is theirs, and nothing once they were given up", () => {
  const scene = new Scene().open();
  const { connection } = scene;
  const heard: string[] = [];
  const handler = (name: string) => ({
    sessionMessage: ({ type }: { type: string }) => void heard.push(name + type),
  });
  const [one, other] = [handler("one "), handler("other ")];
  connection.bindSession(5n, 0n, one);
  scene.give(ack(5n));
  scene.give(ack(6n));
  connection.bindSession(6n, 5n, one);
  scene.give(ack(5n));
  connection.bindSession(6n, 0n, other);
  // It gives up what is another's by now.
  connection.bindSession(0n, 6n, one);
  scene.give(ack(6n));
  assertEquals(heard.splice(0), ["one ack", "other ack"]);
  const cursor = connection.nextCursor({ cursorMessage: ({ type }) => void heard.push(type) });
  const request = connection.nextRequest(({ type }) => void heard.push(`answer ${type}`));
  const forgotten = connection.nextRequest(() => void heard.push("never"));
  connection.forgetRequest(forgotten);
  const error = { code: "ERR_LOG_CUT" as const, message: "cut" };
  for (const number of [forgotten, request, request]) {
    scene.give({ type: "refused", request: number, session: 0n, epoch: 0, batch: 0, error });
  }
  scene.give({ type: "cursorEnded", cursor, error });
  scene.give({ type: "cursorEnded", cursor, error });
  assertEquals(heard.splice(0), ["answer refused", "cursorEnded"]);
  const closed = connection.nextCursor({ cursorMessage: () => void heard.push("never") });
  connection.send({ type: "unsubscribe", cursor: closed });
  scene.give({ type: "cursorEnded", cursor: closed, error });
  assertEquals(heard, []);
});

test("closing unlinks users once and closes the link once", () => {
  const scene = new Scene().open();
  let unlinked = 0;
  scene.connection.add(scene.connection.readers, { linked: () => {}, unlinked: () => void unlinked++ });
  scene.connection.close();
  scene.connection.close();
  scene.connection.closed();
  scene.connection.failed(new Error("late"), 5);
  assertEquals([unlinked, scene.closes, scene.told], [1, 1, ["connected to 3"]]);
});

test("an answer of another kind is an error that says so", () => {
  assertEquals(
    refusalOf({ type: "unsupported", request: 1, unknownType: 9 }, "t").code,
    "ERR_LOG_UNSUPPORTED",
  );
  assertEquals(refusalOf({ type: "done", request: 1, position: 0n }, "t").code, "ERR_LOG_MALFORMED");
  const error = { code: "ERR_LOG_TRIMMED" as const, message: "gone", from: 1n, to: 2n };
  const refused = refusalOf({ type: "refused", request: 1, session: 0n, epoch: 0, batch: 0, error }, "t");
  assertEquals([refused.code, refused.topic, refused.from, refused.to], ["ERR_LOG_TRIMMED", "t", 1n, 2n]);
});
