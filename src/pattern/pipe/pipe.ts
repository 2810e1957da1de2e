/**
 * A pipe: one peer as a socket's pattern sees it. It leads to a byte stream (stream_pipe.ts) or to another
 * socket of the same context (inproc_pipe.ts).
 *
 * @module
 */

import type { BodyAllocator } from "../../zmtp/frame_sink.ts";
import type { SocketType } from "../../zmtp/socket_type.ts";
import type { HttpInfo, TlsInfo } from "../../transport_options.ts";
import type { SharedRun } from "../../zmtp/shared_run.ts";
import type { Outgoing } from "./outbound_queue.ts";

/** A received message: its frames. The receiver owns the array; frames may be shared. */
export type Message = Uint8Array[];

/** What is known of the peer at the other end. */
export interface Peer {
  /** Unique in the context; grows with every handshake. */
  readonly id: number;
  /** The endpoint that was bound or connected. */
  readonly endpoint: string;
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** `undefined` if the peer did not announce it. */
  readonly socketType: SocketType | undefined;
  /** The routing id that the peer announced; empty if there is none. */
  readonly identity: Uint8Array;
  /** Everything the peer announced, by property name in lower case. */
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  /** The security mechanism, `"NULL"`; `""` over inproc. */
  readonly mechanism: string;
  /** The peer's ZMTP version, `"3.1"`; `""` over inproc. */
  readonly version: string;
  /** `undefined` if the connection is not encrypted with TLS. */
  readonly tls: TlsInfo | undefined;
  /** `undefined` if the connection did not begin as an HTTP request. */
  readonly http: HttpInfo | undefined;
}

/** A peer that may not have been described yet. */
export interface KnownPeer {
  /** {@link Peer.id} */
  readonly id: number;
  /** {@link Peer.identity} */
  readonly identity: Uint8Array;
  /** The same object each time. */
  readonly peer: Peer;
}

/** A pipe as patterns see it. A field that belongs to another class is used by that class only. */
export abstract class Pipe {
  /** Set once the handshake is done; while reconnecting, the last known peer. */
  known: KnownPeer | undefined;
  /** Whether the peer is connected now. */
  connected = false;
  /** Nothing more will be sent; what was received can still be read. */
  closed = false;
  /** Index in a fair queue's active list; -1 if absent. Belongs to `FairQueue`. */
  fairIndex = -1;
  /** Index in a load balancer's active list; -1 if absent. Belongs to `LoadBalancer`. */
  balanceIndex = -1;
  /** The id under which a Router knows this peer. Belongs to `RouterPattern`. */
  routingId: Uint8Array | undefined;
  /** Allocates the bodies of incoming frames and takes back those not delivered. Set by the connection. */
  allocator: BodyAllocator | undefined;

  /** The description of the {@link known} peer. */
  get peer(): Peer | undefined {
    return this.known?.peer;
  }
  /** Whether {@link write} would take a message. */
  abstract get canWrite(): boolean;
  /** The bound for which a message was refused, to complete the words "the peer is". */
  get fullAt(): string {
    return "at its high-water mark";
  }
  /** Takes a whole message and returns `true`, or takes nothing and returns `false`. */
  abstract write(message: Outgoing): boolean;
  /** As {@link write}, for a message that is also the newest of `run`. */
  abstract writeShared(run: SharedRun, message: Outgoing): boolean;
  /** Returns the oldest received message, or `undefined` when there is none. */
  abstract read(): Message | undefined;
  /** The socket is closed: drops what was received and whatever still arrives. */
  drop(): void {}
  /** Received messages not yet taken. */
  abstract get readableMessages(): number;
  /** Sent messages not yet taken by the transport, or over inproc by the other end. */
  abstract get queuedMessages(): number;
  /** Subscribes to a topic at the peer (`on`) or cancels. Never dropped while the peer is connected. */
  abstract subscribe(topic: Uint8Array, on: boolean): void;
  /**
   * Refuses or disconnects the peer. `why` is reported in the socket's events, and the pattern gets `detach`.
   * With `flush`, what was already sent to an accepted peer may still leave, within a second.
   */
  abstract refuse(why: Error, flush?: boolean): void;
}
