// runtimes: deno bun
import { connect } from "node:net";
import { test } from "node:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Pair, Pull, Push } from "../../../mod.ts";
import { webSocketListener, type WebSocketListenerOptions } from "../../../adapters/http/mod.ts";
import { detectRuntime } from "../../../adapters/detect.ts";
import { within } from "../../interop/support/deadline.ts";
import { nextEvent } from "../../interop/support/events.ts";
import { serveWeb, type WebServer } from "../../support/web_servers.ts";
import type { WebSocketListener } from "../../../adapters/http/mod.ts";

// Sockets on the port of Bun.serve or Deno.serve.

let names = 0;

async function withServer(
  options: WebSocketListenerOptions,
  use: (server: WebServer, web: WebSocketListener) => Promise<void>,
): Promise<void> {
  const web = webSocketListener({ name: `serve-${++names}`, ...options });
  const server = serveWeb(web);
  try {
    await use(server, web);
  } finally {
    web.close();
    await within(server.stop(), "the server to stop");
  }
}

/** Asks for a WebSocket over a bare connection, and returns the response. */
function rawUpgrade(port: number, path: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const all = {
    Host: `127.0.0.1:${port}`,
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "ZWS2.0/NULL",
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(`GET ${path} HTTP/1.1\r\n${lines}\r\n`));
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      // The server keeps the connection for other requests.
      if (text.includes("\r\n\r\n") && text.trimEnd().endsWith(".")) socket.end();
    });
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
  });
}

test("a socket and pages share the port of the runtime's server", () =>
  withServer({}, async ({ port }, web) => {
    await using left = new Pair();
    await using right = new Pair();
    await left.bind(`ws://${web.name}/feed`);
    const handshake = nextEvent(left, "handshake");
    right.connect(`ws://127.0.0.1:${port}/feed?token=1`);
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 1_000_000, 9_000_000]) {
      const body = Uint8Array.from({ length: size }, (_, i) => i * 7 + size);
      await within(right.send([body, "more"]), `a message of ${size} bytes`);
      const [frame, more] = await within(left.receive(), `${size} bytes`);
      assertEquals(new TextDecoder().decode(more), "more");
      assert(same(frame!, body), `${size} bytes are others`);
      await within(left.send(frame!), `${size} bytes back`);
      assert(same((await within(right.receive(), `${size} bytes back`))[0]!, body), `${size} bytes back`);
    }
    const { peer } = await handshake;
    assertEquals(peer.http, {
      path: "/feed?token=1",
      host: `127.0.0.1:${port}`,
      origin: undefined,
      protocol: "ZWS2.0/NULL",
    });
    assertMatch(peer.remoteAddress!, /^ws:\/\/127\.0\.0\.1:\d+$/);
    for (const path of ["/", "/feed"]) {
      assertEquals(await (await fetch(`http://127.0.0.1:${port}${path}`)).text(), `page ${path}`);
    }
  }));

test("an application that does not receive stops its sender, and then gets everything in order", () =>
  withServer({}, async ({ port }, web) => {
    await using pull = new Pull({ receiveHighWaterMark: 10 });
    await using push = new Push({ sendHighWaterMark: 10 });
    await pull.bind(`ws://${web.name}/`);
    push.connect(`ws://127.0.0.1:${port}/`);
    const body = new Uint8Array(65_536);
    const total = 600;
    let sent = 0;
    const sending = (async () => {
      for (; sent < total; sent++) {
        body.fill(sent);
        await push.send([Uint8Array.of(sent & 255, sent >> 8), body.slice()]);
      }
    })();
    // What fits on the way has left when the count stands still for a while of turns.
    for (let before = -1, still = 0; still < 50; before = sent) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      still = sent === before && sent > 10 ? still + 1 : 0;
    }
    assert(sent < total, "everything went somewhere although nobody received");
    for (let i = 0; i < total; i++) {
      const [number, content] = await within(pull.receive(), `message ${i}`);
      assertEquals(number![0]! | number![1]! << 8, i);
      assertEquals([content!.length, content![0], content![65_535]], [65_536, i & 255, i & 255]);
    }
    await sending;
  }));

test("a server that sends faster than its client receives waits, and loses nothing", () =>
  withServer({}, async ({ port }, web) => {
    await using push = new Push({ sendHighWaterMark: 10 });
    await using pull = new Pull({ receiveHighWaterMark: 10 });
    await push.bind(`ws://${web.name}/`);
    pull.connect(`ws://127.0.0.1:${port}/`);
    const total = 600;
    let sent = 0;
    const sending = (async () => {
      for (; sent < total; sent++) {
        await push.send([Uint8Array.of(sent & 255, sent >> 8), new Uint8Array(65_536)]);
      }
    })();
    for (let before = -1, still = 0; still < 50; before = sent) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      still = sent === before && sent > 10 ? still + 1 : 0;
    }
    assert(sent < total, "everything went somewhere although nobody received");
    for (let i = 0; i < total; i++) {
      const [number, content] = await within(pull.receive(), `message ${i}`);
      assertEquals(number![0]! | number![1]! << 8, i);
      assertEquals(content!.length, 65_536);
    }
    await sending;
  }));

test("a message that is larger than the server takes ends its connection, and the event says what to do", () =>
  withServer({ messageBytesMax: 100_000 }, async ({ port }, web) => {
    await using pull = new Pull();
    await using push = new Push({ reconnectInterval: 10 });
    await pull.bind(`ws://${web.name}/`);
    const lost = nextEvent(pull, "disconnect");
    const first = nextEvent(push, "handshake");
    push.connect(`ws://127.0.0.1:${port}/`);
    await first;
    const again = nextEvent(push, "handshake");
    // Deno's maximum is its own.
    await push.send(new Uint8Array(detectRuntime() === "bun" ? 100_000 : 67_108_864));
    const { error } = await lost;
    assertEquals((error as { readonly code?: string }).code, "ERR_PEER_FRAME_SIZE", error?.message);
    assertStringIncludes(error!.message, detectRuntime() === "bun" ? "100000 bytes" : "67108864 bytes");
    // What is sent before the next connection may go down with this one.
    await again;
    await push.send("small");
    assertEquals(new TextDecoder().decode((await within(pull.receive(), "small"))[0]), "small");
  }));

test("refusals are responses to the client and events of the socket", () =>
  withServer({ accept: ({ path }) => verdictOn(path) as Promise<boolean> }, async ({ port }, web) => {
    await using pull = new Pull();
    await pull.bind(`ws://${web.name}/feed`);
    const cases: readonly (readonly [string, Readonly<Record<string, string>>, number, string])[] = [
      ["/feed", { "Sec-WebSocket-Protocol": "chat" }, 400, "speaks ZWS2.0/NULL and ZWS2.0"],
      ["/feed", { Origin: "https://example.com" }, 403, "allowOrigins"],
      ["/feed", { "Sec-WebSocket-Version": "8" }, 426, "version"],
      ["/feed?no", {}, 403, "does not accept"],
      ["/feed?forgotten", {}, 403, "does not accept"],
    ];
    for (const [path, headers, status, said] of cases) {
      const refused = nextEvent(
        pull,
        "handshake:error:protocol",
        "handshake:error:auth",
        "handshake:error:other",
      );
      const text = await within(rawUpgrade(port, path, headers), `${status}`);
      assertMatch(text, new RegExp(`^HTTP/1.1 ${status} `), text);
      assertStringIncludes(text, said);
      const { error } = await within(refused, "the event");
      assertEquals((error as { readonly code?: string }).code, "ERR_HTTP_REQUEST");
      assertStringIncludes(error.message, said);
    }
    await using push = new Push();
    push.connect(`ws://127.0.0.1:${port}/feed`);
    await within(push.send("in"), "a message");
    assertEquals(new TextDecoder().decode((await within(pull.receive(), "in"))[0]), "in");
  }));

function verdictOn(path: string): unknown {
  return path.includes("forgotten") ? undefined : Promise.resolve(!path.includes("no"));
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}
