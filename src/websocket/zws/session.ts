/**
 * What the two directions of one connection know of each other: how the peer takes PINGs, how much may be
 * sent, what kind of socket ours is.
 *
 * @module
 */

import type { SocketType } from "../../zmtp/socket_type.ts";
import { isReadable, type Violation, violation, type ZwsProtocol } from "./wire.ts";
import { ReceiveFlow, SendCredit } from "./flow.ts";

/** What a link can do. */
export interface LinkAbilities {
  /** Whether it sends PING and PONG frames, and shows those of the peer. */
  readonly pings: boolean;
  /** Whether PINGs go as commands to a hawser server that cannot pause: see `heartbeatInBand`. */
  readonly sparesServers?: boolean;
  /** What the peer is told to have under way at most. 0 for a link that can pause. */
  readonly windowBytes: number;
}

/** The state that both directions of one connection share. */
export class ZwsSession {
  readonly protocol: ZwsProtocol;
  readonly link: LinkAbilities;
  /** Whether metadata and commands can be read and added to. */
  readonly readable: boolean;
  readonly sendCredit: SendCredit = new SendCredit();
  readonly receiveFlow: ReceiveFlow;
  /** The type of our socket, once it has said so. */
  #socketType: SocketType | undefined;
  /** Whether the peer announced the flow property: it is hawser. */
  #peerIsHawser = false;
  /** Whether the peer's part of the handshake is over, as far as it can be seen. */
  #peerReady = false;
  /** Whether our part of it is. */
  #weSaid = false;
  /** The peer sent a PING as a command, so it understands a PONG as a command. */
  pingedInBand = false;

  constructor(protocol: ZwsProtocol, link: LinkAbilities) {
    this.protocol = protocol;
    this.link = link;
    this.readable = isReadable(protocol.mechanism);
    this.receiveFlow = new ReceiveFlow(link.windowBytes);
  }

  get socketType(): SocketType | undefined {
    return this.#socketType;
  }

  get peerIsHawser(): boolean {
    return this.#peerIsHawser;
  }

  /** Whether READY went both ways, so that engines take commands. */
  get established(): boolean {
    return this.#weSaid && this.#peerReady;
  }

  get peerReady(): boolean {
    return this.#peerReady;
  }

  /** Our READY or INITIATE left. */
  weAre(socketType: SocketType | undefined): void {
    this.#socketType = socketType;
    this.#weSaid = true;
    this.#chooseFlow();
  }

  /** The peer's READY or INITIATE arrived. `windowBytes`: its flow property, see `PeerMetadata`. */
  peerIs(windowBytes: number | undefined): Violation | undefined {
    this.#peerReady = true;
    if (windowBytes !== undefined) {
      if (windowBytes < 0) return violation("its X-Hawser-Flow is not a number of bytes");
      this.#peerIsHawser = true;
      this.sendCredit.open(windowBytes);
    }
    this.#chooseFlow();
    return undefined;
  }

  /**
   * Whether PING and PONG go as commands. Also to a server that cannot pause, which is Deno's: it reads
   * nothing more until its PONG to a PING frame was written, and so hears nothing while we stand still.
   */
  get heartbeatInBand(): boolean {
    const spared = this.link.sparesServers === true && this.sendCredit.limitBytes !== Infinity;
    return this.#peerIsHawser && (!this.link.pings || spared);
  }

  #chooseFlow(): void {
    if (!this.#peerReady) return;
    if (this.#peerIsHawser) this.receiveFlow.openCredit();
    else if (this.#socketType === "SUB") this.receiveFlow.openDrop();
  }
}
