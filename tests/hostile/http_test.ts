import { connect, createServer, type Server, type Socket as Stream } from "node:net";
import { test } from "node:test";
import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { Pull, Push } from "../../mod.ts";
import { within } from "../interop/support/deadline.ts";
import { codeOf, collectEvents, nextEvent } from "../interop/support/events.ts";
import { bytesOf, greetingBytes } from "../interop/support/raw_client.ts";
import { Arena } from "./arena.ts";

// HTTP that means no good, over real sockets: each is turned away with the right event, and nobody else notices.

const ADDRESS = "ws://127.0.0.1:*/path";

/** A request with other lines. `undefined` leaves one out. */
function request(
  lines: Readonly<Record<string, string | undefined>> = {},
  ...extra: readonly string[]
): string {
  const all: Record<string, string | undefined> = {
    "": "GET /path HTTP/1.1",
    Host: "localhost",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "ZWS2.0/NULL",
    ...lines,
  };
  const named = Object.entries(all).filter(([, value]) => value !== undefined)
    .map(([name, value]) => name === "" ? value : `${name}: ${value}`);
  return [...named, ...extra, "", ""].join("\r\n");
}

const ATTACKS: readonly (readonly [name: string, bytes: Uint8Array | string, status: number])[] = [
  ["a flood of headers", `GET /path HTTP/1.1\r\n${"A: b\r\n".repeat(200_000)}`, 431],
  ["a line without end", `GET /path HTTP/1.1\r\nA: ${"b".repeat(2_000_000)}`, 431],
  ["a path without end", `GET /${"a".repeat(2_000_000)}`, 414],
  ["no key", request({ "Sec-WebSocket-Key": undefined }), 400],
  ["another version", request({ "Sec-WebSocket-Version": "8" }), 426],
  ["no request for a WebSocket", request({ Upgrade: undefined }), 426],
  ["a path that is not bound", request({ "": "GET /admin HTTP/1.1" }), 404],
  ["a page of another origin", request({ Origin: "https://attacker.example" }), 403],
  [
    "a page that was loaded under a name of its own (DNS rebinding)",
    request({ Host: "attacker.example", Origin: "http://attacker.example" }),
    403,
  ],
  ["a body by its length (smuggling)", request({}, "Content-Length: 40"), 400],
  ["a body in chunks (smuggling)", request({}, "Transfer-Encoding: chunked"), 400],
  ["two lengths (smuggling)", request({}, "Content-Length: 0", "Content-Length: 40"), 400],
  ["a folded header (smuggling)", request({}, "A: b", " Content-Length: 40"), 400],
  ["a blank before a colon (smuggling)", request({}, "Content-Length : 40"), 400],
  ["lines that end with LF (smuggling)", request().replaceAll("\r\n", "\n"), 400],
  ["two hosts (smuggling)", request({}, "Host: other"), 400],
  ["a target that names another host (smuggling)", request({ "": "GET http://other/path HTTP/1.1" }), 400],
  ["a preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
  ["a greeting of ZMTP", greetingBytes(), 400],
  ["a ClientHello of TLS", bytesOf([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), 400],
];

test("hostile requests are refused with a status and an event, and nobody else notices", async () => {
  const arena = await Arena.open("PULL", {}, ADDRESS);
  for (const [name, attack, status] of ATTACKS) {
    const refused = nextEvent(arena.socket, "handshake:error:protocol");
    const client = await arena.attacker();
    const bytes = typeof attack === "string" ? bytesOf(attack) : attack;
    // A write of a flood ends when the listener has closed.
    void client.write(bytes);
    const { error } = await arena.assertRefused(refused, client, "ERR_HTTP_REQUEST");
    assertStringIncludes(error!.message, String(status), name);
    assertStringIncludes(error!.message, arena.socket.lastEndpoint!, name);
    // What a flood has not sent yet makes the system discard what was sent to it.
    if (bytes.length < 10_000) assertStringIncludes(client.receivedStart, `HTTP/1.1 ${status} `, name);
  }
  await arena.close();
});

test("frames that are glued to a request wait for the decision, within a bound", async () => {
  let asked = 0;
  let askedAgain = (): void => {};
  const again = new Promise<void>((resolve) => askedAgain = resolve);
  const accept = (): boolean | Promise<boolean> => {
    if (asked++ === 0) return true;
    askedAgain();
    return new Promise(() => {});
  };
  const arena = await Arena.open("PULL", { webSocket: { accept } }, ADDRESS);
  const refused = nextEvent(arena.socket, "handshake:error:protocol");
  const client = await arena.attacker();
  await client.write(bytesOf(request(), "glued"));
  await within(again, "the question");
  void client.write(new Uint8Array(300_000));
  const { error } = await arena.assertRefused(refused, client, "ERR_HTTP_REQUEST");
  assertStringIncludes(error!.message, "65536 bytes before it got a response");
  assertEquals(asked, 2);
  await arena.close();
});

test("slow heads, and an accept that never decides, are gone at the handshake's deadline", async () => {
  let asked = 0;
  const accept = (): Promise<boolean> => new Promise((resolve) => asked++ === 0 && resolve(true));
  const arena = await Arena.open("PULL", { handshakeInterval: 300, webSocket: { accept } }, ADDRESS);
  const errors = collectEvents(arena.socket, "handshake:error:other");
  const began = performance.now();
  const [slow, silent, undecided] = [await arena.attacker(), await arena.attacker(), await arena.attacker()];
  await undecided.write(bytesOf(request()));
  const trickle = (async () => {
    for (const letter of request()) {
      if (!await slow.write(bytesOf(letter))) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  await within(Promise.all([slow.closed, silent.closed, undecided.closed, trickle]), "the deadline");
  const tookMs = performance.now() - began;
  assert(tookMs > 250 && tookMs < 3_000, `${tookMs} ms`);
  await within(arena.assertServes(), "the good peer");
  assertEquals(errors.map(({ error }) => codeOf(error)), Array(3).fill("ERR_PEER_HANDSHAKE_TIMEOUT"));
  await arena.close();
});

test("connections that never ask cannot lock others out", async () => {
  const arena = await Arena.open("PULL", { handshakesMax: 10 }, ADDRESS);
  const evicted = collectEvents(arena.socket, "handshake:error:other");
  for (let i = 0; i < 30; i++) await (await arena.attacker()).write(bytesOf("GET /pa"));
  await using late = new Push();
  late.connect(arena.socket.lastEndpoint!);
  await within(late.send("late"), "a late peer");
  assertEquals(
    String(new TextDecoder().decode((await within((arena.socket as Pull).receive(), "late"))[0])),
    "late",
  );
  assertGreater(evicted.length, 15);
  assertEquals(new Set(evicted.map(({ error }) => codeOf(error))), new Set(["ERR_PEER_HANDSHAKES"]));
  await arena.close();
});

/** A server that does `serve` to each connection, with its number. */
async function hostileServer(
  serve: (stream: Stream, number: number) => void,
): Promise<{ readonly server: Server; readonly port: number; readonly streams: Stream[] }> {
  const streams: Stream[] = [];
  const server = createServer((stream) => {
    streams.push(stream);
    stream.on("error", () => {});
    serve(stream, streams.length);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as { readonly port: number }).port, streams };
}

const SERVERS: readonly (readonly [name: string, response: string, says: string])[] = [
  ["an ordinary page", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "check host, port and path"],
  ["a redirection", "HTTP/1.1 301 Moved\r\nLocation: https://elsewhere/\r\n\r\n", "https://elsewhere/"],
  ["a gateway without a server", "HTTP/1.1 502 Bad Gateway\r\n\r\n", "the server behind it"],
  [
    "an old cache",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "our key",
  ],
  ["another protocol", "SSH-2.0-OpenSSH\r\n", "not HTTP"],
  ["an alert of TLS", "\x15\x03\x03\x00\x02\x02\x46", "wss://"],
  ["a flood of headers", `HTTP/1.1 200 OK\r\n${"A: b\r\n".repeat(50_000)}`, "more than 100 headers"],
];

test("a server that is none of ours is named with the remedy, and tried again", async () => {
  for (const [name, response, says] of SERVERS) {
    const { server, port, streams } = await hostileServer((stream) => {
      stream.once("data", () => stream.end(response, "latin1"));
    });
    await using push = new Push({ reconnectInterval: 10 });
    const delayed = nextEvent(push, "connect:delay");
    const endpoint = `ws://127.0.0.1:${port}/path`;
    push.connect(endpoint);
    const { error } = await delayed;
    assertEquals(codeOf(error), "ERR_HTTP_RESPONSE", `${name}: ${error.message}`);
    assertStringIncludes(error.message, says, name);
    assertStringIncludes(error.message, endpoint, name);
    await nextEvent(push, "connect:retry");
    push.close();
    for (const stream of streams) stream.destroy();
    server.close();
  }
});

test("a server that says nothing is given up at the handshake's deadline", async () => {
  const { server, port, streams } = await hostileServer(() => {});
  await using push = new Push({ handshakeInterval: 150 });
  const delayed = nextEvent(push, "connect:delay", "handshake:error:other");
  push.connect(`ws://127.0.0.1:${port}/path`);
  const { error } = await delayed;
  assertEquals(codeOf(error), "ERR_PEER_HANDSHAKE_TIMEOUT", error.message);
  push.close();
  for (const stream of streams) stream.destroy();
  server.close();
});

test("a proxy that cuts in the middle of the upgrade delays a message, and loses none", async () => {
  await using pull = new Pull();
  await pull.bind(ADDRESS);
  const upstream = Number(/:([0-9]+)\//.exec(pull.lastEndpoint!)![1]);
  const { server, port, streams } = await hostileServer((stream, number) => {
    const behind = connect(upstream, "127.0.0.1");
    behind.on("error", () => {});
    stream.on("close", () => behind.destroy());
    behind.on("close", () => stream.destroy());
    stream.on("data", (chunk) => behind.write(chunk));
    // The first three responses are cut after 0, 40 and 80 bytes.
    behind.on("data", (chunk: Uint8Array) => {
      if (number > 3) return void stream.write(chunk);
      stream.end(chunk.subarray(0, (number - 1) * 40));
    });
  });
  await using push = new Push({ reconnectInterval: 10, sendHighWaterMark: 100 });
  const delays = collectEvents(push, "connect:delay");
  push.connect(`ws://127.0.0.1:${port}/path`);
  for (let i = 0; i < 20; i++) await push.send(String(i));
  for (let i = 0; i < 20; i++) {
    const [frame] = await within(pull.receive(), `message ${i}`);
    assertEquals(new TextDecoder().decode(frame), String(i));
  }
  assertEquals(delays.map(({ error }) => codeOf(error)), Array(3).fill("ERR_HTTP_RESPONSE"));
  assertStringIncludes(delays[0]!.error.message, "without a response");
  assertStringIncludes(delays[2]!.error.message, "in the middle of its response");
  push.close();
  for (const stream of streams) stream.destroy();
  server.close();
});
