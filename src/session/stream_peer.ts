/**
 * What is known of a peer over a byte stream, in the little memory that thousands of idle ones may take.
 *
 * @module
 */

import type { HandshakeResult } from "../engine/engine_events.ts";
import type { KnownPeer, Peer } from "../pattern/pipe/pipe.ts";
import type { TransportInfo } from "../ports.ts";
import { packMetadata, unpackMetadata } from "../zmtp/metadata.ts";
import type { SocketType } from "../zmtp/socket_type.ts";

/** A peer whose description is made when somebody asks for it; most servers never do. */
export class StreamPeer implements KnownPeer {
  readonly id: number;
  readonly identity: Uint8Array;
  readonly #endpoint: string;
  readonly #localAddress: string;
  readonly #remoteAddress: string;
  readonly #socketType: SocketType | undefined;
  readonly #mechanism: string;
  readonly #version: string;
  readonly #metadata: string;
  /** What only some transports know. */
  readonly #more: Pick<TransportInfo, "tls" | "http"> | undefined;
  #peer: Peer | undefined;

  constructor(id: number, endpoint: string, info: TransportInfo, result: HandshakeResult) {
    this.id = id;
    this.identity = result.identity;
    this.#endpoint = endpoint;
    this.#localAddress = info.localAddress;
    this.#remoteAddress = info.remoteAddress;
    this.#socketType = result.socketType;
    this.#mechanism = result.mechanism;
    this.#version = result.version;
    this.#metadata = packMetadata(result.metadata);
    this.#more = info.tls === undefined && info.http === undefined ? undefined : info;
  }

  get peer(): Peer {
    return this.#peer ??= {
      id: this.id,
      endpoint: this.#endpoint,
      localAddress: this.#localAddress,
      remoteAddress: this.#remoteAddress,
      socketType: this.#socketType,
      identity: this.identity,
      metadata: unpackMetadata(this.#metadata),
      mechanism: this.#mechanism,
      version: this.#version,
      tls: this.#more?.tls,
      http: this.#more?.http,
    };
  }
}
