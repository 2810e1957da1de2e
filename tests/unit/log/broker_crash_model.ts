/**
 * Publishers that are told nothing but answers, and a judge who knows what they submitted.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Ack } from "../../../src/log/topic_options.ts";
import type { Peer, SeenRecord } from "./broker_peer.ts";
import type { BrokerScene } from "./broker_scene.ts";

/** One program that publishes `name/0`, `name/1` … in this order, whatever happens to the broker. */
export class ModelPublisher {
  readonly scene: BrokerScene;
  readonly name: string;
  readonly ack: Ack;
  readonly valueBytes: number;
  /** Values below were acknowledged: at its ack, and as synced. */
  acknowledged = 0;
  synced = 0;
  /** Values below were submitted. */
  submitted = 0;
  peer: Peer | undefined;
  #session = 0n;
  #epoch = 0;
  /** The next batch to send. */
  #next = 0;
  #limit = 0;
  #open = false;

  constructor(scene: BrokerScene, name: string, ack: Ack, valueBytes: number) {
    this.scene = scene;
    this.name = name;
    this.ack = ack;
    this.valueBytes = valueBytes;
  }

  value(batch: number): string {
    return `${this.name}/${batch}/`.padEnd(this.valueBytes, "x");
  }

  /** Does something, where it can; submits no new value from the `end`th on. */
  act(end: number = Infinity): void {
    if (this.peer === undefined || !this.peer.open) return this.#connect();
    this.#listen();
    if (!this.#open || !this.peer.open || this.#next >= Math.min(this.#limit, end)) return;
    const batch = this.#next++;
    this.submitted = Math.max(this.submitted, this.#next);
    this.peer.publish({ session: this.#session, epoch: this.#epoch }, batch, this.value(batch));
  }

  /** The broker is gone, and nobody knows what it did last. */
  lost(machine: boolean): void {
    this.peer = undefined;
    this.#open = false;
    // What was only written does not survive the machine.
    if (machine) this.acknowledged = Math.min(this.acknowledged, this.synced);
  }

  #connect(): void {
    const peer = this.peer = this.scene.peer();
    this.#open = false;
    peer.say({ type: "openTopic", request: 1, topic: "orders", options: {} });
    if (this.#session === 0n) this.#begin();
    else this.#ask(this.#epoch);
  }

  #begin(): void {
    this.#session = this.scene.newSession() + 1_000n;
    this.#epoch = 0;
    this.#ask(0);
  }

  #ask(epoch: number): void {
    const acknowledged = epoch === 0 ? 0 : this.acknowledged;
    const { ack, scene } = this;
    const asked = { session: this.#session, epoch, acknowledged, ack };
    void scene;
    this.peer!.askSession(asked);
  }

  #listen(): void {
    for (const message of this.peer!.told.splice(0)) {
      if (message.type === "sessionOpened") {
        // The epochs of this model end only with everything that they had.
        assert(this.#epoch === 0 || message.epoch === this.#epoch, "an epoch that it did not ask for");
        this.#epoch = message.epoch;
        assert(message.nextBatch >= this.acknowledged, `${this.name}: acknowledged and gone`);
        this.#open = true;
        this.#next = message.nextBatch;
        this.#heard(message.nextBatch, message.nextSyncedBatch, message.limit);
      } else if (message.type === "ack") {
        this.#heard(message.nextBatch, message.nextSyncedBatch, message.limit);
      } else if (message.type === "grant") this.#limit = message.limit;
      else if (message.type === "fenced") {
        assertEquals([message.reason, this.acknowledged], ["sessionUnknown", 0], this.name);
        this.#begin();
      } else if (message.type === "refused" && message.error.code === "ERR_LOG_STORE_FULL") {
        this.#next = Math.min(this.#next, message.batch);
      } else if (message.type === "refused") {
        assertEquals(message.error.code, "ERR_LOG_TOPIC", message.error.message);
        this.peer!.vanish();
        return;
      }
    }
  }

  #heard(nextBatch: number, nextSyncedBatch: number, limit: number): void {
    assert(nextSyncedBatch <= nextBatch && nextBatch <= this.submitted, "never above what was sent");
    const told = this.ack === 2 ? nextSyncedBatch : nextBatch;
    this.acknowledged = Math.max(this.acknowledged, told);
    this.synced = Math.max(this.synced, nextSyncedBatch);
    this.#limit = limit;
  }
}

/** Reads everything from `from` on. */
export function readAll(scene: BrokerScene, from: bigint = 0n): SeenRecord[] {
  const peer = openedPeer(scene);
  const { seen } = peer;
  for (let next = from;;) {
    peer.read(next);
    const { entries } = peer.wait("records");
    if (entries.length === 0) break;
    next = seen.at(-1)!.position + 1n;
  }
  peer.vanish();
  return seen;
}

/** A link for which the topic is open. A store that could not be opened is tried again. */
function openedPeer(scene: BrokerScene): Peer {
  for (let tries = 0; tries < 5; tries++) {
    const peer = scene.peer();
    peer.say({ type: "openTopic", request: 1, topic: "orders", options: {} });
    scene.until(() => peer.told.length > 0 || !peer.open);
    if (peer.told.shift()?.type === "topicOpened") return peer;
    peer.vanish();
  }
  throw new Error("the topic cannot be opened");
}

/**
 * Fails unless positions have no hole, and every publisher's values are there in its order, each once, and at least those that
 * it was promised. With a first position above 0 what is missing in front is not looked at.
 */
export function judge(seen: readonly SeenRecord[], publishers: readonly ModelPublisher[]): void {
  const first = seen[0]?.position ?? 0n;
  seen.forEach(({ position }, at) => assertEquals(position, first + BigInt(at), "a hole"));
  for (const publisher of publishers) {
    const own = seen.filter(({ value }) => value.startsWith(`${publisher.name}/`));
    const from = first === 0n ? 0 : Number(own[0]?.value.split("/")[1] ?? 0);
    own.forEach(({ value }, at) => assertEquals(value, publisher.value(from + at)));
    const end = from + own.length;
    if (first === 0n) assert(end >= publisher.acknowledged, `${publisher.name}: acknowledged and gone`);
    assert(end <= publisher.submitted, "nobody submitted that");
  }
}
