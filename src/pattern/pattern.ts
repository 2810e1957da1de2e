/**
 * What a socket type does with its pipes. A pattern is told what happens to them and decides where messages go and
 * come from; it never sees a connection.
 *
 * The life of a pipe: `attach` (it may be written to; a connecting socket's peer need not be there yet), then
 * `ready` and `lost` for every connection made and lost, then `detach` (no more is sent; what was received stays readable).
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import type { SocketType } from "../zmtp/socket_type.ts";
import type { HighWaterMark, Outgoing } from "./outbound_queue.ts";
import type { Message, Pipe } from "./pipe.ts";
import type { SubscriptionsTotal } from "./subscriptions_total.ts";

/** What becomes of messages that arrive on a pipe of this pattern. */
export type InboundKind =
  /** They are queued for the application. */
  | "messages"
  /** Some of them are subscriptions (a publisher's peers). */
  | "subscriptions"
  /** Nobody reads them: they are dropped at arrival. */
  | "discard";

/** What a pattern tells its socket. */
export interface PatternEvents {
  /** Something may be received. */
  readable(): void;
  /** Something may be sent that could not be sent before. */
  writable(): void;
  /** Messages were dropped on purpose, and why. */
  dropped(pipe: Pipe | undefined, why: string): void;
}

/** Options that change what patterns do; the socket layer checks them. All may change at any time. */
export interface PatternOptions {
  sendMark: HighWaterMark;
  receiveMark: HighWaterMark;
  mandatory: boolean;
  handover: boolean;
  probeRouter: boolean;
  correlate: boolean;
  relaxed: boolean;
  invertMatching: boolean;
  noDrop: boolean;
  verbosity: null | "allSubs" | "allSubsUnsubs";
  manual: boolean;
  welcomeMessage: Uint8Array | undefined;
  subscriptionsMax: number;
  subscriptionBytesMax: number;
}

/** What a pattern is made of. */
export interface PatternInit {
  readonly events: PatternEvents;
  readonly options: PatternOptions;
  readonly random: (into: Uint8Array) => void;
  /** Runs something when the current turn of the loop is over. Missing: at once. */
  readonly later?: (run: () => void) => void;
  /** The bound on subscriptions that the socket shares with others. Missing: none. */
  readonly subscriptionsTotal?: SubscriptionsTotal;
}

/** The base of all socket types. Its methods do nothing, so that each type says only what it does. */
export abstract class Pattern {
  abstract readonly type: SocketType;
  readonly inbound: InboundKind = "messages";
  protected readonly events: PatternEvents;
  protected readonly options: PatternOptions;

  constructor(init: PatternInit) {
    this.events = init.events;
    this.options = init.options;
  }

  /** A pipe may be written to. */
  abstract attach(pipe: Pipe): void;
  /** A pipe ends. */
  abstract detach(pipe: Pipe): void;
  /** The peer is there; `pipe.peer` says who. */
  ready(_pipe: Pipe): void {}
  /** The connection was lost; another is being made. */
  lost(_pipe: Pipe): void {}
  /** Messages were added to an empty pipe. */
  readable(_pipe: Pipe): void {}
  /** So many received messages of a pipe are lost: its transport used their memory again. */
  unreadable(pipe: Pipe, messages: number): void {
    for (let i = 0; i < messages; i++) {
      this.events.dropped(pipe, "the transport used the memory of received messages again");
    }
  }
  /** A pipe that refused a message has room again. */
  writable(_pipe: Pipe): void {}
  /**
   * Of patterns whose {@link inbound} is `subscriptions`: one more message can be read from the pipe. In the order of the wire
   * with {@link subscription}; {@link readable} follows.
   */
  upstream(_pipe: Pipe): void {}
  /** The peer subscribed to a topic, or cancelled. */
  subscription(_pipe: Pipe, _topic: Uint8Array, _on: boolean): void {}
  /** Whether {@link trySend} is worth a try. */
  get canSend(): boolean {
    return false;
  }
  /** Whether {@link tryReceive} is worth a try. */
  get canReceive(): boolean {
    return false;
  }
  /** Sends a message whole, or answers false: nobody can take it now. Throws `MisuseError` for one that can never be sent. */
  trySend(_message: Outgoing): boolean {
    throw new MisuseError("ERR_STATE", `Cannot send: a ${this.type} socket does not send`);
  }
  /** The next message, or `undefined`. */
  tryReceive(): Message | undefined {
    throw new MisuseError("ERR_STATE", `Cannot receive: a ${this.type} socket does not receive`);
  }
  /** The socket is about to be closed; its connections are as they were. */
  closing(): void {}
  /** The socket is closed: what was received and not taken is dropped. */
  close(): void {}
  /** Which pipe alone could take `message`, where others cannot stand in for it; `undefined`: any. */
  onlyPipeFor(_message: Outgoing): Pipe | undefined {
    return undefined;
  }
}

/** The frames of a message as a list. */
export function framesOf(message: Outgoing): readonly Uint8Array[] {
  return message instanceof Uint8Array ? [message] : message;
}
