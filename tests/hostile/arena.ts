/**
 * A bound socket, a peer that behaves, and as many as wished that do not.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { Dealer, Publisher, Pull, Push, Router, type Socket, Subscriber, XPublisher } from "../../mod.ts";
import type { HandshakeErrorType, SocketEvent } from "../../src/session/events.ts";
import { within } from "../interop/support/deadline.ts";
import { codeOf, nextEvent } from "../interop/support/events.ts";
import { RawClient } from "../interop/support/raw_client.ts";

/** The types that are attacked. */
export type AttackedType = "PULL" | "PUB" | "XPUB" | "ROUTER";

/** How a peer can be turned away, or be lost. */
type RefusalType = HandshakeErrorType | "disconnect";

/** More than garbage and buffers of a healthy run come to, and far less than any attack sends or claims. */
const GROWTH_BYTES_MAX = 128 * 1_048_576;

/** See the module. */
export class Arena {
  readonly socket: Socket;
  readonly #good: Socket;
  readonly #clients: RawClient[] = [];
  readonly #rssBytes: number = process.memoryUsage().rss;
  #messages = 0;

  private constructor(socket: Socket, good: Socket) {
    this.socket = socket;
    this.#good = good;
  }

  /** Binds a socket with these options at `address` and connects the peer that behaves. */
  static async open(
    type: AttackedType,
    options: object = {},
    address = "tcp://127.0.0.1:*",
  ): Promise<Arena> {
    const [socket, good] = socketsOf(type, options);
    await socket.bind(address);
    good.connect(socket.lastEndpoint!);
    await within(socket.ready(), "the good peer");
    const arena = new Arena(socket, good);
    await arena.assertServes();
    return arena;
  }

  /** A connection for the worst. */
  async attacker(): Promise<RawClient> {
    const client = await RawClient.open(this.socket.lastEndpoint!);
    this.#clients.push(client);
    return client;
  }

  /** Writes `bytes` as a new peer, which must be turned away with this event and code and be closed. */
  async assertRefuses(
    bytes: Uint8Array,
    type: RefusalType,
    code: string | undefined,
  ): Promise<SocketEvent<RefusalType>> {
    const refused = nextEvent(this.socket, type);
    const client = await this.attacker();
    await client.write(bytes);
    return await this.assertRefused(refused, client, code);
  }

  /** Waits until `client` was turned away with this code and closed, and the good peer is still served. */
  async assertRefused(
    refused: Promise<SocketEvent<RefusalType>>,
    client: RawClient,
    code: string | undefined,
  ): Promise<SocketEvent<RefusalType>> {
    const event = await refused;
    assertEquals(codeOf(event.error), code, event.error?.message ?? "no error");
    assert(event.error === undefined || event.error.message.length > 20, "the event says why");
    await within(client.closed, "the end of the connection");
    await this.assertServes();
    return event;
  }

  /** The peer that behaves gets a message through, in whichever direction the type has. */
  async assertServes(): Promise<void> {
    const text = `good message ${++this.#messages}`;
    const { socket } = this;
    const good = this.#good;
    if (socket instanceof Publisher || socket instanceof XPublisher) {
      await within(socket.subscribed("good"), "the good subscription");
      await socket.send(text);
      assertEquals(textOf(await within((good as Subscriber).receive(), text)), text);
      return;
    }
    await (good as Push).send(text);
    const receiver = socket as Pull | Router;
    // What an attacker sent in order before it went wrong was a message like any other.
    for (let got = ""; got !== text;) got = textOf(await within(receiver.receive(), text));
  }

  /** Memory did not grow by anything like what was sent or claimed. */
  assertMemoryIsFlat(): void {
    assertLess(process.memoryUsage().rss - this.#rssBytes, GROWTH_BYTES_MAX);
  }

  async close(): Promise<void> {
    this.assertMemoryIsFlat();
    for (const client of this.#clients) client.destroy();
    this.#good.close();
    await within(this.socket[Symbol.asyncDispose](), "the attacked socket to close");
  }
}

function socketsOf(type: AttackedType, options: object): [Socket, Socket] {
  switch (type) {
    case "PULL":
      return [new Pull(options), new Push()];
    case "ROUTER":
      return [new Router(options), new Dealer({ routingId: "good" })];
    case "PUB":
    case "XPUB": {
      const subscriber = new Subscriber();
      subscriber.subscribe("good");
      return [type === "PUB" ? new Publisher(options) : new XPublisher(options), subscriber];
    }
  }
}

function textOf(message: readonly Uint8Array[]): string {
  return new TextDecoder().decode(message[message.length - 1]);
}
