// runtimes: node
import { test } from "node:test";
import type { AddressInfo } from "node:net";
import { assert, assertEquals, assertGreater, assertInstanceOf } from "@std/assert";
import { WebSocket, WebSocketServer } from "ws";
import { webTransport } from "../../../adapters/web/transport.ts";
import {
  Context,
  type DisconnectEvent,
  type DropEvent,
  PeerError,
  Pull,
  type ReceivingSocket,
  Subscriber,
} from "../../../mod.ts";

// Servers that are not hawser's: they know the bare sub-protocol, and nothing of credit. Written with the
// package ws, message by message.

(globalThis as { WebSocket?: unknown }).WebSocket ??= WebSocket;

const BODY_BYTES = 4_096;

/** A server that talks to whoever connects. */
class BareServer {
  readonly heard: string[] = [];
  readonly #server: WebSocketServer;

  constructor(talk: (socket: WebSocket, server: BareServer) => void, protocol = "ZWS2.0") {
    this.#server = new WebSocketServer({
      host: "127.0.0.1",
      port: 0,
      handleProtocols: (offered) => offered.has(protocol) ? protocol : false,
    });
    this.#server.on("connection", (socket) => talk(socket, this));
  }

  async endpoint(): Promise<string> {
    if (this.#server.address() === null) {
      await new Promise<void>((resolve) => this.#server.once("listening", () => resolve()));
    }
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  close(): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** Sends numbered messages as fast as the client takes them. */
function flood(socket: WebSocket): void {
  let number = 0;
  const more = (): void => {
    if (socket.readyState !== WebSocket.OPEN) return;
    for (let i = 0; i < 64; i++) {
      const message = new Uint8Array(1 + BODY_BYTES);
      new DataView(message.buffer).setUint32(1, number++);
      socket.send(message);
    }
    if (socket.bufferedAmount < 1_048_576) setImmediate(more);
    else setTimeout(more, 5);
  };
  more();
}

async function against(
  server: BareServer,
  make: (context: Context) => ReceivingSocket,
  body: (socket: ReceivingSocket) => Promise<void>,
): Promise<void> {
  const context = new Context({ transports: { ws: webTransport() } });
  try {
    const socket = make(context);
    socket.connect(await server.endpoint());
    await body(socket);
  } finally {
    await context[Symbol.asyncDispose]();
    await server.close();
  }
}

test("a subscriber that does not read drops the newest, reports them, and stays connected", async () => {
  const server = new BareServer((socket) => {
    socket.send(new Uint8Array(1)); // its identity
    socket.on("message", (data) => {
      if ((data as Buffer).length === 2 && (data as Buffer)[1] === 1) flood(socket); // the subscription to all
    });
  });
  await against(
    server,
    (context) => new Subscriber({ context, pendingBytesMax: 100_000 }),
    async (socket) => {
      let lost = 0;
      socket.events.on("disconnect", () => lost++);
      let dropped = 0;
      const drops = new Promise<DropEvent>((resolve) => {
        socket.events.on("drop", (event) => {
          dropped += event.count;
          if (dropped > 10_000) resolve(event);
        });
      });
      (socket as Subscriber).subscribe();
      const { error } = await drops;
      assert(error.message.includes("cannot pause"), error.message);
      // What was kept is the oldest, whole and in order.
      let last = -1;
      for (let i = 0; i < 20; i++) {
        const [frame] = await socket.receive();
        assertEquals(frame!.length, BODY_BYTES);
        const number = new DataView(frame!.buffer, frame!.byteOffset).getUint32(0);
        assertEquals(number, last + 1);
        last = number;
      }
      assertEquals(lost, 0);
      assertGreater(dropped, 10_000);
    },
  );
});

test("another socket that does not read loses its connection with an error that says why", async () => {
  const server = new BareServer((socket) => {
    socket.send(new Uint8Array(1));
    flood(socket);
  });
  await against(server, (context) => new Pull({ context, pendingBytesMax: 100_000 }), async (socket) => {
    const { error } = await new Promise<DisconnectEvent>((resolve) =>
      socket.events.on("disconnect", resolve)
    );
    assertInstanceOf(error, PeerError);
    assertEquals(error.code, "ERR_PEER_PENDING");
  });
});

test("a text message, and a server that is no ZeroMQ socket, end the connection with typed errors", async () => {
  const talker = new BareServer((socket) => {
    socket.send(new Uint8Array(1));
    socket.send("hello");
  });
  await against(talker, (context) => new Pull({ context }), async (socket) => {
    const { error } = await new Promise<DisconnectEvent>((resolve) =>
      socket.events.on("disconnect", resolve)
    );
    assertInstanceOf(error, PeerError);
    assertEquals(error.code, "ERR_WEBSOCKET");
    assert(error.message.includes("text message"), error.message);
  });
  const closer = new BareServer((socket) => {
    socket.send(new Uint8Array(1));
    socket.close(4001, "no token");
  });
  await against(closer, (context) => new Pull({ context }), async (socket) => {
    const { error } = await new Promise<DisconnectEvent>((resolve) =>
      socket.events.on("disconnect", resolve)
    );
    assertInstanceOf(error, PeerError);
    assertEquals(error.code, "ERR_WEBSOCKET");
    assert(error.message.includes("4001: no token"), error.message);
  });
});
