/**
 * One interface over a socket of hawser in this process and a socket of anybody in another one, so that a conversation
 * is written once.
 *
 * @module
 */

import {
  Dealer,
  type DuplexSocket,
  Pair,
  Publisher,
  Pull,
  Push,
  type ReceivingSocket,
  Reply,
  Request,
  Router,
  type Socket,
  Subscriber,
  XPublisher,
  XSubscriber,
} from "../../../mod.ts";
import type { SocketType } from "../../../src/zmtp/socket_type.ts";
import { type Body, describeFrame, makeBody } from "./bodies.ts";
import { within } from "./deadline.ts";
import type { PeerProcess } from "./peer_process.ts";

/** What conversations need of a socket. */
export interface Speaker {
  readonly type: SocketType;
  /** Binds, and answers the real endpoint. */
  bind(address: string): Promise<string>;
  connect(address: string): Promise<void> | void;
  disconnect(address: string): Promise<void> | void;
  send(frames: readonly Body[]): Promise<void>;
  /** The next messages, their frames described. */
  receive(count?: number): Promise<string[][]>;
  /** Topics are `prefix` and a number below `count`, or `prefix` alone. */
  subscribe(prefix: string, count?: number): Promise<void> | void;
  close(): Promise<void>;
}

type AnySocket = Socket & Partial<Pick<DuplexSocket, "send" | "receive">>;

const CLASSES: Readonly<Record<SocketType, new (options: object) => AnySocket>> = {
  PAIR: Pair,
  PUSH: Push,
  PULL: Pull,
  PUB: Publisher,
  SUB: Subscriber,
  XPUB: XPublisher,
  XSUB: XSubscriber,
  REQ: Request,
  REP: Reply,
  DEALER: Dealer,
  ROUTER: Router,
};

/** A socket of hawser, here. */
export class OwnSpeaker implements Speaker {
  readonly type: SocketType;
  readonly socket: AnySocket;

  constructor(type: SocketType, options: object = {}) {
    this.type = type;
    this.socket = new CLASSES[type](options);
  }

  async bind(address: string): Promise<string> {
    await this.socket.bind(address);
    return this.socket.lastEndpoint!;
  }

  connect(address: string): void {
    this.socket.connect(address);
  }

  disconnect(address: string): void {
    this.socket.disconnect(address);
  }

  async send(frames: readonly Body[]): Promise<void> {
    const { socket } = this;
    if (socket instanceof Router && socket.mandatory) await within(socket.ready(), "a peer of the Router");
    await within(socket.send!(frames.map(makeBody)), `room to send to a peer of ${this.type}`);
  }

  async receive(count = 1): Promise<string[][]> {
    const messages: string[][] = [];
    while (messages.length < count) {
      const receiving = (this.socket as ReceivingSocket).receive();
      const message = await within(
        receiving,
        `message ${messages.length + 1} of ${count} for our ${this.type}`,
      );
      messages.push(message.map(describeFrame));
    }
    return messages;
  }

  subscribe(prefix: string, count = 0): void {
    const topics = count === 0 ? [prefix] : Array.from({ length: count }, (_, index) => `${prefix}${index}`);
    (this.socket as Subscriber).subscribe(...topics);
  }

  /** Resolves when nothing of the socket is left. */
  async close(): Promise<void> {
    await within(this.socket[Symbol.asyncDispose](), `our ${this.type} to be closed`);
  }
}

/** A socket in another process. */
export class PeerSpeaker implements Speaker {
  readonly type: SocketType;
  /** What the process calls it. */
  readonly name: string;
  readonly #peer: PeerProcess;

  private constructor(peer: PeerProcess, type: SocketType) {
    this.#peer = peer;
    this.type = type;
    this.name = peer.nextSocketName();
  }

  static async open(peer: PeerProcess, type: SocketType, options: object = {}): Promise<PeerSpeaker> {
    const speaker = new PeerSpeaker(peer, type);
    await peer.ask({ do: "open", socket: speaker.name, type, options });
    return speaker;
  }

  async bind(address: string): Promise<string> {
    return await this.#peer.ask({ do: "bind", socket: this.name, address }) as string;
  }

  async connect(address: string): Promise<void> {
    await this.#peer.ask({ do: "connect", socket: this.name, address });
  }

  async disconnect(address: string): Promise<void> {
    await this.#peer.ask({ do: "disconnect", socket: this.name, address });
  }

  async send(frames: readonly Body[]): Promise<void> {
    await this.#peer.ask({ do: "send", socket: this.name, frames });
  }

  async receive(count = 1): Promise<string[][]> {
    return await this.#peer.ask({ do: "receive", socket: this.name, count }) as string[][];
  }

  async subscribe(prefix: string, count = 0): Promise<void> {
    await this.#peer.ask({ do: "subscribe", socket: this.name, prefix, count });
  }

  async close(): Promise<void> {
    await this.#peer.ask({ do: "close", socket: this.name });
  }
}
