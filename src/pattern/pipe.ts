/**
 * A pipe: one peer as a socket's pattern sees it. Behind it is a byte stream (stream_pipe.ts) or the socket at
 * the other end of the same process (inproc_pipe.ts).
 *
 * @module
 */

import type { BodyAllocator } from "../zmtp/frame_sink.ts";
import type { SocketType } from "../zmtp/socket_type.ts";
import type { Segment } from "../zmtp/segment.ts";
import type { Outgoing } from "./outbound_queue.ts";

/** A received message: its frames. The array is the receiver's; frames may be shared. */
export type Message = Uint8Array[];

/** Who is at the other end, as far as it told. */
export interface Peer {
  /** Unique in this process, grows with every handshake. */
  readonly id: number;
  /** The endpoint that was bound or connected. */
  readonly endpoint: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** `undefined`: the peer did not tell. */
  readonly socketType: SocketType | undefined;
  /** The peer's own routing id; empty: it has none. */
  readonly identity: Uint8Array;
  /** Everything the peer told, by property name in lower case. */
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  /** `"NULL"`; `""` over inproc. */
  readonly mechanism: string;
  /** The peer's ZMTP version, `"3.1"`; `""` over inproc. */
  readonly version: string;
}

/** What patterns need of a pipe. The unprefixed fields at the end belong to the building blocks that say so. */
export abstract class Pipe {
  /** Set from the end of the handshake on; the last known peer while a connection is being made anew. */
  peer: Peer | undefined;
  /** Whether the peer is there now. */
  connected = false;
  /** No more will be sent; what was received can be read. */
  closed = false;
  /** Place in a fair queue's active list; -1: not there. Belongs to `FairQueue`. */
  fairIndex = -1;
  /** Place in a load balancer's active list; -1: not there. Belongs to `LoadBalancer`. */
  balanceIndex = -1;
  /** The id under which a Router knows this peer. Belongs to `RouterPattern`. */
  routingId: Uint8Array | undefined;
  /** Where bodies of incoming frames came from, and go back to when nobody takes them. Set by the connection. */
  allocator: BodyAllocator | undefined;

  /** Whether {@link write} would take a message. */
  abstract get canWrite(): boolean;
  /** Which bound a message was refused for, to be read behind "the peer is". */
  get fullAt(): string {
    return "at its high-water mark";
  }
  /** Takes a message whole, or answers false and takes nothing. */
  abstract write(message: Outgoing): boolean;
  /** As write, for a message that is framed already. */
  abstract writeFramed(framed: Segment, message: Outgoing): boolean;
  /** The oldest received message, or `undefined`. */
  abstract read(): Message | undefined;
  /** The socket is closed: drops what was received, and what will be. */
  drop(): void {}
  /** Received messages that nobody has taken. */
  abstract get readableMessages(): number;
  /** Messages that no transport, or no receiver over inproc, has taken. */
  abstract get queuedMessages(): number;
  /** Tells the peer that this socket wants a topic, or no longer. Never dropped while the peer is there. */
  abstract subscribe(topic: Uint8Array, on: boolean): void;
  /**
   * Refuses or drops the peer. `why` reaches the socket's events. The pattern hears `detach`. `flush`: what an accepted
   * peer was sent before may still leave, within a second.
   */
  abstract refuse(why: Error, flush?: boolean): void;
}
