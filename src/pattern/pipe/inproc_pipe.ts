/**
 * A pipe to another socket of the same context: messages are handed over by reference, without the codec. Its
 * high-water mark is the sender's plus the receiver's, as in libzmq; if either is 0, there is no limit.
 *
 * @module
 */

import { viewOf } from "../../bytes/bytes.ts";
import type { SharedRun } from "../../zmtp/shared_run.ts";
import { InboundQueue } from "./inbound_queue.ts";
import type { Outgoing } from "./outbound_queue.ts";
import type { Pattern, PatternOptions } from "../pattern.ts";
import { type Message, Pipe } from "./pipe.ts";

/** One end of an inproc connection. `InprocSession` (src/session/inproc_session.ts) joins two of them. */
export class InprocPipe extends Pipe {
  readonly #pattern: Pattern;
  readonly #options: PatternOptions;
  readonly #conflate: boolean;
  readonly #refuse: (why: Error) => void;
  readonly #busy: (on: boolean) => void;
  #inbound: InboundQueue;
  #other: InprocPipe | undefined;
  /** Messages sent before the other end was there. */
  #waiting: Message[] = [];
  #waitingBytes = 0;
  /** At this many waiting messages, a sender that was refused has room again; -1: none was refused. */
  #mutedAt = -1;

  constructor(init: {
    readonly pattern: Pattern;
    readonly options: PatternOptions;
    /** Keep only the newest message, in both directions. */
    readonly conflate: boolean;
    readonly busy: (on: boolean) => void;
    readonly refuse: (why: Error) => void;
  }) {
    super();
    this.#pattern = init.pattern;
    this.#options = init.options;
    this.#conflate = init.conflate;
    this.#refuse = init.refuse;
    this.#busy = init.busy;
    this.#inbound = new InboundQueue({
      mark: { messages: 0, bytes: 0 },
      conflate: init.conflate,
      events: { readable: () => this.#pattern.readable(this), drained: () => {} },
    });
  }

  /** Joins this end to `other`. What was sent before goes over with {@link deliverWaiting}. */
  meet(other: InprocPipe): void {
    this.#other = other;
    this.connected = true;
  }

  /** Hands over what waited for the other end. */
  deliverWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const message of waiting) this.#other!.#take(message);
    if (waiting.length > 0) this.#busy(false);
  }

  /** Drops what waited for the other end. */
  discardWaiting(): void {
    if (this.#waiting.length === 0) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#busy(false);
  }

  /** The other end is gone; what it sent stays readable. */
  part(): void {
    this.#other = undefined;
    this.connected = false;
  }

  get canWrite(): boolean {
    if (this.closed || this.#mutedAt >= 0) return false;
    if (this.#belowMark()) return true;
    this.#mute();
    return false;
  }

  write(message: Outgoing): boolean {
    if (!this.canWrite) return false;
    const copy = plainFrames(message);
    if (this.#other !== undefined) {
      this.#other.#take(copy);
    } else {
      const first = this.#waiting.length === 0;
      if (this.#conflate) this.#waiting.length = 0;
      this.#waiting.push(copy);
      for (let i = 0; i < copy.length; i++) this.#waitingBytes += copy[i]!.length;
      if (first) this.#busy(true);
    }
    return true;
  }

  writeShared(_run: SharedRun, message: Outgoing): boolean {
    return this.write(message);
  }

  read(): Message | undefined {
    const message = this.#inbound.read();
    if (message !== undefined && this.#other !== undefined) this.#other.#credit();
    return message;
  }

  override drop(): void {
    this.#inbound.drop();
  }

  get readableMessages(): number {
    return this.#inbound.messages;
  }

  get queuedMessages(): number {
    return this.#waiting.length;
  }

  subscribe(topic: Uint8Array, on: boolean): void {
    const other = this.#other;
    if (other !== undefined && other.#pattern.inbound === "subscriptions") {
      other.#pattern.subscription(other, topic, on);
    }
  }

  refuse(why: Error): void {
    this.#refuse(why);
  }

  #take(message: Message): void {
    if (this.#pattern.inbound === "discard" || this.#pattern.type === "PUB") return;
    let bytes = 0;
    for (let i = 0; i < message.length; i++) bytes += message[i]!.length;
    // A sender that conflates has no queue of its own here: the newest message replaces the others.
    const sender = this.#other;
    if (sender !== undefined && sender.#conflate) this.#inbound.clear();
    this.#inbound.message(message, bytes);
    if (this.#pattern.inbound === "subscriptions") this.#pattern.upstream(this);
    this.#inbound.announce();
  }

  #belowMark(): boolean {
    const other = this.#other;
    if (this.#conflate) return true;
    const send = this.#options.sendMark;
    if (other === undefined) {
      return (send.messages === 0 || this.#waiting.length < send.messages) &&
        (send.bytes === 0 || this.#waitingBytes < send.bytes);
    }
    const receive = other.#options.receiveMark;
    const messages = other.#inbound.messages;
    if (send.messages !== 0 && receive.messages !== 0 && messages >= send.messages + receive.messages) {
      return false;
    }
    if (send.bytes !== 0 && receive.bytes !== 0 && other.#inbound.bytes >= send.bytes + receive.bytes) {
      return false;
    }
    return true;
  }

  #mute(): void {
    const full = this.#other === undefined ? this.#waiting.length : this.#other.#inbound.messages;
    this.#mutedAt = full - ((full + 1) >> 1);
  }

  /** The receiver took a message. At half the mark the sender may go on. */
  #credit(): void {
    if (this.#mutedAt < 0 || this.#other === undefined || this.#other.#inbound.messages > this.#mutedAt) {
      return;
    }
    this.#unmute();
  }

  #unmute(): void {
    this.#mutedAt = -1;
    if (!this.closed) this.#pattern.writable(this);
  }

  /** Checks for room again. The mark changes when the ends meet or part, and when an option is set. */
  reviewMark(): void {
    if (this.#mutedAt >= 0 && this.#belowMark()) this.#unmute();
  }
}

/** Returns the message as its receiver gets it: a new array of plain `Uint8Array`s, never of a subclass. */
function plainFrames(message: Outgoing): Message {
  if (message instanceof Uint8Array) return [plainFrame(message)];
  const frames: Uint8Array[] = [];
  for (let i = 0; i < message.length; i++) frames.push(plainFrame(message[i]!));
  return frames;
}

function plainFrame(frame: Uint8Array): Uint8Array {
  return Object.getPrototypeOf(frame) === Uint8Array.prototype ? frame : viewOf(frame, 0, frame.length);
}
