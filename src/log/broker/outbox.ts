/**
 * What a link is to be told, in order, while it has no room: answers and events in a queue, acknowledgements as the latest
 * value of each session.
 *
 * @module
 */

import { countBytes } from "../../bytes/bytes.ts";
import type { Crc32 } from "../../bytes/crc32.ts";
import type { FrameLink } from "../link.ts";
import { encodeMessage } from "../wire/codec.ts";
import type { BrokerMessage, Records } from "../wire/messages.ts";
import type { Topic } from "./topic.ts";

/** A peer that asks and does not read is ended at so many answers, or so many bytes of them. */
const MESSAGES_MAX = 4_096;
const BYTES_MAX = 67_108_864;

/** See the module. */
export class Outbox {
  readonly #link: FrameLink;
  readonly #crc32: Crc32;
  readonly #messages: Uint8Array[][] = [];
  #bytes = 0;
  /** Sessions whose ack was not taken yet. */
  readonly #acks: Map<bigint, Topic> = new Map();
  #flooded: (() => void) | undefined;

  /** `flooded` is called once, when the peer does not read its answers. */
  constructor(link: FrameLink, crc32: Crc32, flooded: () => void) {
    this.#link = link;
    this.#crc32 = crc32;
    this.#flooded = flooded;
  }

  /** Whether everything has left. */
  get empty(): boolean {
    return this.#messages.length === 0 && this.#acks.size === 0;
  }

  tell(message: BrokerMessage): void {
    this.#push(encodeMessage(message, this.#crc32));
  }

  tellRecords(records: Records, bodies: readonly Uint8Array[]): void {
    this.#push([...encodeMessage(records, this.#crc32), ...bodies]);
  }

  /** Sends now or not at all. Nothing overtakes what is queued. */
  trySendRecords(records: Records, bodies: readonly Uint8Array[]): boolean {
    if (!this.empty) return false;
    return this.#link.trySend([...encodeMessage(records, this.#crc32), ...bodies]);
  }

  ackReady(topic: Topic, session: bigint): void {
    this.#acks.set(session, topic);
    if (this.#messages.length === 0) this.#sendAcks();
  }

  /** The link has room. */
  flush(): void {
    while (this.#messages.length > 0) {
      const first = this.#messages[0]!;
      if (!this.#link.trySend(first)) return;
      this.#messages.shift();
      this.#bytes -= countBytes(first);
    }
    this.#sendAcks();
  }

  /** Acks of this session before anything that is told next. */
  ackNow(session: bigint): void {
    const topic = this.#acks.get(session);
    if (topic === undefined) return;
    this.#acks.delete(session);
    const ack = topic.sessions.takeAck(session);
    if (ack !== undefined) this.tell(ack);
  }

  /** Nothing is to be told of this session any more. */
  forgetAck(session: bigint): void {
    this.#acks.delete(session);
  }

  clear(): void {
    this.#messages.length = 0;
    this.#bytes = 0;
    this.#acks.clear();
    this.#flooded = undefined;
  }

  #push(frames: Uint8Array[]): void {
    if (this.#messages.length === 0 && this.#link.trySend(frames)) return;
    this.#messages.push(frames);
    this.#bytes += countBytes(frames);
    if (this.#messages.length <= MESSAGES_MAX && this.#bytes <= BYTES_MAX) return;
    const flooded = this.#flooded;
    this.#flooded = undefined;
    flooded?.();
  }

  /** An ack that cannot leave is made again when it can: it says more then. So it is only taken when it leaves, or queued. */
  #sendAcks(): void {
    for (const [session, topic] of this.#acks) {
      if (this.#messages.length > 0) return;
      this.#acks.delete(session);
      const ack = topic.sessions.takeAck(session);
      if (ack !== undefined) this.tell(ack);
    }
  }
}
