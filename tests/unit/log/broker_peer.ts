/**
 * A client of a broker that says one message after the other, and keeps what it is told.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { crc32 } from "../../../src/bytes/crc32.ts";
import type { FrameLink, InputControl, LinkEvents } from "../../../src/log/link.ts";
import { BatchBuilder } from "../../../src/log/wire/batch_builder.ts";
import { decodeMessage, encodeMessage, WireError } from "../../../src/log/wire/codec.ts";
import type * as M from "../../../src/log/wire/messages.ts";
import { RecordBatch } from "../../../src/log/wire/record.ts";
import type { BodyAllocator } from "../../../src/zmtp/frame_sink.ts";
import { type BrokerScene, text } from "./broker_scene.ts";

export interface PeerOptions {
  /** Whether hello is said at once. Default: it is. */
  readonly greet?: boolean;
  readonly local?: boolean;
  readonly input?: InputControl;
}

export interface SeenRecord {
  readonly position: bigint;
  readonly value: string;
}

type Told<Type extends M.BrokerMessage["type"]> = Extract<M.BrokerMessage, { readonly type: Type }>;

/** A body with these records. */
export function bodyOf(values: readonly string[]): Uint8Array {
  const builder = new BatchBuilder(
    new Uint8Array(64 + values.reduce((sum, { length }) => sum + length + 16, 0)),
  );
  for (const value of values) assert(builder.append(value));
  return builder.body().slice();
}

/** A batch's message for such a body. */
export function batchOf(
  session: bigint,
  epoch: number,
  batch: number,
  body: Uint8Array,
  count: number,
  lastSequence?: bigint,
): M.Batch {
  const bodyCrc = crc32(body, 0);
  return { type: "batch", session, epoch, batch, count, lastSequence, bodyBytes: body.length, bodyCrc };
}

/** See the module. */
export class Peer implements FrameLink {
  readonly local: boolean;
  readonly scene: BrokerScene;
  readonly events: LinkEvents;
  readonly allocator: BodyAllocator | undefined;
  /** What it was told and did not look at yet. */
  readonly told: M.BrokerMessage[] = [];
  /** Bodies of records, in the order of their messages. */
  readonly seen: SeenRecord[] = [];
  readonly bodies: Uint8Array[] = [];
  /** How many more messages its link takes. */
  room: number = Infinity;
  refusedSends = 0;
  /** The broker ended the link. */
  reason: Error | undefined;
  #ended = false;
  #inside = false;

  constructor(scene: BrokerScene, options: PeerOptions) {
    this.scene = scene;
    this.local = options.local ?? false;
    const { events, allocator } = scene.broker.connect(this, options.input, "a test");
    this.events = events;
    this.allocator = allocator;
  }

  get open(): boolean {
    return !this.#ended && this.reason === undefined;
  }

  trySend(frames: readonly Uint8Array[]): boolean {
    assert(this.open, "nothing is sent over a link that has ended");
    if (this.room <= 0) {
      this.refusedSends++;
      return false;
    }
    this.room--;
    const message = decodeMessage(frames.map((frame) => frame.slice()), crc32);
    assert(
      !(message instanceof WireError) && message.type !== "unknown",
      "the broker speaks the wire's language",
    );
    if (message.type === "records") this.#took(message, frames.slice(2));
    this.told.push(message as M.BrokerMessage);
    return true;
  }

  close(reason?: Error): void {
    assert(this.open, "a link is closed once");
    this.reason = reason ?? new Error("without a reason");
  }

  /** Says a message in a burst of its own. */
  say(message: M.ClientMessage, ...bodies: Uint8Array[]): this {
    this.sayMore(message, ...bodies);
    this.scene.broker.endOfBurst();
    return this;
  }

  /** Says a message, and the burst goes on. */
  sayMore(message: M.ClientMessage, ...bodies: Uint8Array[]): this {
    this.raw([...encodeMessage(message, crc32), ...bodies]);
    return this;
  }

  raw(frames: Uint8Array[]): void {
    this.#inside = true;
    if (this.open) this.events.message(frames);
    this.#inside = false;
  }

  /** The link has room for so many messages again. */
  writable(room: number = Infinity): void {
    this.room = room;
    if (this.open) this.events.writable();
  }

  /** The link is gone. */
  vanish(): void {
    if (!this.open) return;
    this.#ended = true;
    this.events.closed(new Error("it vanished"));
    this.scene.broker.endOfBurst();
  }

  /** The next message it was told, which must be of this type. */
  expect<Type extends M.BrokerMessage["type"]>(type: Type): Told<Type> {
    const message = this.told.shift();
    assertEquals(message?.type, type, `${JSON.stringify(message, plain)}`);
    return message as Told<Type>;
  }

  /** As {@link Peer.expect}, for what the broker says later. */
  wait<Type extends M.BrokerMessage["type"]>(type: Type): Told<Type> {
    this.scene.until(() => this.told.length > 0 || !this.open, `an answer of the type ${type}`);
    return this.expect(type);
  }

  /** A refusal with this code. */
  expectRefused(code: string, request?: number): M.Refused {
    const refused = this.expect("refused");
    assertEquals(refused.error.code, code, refused.error.message);
    if (request !== undefined) assertEquals(refused.request, request);
    return refused;
  }

  /** Everything of this type that it was told; takes all other messages as well. */
  take<Type extends M.BrokerMessage["type"]>(type: Type): Told<Type>[] {
    return this.told.splice(0).filter((message): message is Told<Type> => message.type === type);
  }

  assertQuiet(): void {
    assertEquals(this.told, []);
  }

  /** Opens a topic, waits for the answer. */
  openTopic(topic = "orders", options: M.OpenTopic["options"] = {}): M.TopicOpened {
    this.say({ type: "openTopic", request: 1, topic, options });
    return this.wait("topicOpened");
  }

  openSession(change: Partial<M.OpenSession> = {}): M.SessionOpened {
    this.askSession(change);
    return this.wait("sessionOpened");
  }

  askSession(change: Partial<M.OpenSession> = {}): M.OpenSession {
    const message: M.OpenSession = {
      type: "openSession",
      request: 2,
      topic: "orders",
      publisher: "",
      session: change.publisher === undefined ? this.scene.newSession() : 0n,
      epoch: 0,
      acknowledged: 0,
      ack:
        this.scene.broker.topics.all.find(({ name }) => name === (change.topic ?? "orders"))?.options.ack ??
          1,
      windowBatches: 8,
      windowBytes: 8_192,
      ...change,
    };
    this.say(message);
    return message;
  }

  /** Publishes one batch with these records. */
  publish({ session, epoch }: { session: bigint; epoch: number }, batch: number, ...values: string[]): this {
    const body = bodyOf(values);
    return this.say(batchOf(session, epoch, batch, body, values.length), body);
  }

  publishMore(
    { session, epoch }: { session: bigint; epoch: number },
    batch: number,
    ...values: string[]
  ): this {
    const body = bodyOf(values);
    return this.sayMore(batchOf(session, epoch, batch, body, values.length), body);
  }

  subscribe(change: Partial<M.Subscribe> = {}): this {
    return this.say({
      type: "subscribe",
      request: 3,
      cursor: 1,
      topic: "orders",
      start: "earliest",
      from: 0n,
      generation: 0,
      creditBytes: 1_000_000,
      ...change,
    });
  }

  read(from: bigint, change: Partial<M.Read> = {}): this {
    return this.say({
      type: "read",
      request: 4,
      topic: "orders",
      from,
      bytesMax: 100_000,
      waitMs: 0,
      ...change,
    });
  }

  get inside(): boolean {
    return this.#inside;
  }

  #took(records: M.Records, bodies: readonly Uint8Array[]): void {
    assertEquals(bodies.length, records.entries.length, "as many bodies as entries");
    for (const [at, { position, timestampMs, count, bodyBytes, bodyCrc }] of records.entries.entries()) {
      const body = bodies[at]!.slice();
      assertEquals([body.length, crc32(body, 0)], [bodyBytes, bodyCrc], "a body is what its entry says");
      const batch = RecordBatch.open(body, { position, timestampMs, count });
      assert(batch instanceof RecordBatch);
      this.bodies.push(body);
      for (const record of batch.records()) {
        this.seen.push({ position: record.position, value: text(record.value) });
      }
    }
  }
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}
