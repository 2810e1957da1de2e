import { test } from "node:test";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { WebSocket as WsPackage } from "ws";
import { webTransport } from "../../../adapters/web/transport.ts";
import {
  Context,
  type ContextOptions,
  MisuseError,
  PeerError,
  Publisher,
  Pull,
  Push,
  Reply,
  Request,
  type Socket,
  type SocketEvents,
  type SocketEventType,
  Subscriber,
} from "../../../mod.ts";
import { wsListener } from "../../support/ws_listener.ts";

// The adapter of pages over the WebSocket that the runtime has, as a page would use it. Node 20 has none, and
// gets that of the package ws.

const globals = globalThis as { WebSocket?: unknown };
globals.WebSocket ??= WsPackage;

/** A context of a page, and one of a server. */
class Sides {
  readonly page: Context;
  readonly server: Context = new Context({ transports: { ws: wsListener() } });

  constructor(options: ContextOptions = {}) {
    this.page = new Context({ transports: { ws: webTransport(), wss: webTransport() }, ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.page.close();
    this.server.close();
    await this.page[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }
}

function next<Type extends SocketEventType>(socket: Socket, type: Type): Promise<SocketEvents[Type]> {
  return new Promise((resolve) => {
    const listener = (event: SocketEvents[Type]): void => {
      socket.events.off(type, listener);
      resolve(event);
    };
    socket.events.on(type, listener);
  });
}

const text = (frame: Uint8Array | undefined): string => new TextDecoder().decode(frame);

test("a request goes to a server and its reply comes back", async () => {
  await using sides = new Sides();
  const reply = new Reply({ context: sides.server });
  const endpoint = await reply.bind("ws://127.0.0.1:0/upper");
  const request = new Request({ context: sides.page });
  request.connect(endpoint);
  const answer = request.request(["hello", ""]);
  const question = await reply.receive();
  assertEquals(question.map(text), ["hello", ""]);
  await reply.send([text(question[0]).toUpperCase(), "", "and more"]);
  assertEquals((await answer).map(text), ["HELLO", "", "and more"]);
  assertEquals(request.peers[0]?.remoteAddress, endpoint);
});

test("messages of all sizes arrive whole and in order, both ways", async () => {
  await using sides = new Sides();
  const pull = new Pull({ context: sides.server });
  const push = new Push({ context: sides.page, linger: -1 });
  push.connect(await pull.bind("ws://127.0.0.1:0/up"));
  const sizes = [0, 1, 124, 125, 126, 127, 254, 255, 256, 16_383, 16_384, 65_534, 65_535, 65_536, 3_000_000];
  const sending = (async () => {
    for (const size of sizes) await push.send([new Uint8Array(size).fill(size & 0xff), String(size)]);
  })();
  for (const size of sizes) {
    const [body, told] = await pull.receive();
    assertEquals([text(told), body?.length], [String(size), size]);
    assert(body!.every((byte) => byte === (size & 0xff)));
  }
  await sending;
  const down = new Push({ context: sides.server });
  const pageEnd = new Pull({ context: sides.page });
  pageEnd.connect(await down.bind("ws://127.0.0.1:0/down"));
  for (const size of sizes) {
    await down.send(new Uint8Array(size).fill(7));
    const [body] = await pageEnd.receive();
    assertEquals(body?.length, size);
    assert(body!.every((byte) => byte === 7));
  }
});

test("a subscriber gets what it subscribed to, and its subscriptions again after the server's restart", async () => {
  await using sides = new Sides();
  const subscriber = new Subscriber({ context: sides.page, reconnectInterval: 10 });
  subscriber.subscribe("a.");
  let publisher = new Publisher({ context: sides.server });
  const endpoint = await publisher.bind("ws://127.0.0.1:0/");
  subscriber.connect(endpoint);
  for (const round of ["1", "2", "3"]) {
    await publisher.subscribed("a.");
    await publisher.send("b.no");
    await publisher.send(`a.${round}`);
    assertEquals(text((await subscriber.receive())[0]), `a.${round}`);
    publisher.close();
    await next(subscriber, "disconnect");
    publisher = new Publisher({ context: sides.server });
    await publisher.bind(endpoint);
  }
});

test("a page that does not read holds no more than its mark and the window, and loses nothing", async () => {
  await using sides = new Sides();
  const push = new Push({ context: sides.server, sendHighWaterMark: 10 });
  const pull = new Pull({ context: sides.page, receiveHighWaterMark: 10, pendingBytesMax: 100_000 });
  pull.connect(await push.bind("ws://127.0.0.1:0/"));
  await pull.ready();
  const body = new Uint8Array(50_000);
  const count = 400;
  let sent = 0;
  const sending = (async () => {
    for (; sent < count; sent++) {
      new DataView(body.buffer).setUint32(0, sent);
      await push.send(body.slice());
    }
  })();
  // Until the sender stands still: nothing but the page could move it.
  for (let before = -1; before !== sent;) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert(sent < 200, `${sent} of ${count} messages left without being read`);
  for (let expected = 0; expected < count; expected++) {
    const [frame] = await pull.receive();
    assertEquals(new DataView(frame!.buffer, frame!.byteOffset).getUint32(0), expected);
  }
  await sending;
});

test("a page that sends more than its server takes waits, and the order stays", async () => {
  await using sides = new Sides();
  const pull = new Pull({ context: sides.server, receiveHighWaterMark: 10, pendingBytesMax: 100_000 });
  const push = new Push({ context: sides.page, sendHighWaterMark: 10, linger: -1 });
  push.connect(await pull.bind("ws://127.0.0.1:0/"));
  const count = 300;
  let sent = 0;
  const sending = (async () => {
    for (; sent < count; sent++) {
      const body = new Uint8Array(100_000);
      new DataView(body.buffer).setUint32(0, sent);
      await push.send(body);
    }
  })();
  for (let before = -1; before !== sent;) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert(sent < count, "nothing held the sender back");
  for (let expected = 0; expected < count; expected++) {
    const [frame] = await pull.receive();
    assertEquals(new DataView(frame!.buffer, frame!.byteOffset).getUint32(0), expected);
  }
  await sending;
});

test("what is queued leaves before a page's socket closes", async () => {
  await using sides = new Sides();
  const pull = new Pull({ context: sides.server });
  const push = new Push({ context: sides.page });
  push.connect(await pull.bind("ws://127.0.0.1:0/"));
  await push.ready();
  for (let i = 0; i < 100; i++) await push.send(String(i));
  await push[Symbol.asyncDispose]();
  for (let i = 0; i < 100; i++) assertEquals(text((await pull.receive())[0]), String(i));
});

test("where nothing listens, the event says so and what else it may be", async () => {
  await using sides = new Sides();
  const subscriber = new Subscriber({ context: sides.page });
  const failed = next(subscriber, "connect:delay");
  subscriber.connect("wss://127.0.0.1:1/feed");
  const { error } = await failed;
  assert(error instanceof PeerError);
  assertEquals(error.code, "ERR_WEBSOCKET");
  for (const part of ["wss://127.0.0.1:1/feed", "nothing listens", "certificate", "connect-src"]) {
    assertStringIncludes(error.message, part);
  }
});

test("a page cannot listen, has no headers, and its endpoints are checked", async () => {
  await using sides = new Sides();
  const pull = new Pull({ context: sides.page });
  await assertRejects(() => pull.bind("ws://127.0.0.1:0/"), MisuseError, "a browser cannot listen");
  for (const wrong of ["ws://", "ws://me@host:1/", "ws://host:99999/", "ws://host:1/#part", "ws://*:1/"]) {
    const error = assertThrowsMisuse(() => pull.connect(wrong));
    assertEquals([error.code, pull.toJSON().connected.length], ["ERR_ENDPOINT", 0], wrong);
  }
  const withHeaders = new Pull({ context: sides.page, webSocket: { headers: { Authorization: "x" } } });
  const error = assertThrowsMisuse(() => withHeaders.connect("ws://127.0.0.1:1/"));
  assertStringIncludes(error.message, "token");
});

function assertThrowsMisuse(run: () => void): MisuseError {
  try {
    run();
  } catch (error) {
    if (error instanceof MisuseError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
