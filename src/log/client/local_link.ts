/**
 * A client and a broker in one process: two queues of messages, handed over by reference at the end of the current
 * callback, one microtask for a burst in both directions. The embedded form's hot path.
 *
 * @module
 */

import { assert } from "../../assert.ts";
import { copyOf } from "../../bytes/bytes.ts";
import type { Scheduler, Task } from "../../engine/scheduler.ts";
import { messageBytes } from "../../socket/message.ts";
import { REFERENCE_BYTES_MIN } from "../../zmtp/segment.ts";
import type { AcceptLink, FrameLink, LinkEvents } from "../link.ts";
import { TurnAllowance } from "../links/turn_allowance.ts";
import type { ClientLink, ClientLinkEvents } from "./client_link.ts";

/** What {@link joinLocally} needs. */
export interface LocalLinkInit {
  readonly scheduler: Scheduler;
  /** The client's side. */
  readonly events: ClientLinkEvents;
  /** The broker's door; called at once. */
  readonly accept: AcceptLink;
  /** Behind each burst of messages for the broker, before anything else: the place for a sequencing round. */
  readonly endOfBurst: () => void;
  /** Bytes that may wait for either side before `trySend` answers false. Default 8 MiB. */
  readonly bytesMax?: number;
}

const BYTES_MAX = 8_388_608;
const ENDED: Promise<void> = Promise.resolve();

/** Joins a client to a broker of this process, and answers the client's end; `opened` follows. */
export function joinLocally(init: LocalLinkInit): ClientLink {
  return new LocalPair(init).client;
}

/** One end. Its fields belong to the pair. */
class LocalEnd implements ClientLink {
  readonly local = true;
  readonly ended: Promise<void> = ENDED;
  readonly #pair: LocalPair;
  events: LinkEvents | undefined;
  /** Bytes of the messages for this end. */
  inboxBytes = 0;
  /** Messages for this end; those that were taken are gone. */
  #inbox: (Uint8Array[] | undefined)[] = [];
  /** How many of them were taken. */
  #taken = 0;
  /** Its `trySend` was refused, and it was not told of room since. */
  wants = false;

  constructor(pair: LocalPair) {
    this.#pair = pair;
  }

  trySend(frames: readonly Uint8Array[]): boolean {
    return this.#pair.send(this, frames);
  }

  close(reason?: Error): void {
    this.#pair.close(this, reason);
  }

  get hasMessages(): boolean {
    return this.#inbox.length > 0;
  }

  put(message: Uint8Array[]): void {
    this.#inbox.push(message);
    this.inboxBytes += messageBytes(message);
  }

  /** The next message for this end. */
  take(): Uint8Array[] | undefined {
    const inbox = this.#inbox;
    const message = inbox[this.#taken];
    if (message === undefined) return undefined;
    inbox[this.#taken++] = undefined;
    if (this.#taken === inbox.length) {
      inbox.length = 0;
      this.#taken = 0;
    } else if (this.#taken >= 1_024 && this.#taken * 2 > inbox.length) {
      inbox.splice(0, this.#taken);
      this.#taken = 0;
    }
    this.inboxBytes -= messageBytes(message);
    return message;
  }

  drop(): void {
    this.#inbox = [];
    this.#taken = 0;
    this.inboxBytes = 0;
  }
}

/**
 * - `open`: messages go both ways.
 * - `closing`: one end was closed; what was sent to the other before is delivered, nothing more is taken.
 * - `closed`: both were told.
 */
type LocalState = "open" | "closing" | "closed";

class LocalPair implements Task {
  readonly client: LocalEnd;
  readonly broker: LocalEnd;
  readonly #scheduler: Scheduler;
  readonly #allowance: TurnAllowance;
  readonly #clientEvents: ClientLinkEvents;
  readonly #endOfBurst: () => void;
  readonly #bytesMax: number;
  #state: LocalState = "open";
  /** The client was told that the broker is there. */
  #opened = false;
  #closer: FrameLink | undefined;
  #reason: Error | undefined;
  #arranged = false;
  #turnArranged = false;

  constructor(init: LocalLinkInit) {
    this.#scheduler = init.scheduler;
    this.#allowance = new TurnAllowance(init.scheduler);
    this.#clientEvents = init.events;
    this.#endOfBurst = init.endOfBurst;
    this.#bytesMax = init.bytesMax ?? BYTES_MAX;
    this.client = new LocalEnd(this);
    this.broker = new LocalEnd(this);
    this.client.events = init.events;
    this.broker.events = init.accept(this.broker, undefined, "local").events;
    this.#arrange();
  }

  send(from: LocalEnd, frames: readonly Uint8Array[]): boolean {
    assert(frames.length > 0, "a message without frames");
    if (this.#state !== "open" || (from === this.client && !this.#opened)) return false;
    const to = from === this.client ? this.broker : this.client;
    if (to.inboxBytes >= this.#bytesMax) {
      from.wants = true;
      return false;
    }
    to.put(frames.map(keep));
    this.#arrange();
    return true;
  }

  close(closer: LocalEnd, reason: Error | undefined): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#closer = closer;
    this.#reason = reason;
    closer.drop();
    this.#arrange();
  }

  callbackEnded(): void {
    this.#arranged = false;
    this.#run();
  }

  turnEnded(): void {
    this.#turnArranged = false;
    this.#run();
  }

  #arrange(): void {
    if (this.#arranged) return;
    this.#arranged = true;
    this.#scheduler.afterCallback(this);
  }

  #run(): void {
    if (!this.#opened && this.#closer !== this.client) {
      this.#opened = true;
      this.#clientEvents.opened();
    }
    // The broker first: what it answers at the end of its burst still goes out with this one.
    if (this.#deliver(this.broker)) this.#endOfBurst();
    if (this.#deliver(this.client)) this.#clientEvents.endOfBurst?.();
    this.#tellWritable(this.client, this.broker);
    this.#tellWritable(this.broker, this.client);
    this.#tellClosed();
  }

  /** Answers whether there was anything. */
  #deliver(to: LocalEnd): boolean {
    let delivered = false;
    while (!this.#allowance.spent) {
      const message = to.take();
      if (message === undefined) return delivered;
      this.#allowance.spend(messageBytes(message));
      delivered = true;
      to.events!.message(message);
    }
    if (to.hasMessages && !this.#turnArranged) {
      this.#turnArranged = true;
      this.#scheduler.afterTurn(this);
    }
    return delivered;
  }

  /** Room is told at half the mark: who is woken for every message never batches. */
  #tellWritable(from: LocalEnd, to: LocalEnd): void {
    if (!from.wants || this.#state !== "open" || to.inboxBytes > this.#bytesMax / 2) return;
    from.wants = false;
    from.events!.writable();
  }

  #tellClosed(): void {
    if (this.#state !== "closing" || this.client.hasMessages || this.broker.hasMessages) return;
    this.#state = "closed";
    for (const end of [this.broker, this.client]) {
      if (end === this.client && !this.#opened) continue;
      end.events!.closed(end === this.#closer ? this.#reason : undefined);
    }
  }
}

/** As over a connection: a small frame is the sender's again at once, a large one is given away. */
function keep(frame: Uint8Array): Uint8Array {
  return frame.length < REFERENCE_BYTES_MIN ? copyOf(frame) : frame;
}
