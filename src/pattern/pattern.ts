/**
 * What a socket type does with its pipes. A pattern is notified of what happens to them and decides where
 * messages go to and come from; it never sees a connection.
 *
 * The life of a pipe: `attach` (it may be written to, even before a connecting socket's peer is there), then
 * `ready` and `lost` for each connection made and lost, then `detach` (nothing more is sent; what was
 * received stays readable).
 *
 * @module
 */

import type { Inbound } from "../engine/link.ts";
import { MisuseError } from "../errors.ts";
import type { SocketType } from "../zmtp/socket_type.ts";
import type { HighWaterMark, Outgoing } from "./pipe/outbound_queue.ts";
import type { Message, Pipe } from "./pipe/pipe.ts";
import type { SubscriptionsTotalOwner } from "./subscriptions/subscriptions_total.ts";

/** What happens to messages that arrive on a pipe of this pattern. */
export type InboundKind =
  /** They are queued for the application. */
  | "messages"
  /** Some of them are subscriptions (a publisher's peers). */
  | "subscriptions"
  /** They are dropped on arrival. */
  | "discard";

/** What a pattern reports to its socket. */
export interface PatternEvents {
  /** There may be something to receive. */
  readable(): void;
  /** A send that was refused before may succeed now. */
  writable(): void;
  /** A message was dropped on purpose. `why` is the reason. */
  dropped(pipe: Pipe | undefined, why: string): void;
}

/** Options that change how patterns behave. The socket layer validates them. All may change at any time. */
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

/** What a pattern's constructor takes. */
export interface PatternInit {
  readonly events: PatternEvents;
  readonly options: PatternOptions;
  readonly random: (into: Uint8Array) => void;
  /** Calls `run` at the end of the current turn of the event loop. If omitted, nothing is put off. */
  readonly later?: (run: () => void) => void;
  /** Who has the bound on subscriptions that the socket shares with others. Default: there is none. */
  readonly shared?: SubscriptionsTotalOwner;
}

/** A pipe over a byte stream, to whose queue what arrives may go. */
export interface ReceivingPipe extends Pipe {
  readonly inbound: Inbound;
}

/** The pattern of a socket type. */
export type PatternClass = new (init: PatternInit) => Pattern;

/** The base class of all socket types. By default it ignores events and can neither send nor receive. */
export abstract class Pattern {
  abstract readonly type: SocketType;
  readonly inbound: InboundKind = "messages";
  protected readonly events: PatternEvents;
  protected readonly options: PatternOptions;

  constructor(init: PatternInit) {
    this.events = init.events;
    this.options = init.options;
  }

  /** Returns what takes the messages that arrive on a connection of `pipe`, as {@link inbound} says. */
  sinkOf(pipe: ReceivingPipe): Inbound {
    return pipe.inbound;
  }
  /** A pipe may be written to from now on. */
  abstract attach(pipe: Pipe): void;
  /** A pipe has ended: nothing more is sent on it. */
  abstract detach(pipe: Pipe): void;
  /** The peer is connected; `pipe.known` says who it is. */
  ready(_pipe: Pipe): void {}
  /** The connection was lost. Another one, or `detach`, follows. */
  lost(_pipe: Pipe): void {}
  /** Messages were added to an empty pipe. */
  readable(_pipe: Pipe): void {}
  /** This many received messages of a pipe are lost because the transport reused their memory. */
  unreadable(pipe: Pipe, messages: number): void {
    for (let i = 0; i < messages; i++) {
      this.events.dropped(pipe, "the transport reused the memory of received messages");
    }
  }
  /** A pipe that refused a message has room again. */
  writable(_pipe: Pipe): void {}
  /**
   * Only called if {@link inbound} is `subscriptions`: one more message can be read from the pipe. Calls of
   * this and {@link subscription} are in wire order; {@link readable} follows.
   */
  upstream(_pipe: Pipe): void {}
  /** The peer subscribed to a topic (`_on`) or cancelled its subscription. */
  subscription(_pipe: Pipe, _topic: Uint8Array, _on: boolean): void {}
  /** Whether {@link trySend} may succeed now. */
  get canSend(): boolean {
    return false;
  }
  /** Whether {@link tryReceive} may succeed now. */
  get canReceive(): boolean {
    return false;
  }
  /**
   * Sends a whole message. Returns `false` when no peer can take it now. Throws `MisuseError` if it can never
   * be sent.
   */
  trySend(_message: Outgoing): boolean {
    throw new MisuseError("ERR_STATE", `Cannot send: a ${this.type} socket does not send`);
  }
  /** Returns the next message, or `undefined` when there is none. */
  tryReceive(): Message | undefined {
    throw new MisuseError("ERR_STATE", `Cannot receive: a ${this.type} socket does not receive`);
  }
  /** The socket is about to close. Its connections are still untouched. */
  closing(): void {}
  /** The socket is closed: drops received messages that were not taken. */
  close(): void {}
  /** Returns the only pipe that can take `message`, or `undefined` when any pipe may or none can. */
  onlyPipeFor(_message: Outgoing): Pipe | undefined {
    return undefined;
  }
}

/** Returns the frames of a message as a list. */
export function framesOf(message: Outgoing): readonly Uint8Array[] {
  return message instanceof Uint8Array ? [message] : message;
}
