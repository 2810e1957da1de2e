/**
 * How much may be under way between two peers that cannot stop each other's stream. Sending: both bridges
 * obey what the peer granted. Receiving: a link that cannot pause grants credit to peers that know it, drops
 * what a SUB gets from others, and has everything else end at the engine's bound.
 *
 * @module
 */

import { PeerError } from "../../errors.ts";
import { type Violation, violation } from "./wire.ts";

/** What a link that cannot pause lets its peer have under way, in bytes of frames as they are counted. */
export const RECEIVE_WINDOW_BYTES = 4_194_304;

/** What a frame counts besides its body: an empty one takes memory, too, while it waits. */
export const FRAME_COST_BYTES = 64;

/** Credit is granted when this part of the window was used. */
const GRANT_PARTS = 4;

/** Bytes of commands that may arrive while we are paused: they are beyond credit, and cannot be dropped. */
const PAUSED_COMMAND_BYTES_MAX = 1_048_576;
/** What may follow, while we are paused, of a message that began before and so cannot be dropped. */
const PAUSED_MESSAGE_BYTES_MAX = 67_108_864;

/** Dropped messages are told in lots of this many, after the first one. */
const DROPS_TOLD = 1_024;

/** The bytes that we may still send. Commands are not counted, and never wait. */
export class SendCredit {
  /** What the frames that were begun count. */
  sentBytes = 0;
  /** A frame may begin while fewer were sent. */
  limitBytes: number = Infinity;
  #windowBytes = 0;

  /** The peer set a limit. 0: none. */
  open(windowBytes: number): void {
    this.#windowBytes = windowBytes;
    this.limitBytes = windowBytes === 0 ? Infinity : windowBytes;
  }

  /** Whether a frame of a message may begin. */
  get maySend(): boolean {
    return this.sentBytes < this.limitBytes;
  }

  /** A frame with this body began. */
  begun(bodyBytes: number): void {
    this.sentBytes += FRAME_COST_BYTES + bodyBytes;
  }

  /** The peer has used `totalBytes` in all. An old total changes nothing. */
  granted(totalBytes: number): Violation | undefined {
    if (totalBytes < 0 || totalBytes > this.sentBytes) {
      return violation(`it granted credit for ${totalBytes} bytes, and ${this.sentBytes} were sent`);
    }
    if (this.#windowBytes > 0) this.limitBytes = Math.max(this.limitBytes, totalBytes + this.#windowBytes);
    return undefined;
  }
}

/** What is done with a frame of a message that arrives over a link that cannot pause. */
export type Admission = "take" | "drop" | Violation;

/** What a link that cannot pause lets through. One that can needs none of it. */
export class ReceiveFlow {
  readonly windowBytes: number;
  #receivedBytes = 0;
  #grantedBytes = 0;
  #paused = false;
  /** What was taken since we are paused, in spite of it. */
  #commandBytes = 0;
  #messageBytes = 0;
  /** How the peer is held back while we are paused. */
  #holds: "credit" | "drop" | undefined;
  /** Whether a frame of the message that is arriving was taken, or dropped; `undefined` between messages. */
  #message: "take" | "drop" | undefined;
  #dropped = 0;
  #toldDrops = false;

  /** `windowBytes`: what the peer is told to have under way at most. 0: the link itself can pause. */
  constructor(windowBytes: number) {
    this.windowBytes = windowBytes;
  }

  /** The peer obeys credit. */
  openCredit(): void {
    if (this.windowBytes > 0) this.#holds = "credit";
  }

  /** The peer does not, and ours is a socket that may lose messages. */
  openDrop(): void {
    if (this.windowBytes > 0) this.#holds = "drop";
  }

  /**
   * The engine is full, or has room again. Returns whether that has an effect on this link; if not, the
   * engine ends the connection at its bound.
   */
  setPaused(paused: boolean): boolean {
    this.#paused = paused;
    if (!paused) this.#commandBytes = this.#messageBytes = 0;
    return this.#holds !== undefined;
  }

  /** A frame of a message arrives. Messages are taken and dropped whole; the newest are dropped. */
  admit(bodyBytes: number, more: boolean): Admission {
    if (this.#holds === "credit") {
      if (this.#receivedBytes >= this.#grantedBytes + this.windowBytes) {
        return tooMuch(`it sent more than the ${this.windowBytes} bytes that it may`);
      }
      this.#receivedBytes += FRAME_COST_BYTES + bodyBytes;
      return "take";
    }
    const admission = this.#message ?? (this.#paused && this.#holds === "drop" ? "drop" : "take");
    this.#message = more ? admission : undefined;
    if (admission === "drop") {
      if (!more) this.#dropped++;
    } else if (this.#paused && this.#holds === "drop") {
      this.#messageBytes += 2 + bodyBytes;
      if (this.#messageBytes > PAUSED_MESSAGE_BYTES_MAX) {
        return tooMuch(
          `${PAUSED_MESSAGE_BYTES_MAX} more bytes of one message came while nothing was received`,
        );
      }
    }
    return admission;
  }

  /** A command for our engine arrives. */
  admitCommand(bodyBytes: number): Violation | undefined {
    if (!this.#paused || this.#holds === undefined) return undefined;
    this.#commandBytes += 2 + bodyBytes;
    return this.#commandBytes <= PAUSED_COMMAND_BYTES_MAX
      ? undefined
      : tooMuch(`it sent more than ${PAUSED_COMMAND_BYTES_MAX} bytes of commands while nothing was received`);
  }

  /** The total that is to be granted to the peer now, or -1. It counts as granted from then on. */
  takeGrant(): number {
    const used = this.#receivedBytes - this.#grantedBytes;
    if (this.#holds !== "credit" || this.#paused || used < this.windowBytes / GRANT_PARTS) return -1;
    this.#grantedBytes = this.#receivedBytes;
    return this.#receivedBytes;
  }

  /** How many dropped messages are to be told now: the first at once, others in lots and after a pause. */
  takeDropped(): number {
    const count = this.#dropped;
    if (!this.#paused) this.#toldDrops = false;
    else if (count > 0 && this.#toldDrops && count < DROPS_TOLD) return 0;
    else if (count > 0) this.#toldDrops = true;
    this.#dropped = 0;
    return count;
  }
}

function tooMuch(why: string): Violation {
  return { error: new PeerError("ERR_PEER_PENDING", `Cannot keep up with peer: ${why}`), closeCode: 1008 };
}
