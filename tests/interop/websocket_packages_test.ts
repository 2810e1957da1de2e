// runtimes: node
import { type ChildProcess, execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { Pair } from "../../mod.ts";
import { concat } from "../../src/bytes/bytes.ts";
import { within } from "./support/deadline.ts";
import { moduleCommand, nodeProgram, type RuntimeName, sourcePath, whyNot } from "./support/runtimes.ts";

// ZWS 2.0 with other implementations of WebSocket at the other end: the npm package ws, in both roles, and those of the
// runtimes, which are clients.

const READY = Buffer.from("\x02\x05READY\x0bSocket-Type\0\0\0\x04PAIR", "latin1");
/** What stands for READY in the bare sub-protocol: an empty identity. */
const ANONYMOUS = Buffer.alloc(1);
const SIZES = [
  0,
  1,
  123,
  124,
  125,
  126,
  255,
  256,
  1_000,
  5_000,
  16_384,
  65_533,
  65_534,
  65_535,
  70_000,
  1_048_576,
];
const MESSAGES: readonly Uint8Array[][] = [
  ...SIZES.map((bytes) => [body(bytes, bytes)]),
  [body(3, 1), body(0, 2), body(300, 3)],
  SIZES.map((bytes) => body(bytes, bytes + 7)),
  ...Array.from({ length: 200 }, (_, index) => [body(index, index)]),
];

function body(bytes: number, seed: number): Uint8Array {
  return new Uint8Array(bytes).map((_, index) => (index * 31 + seed * 17) >> (index & 1));
}

/** Sends everything, and gets everything back in order. */
async function echoes(pair: Pair): Promise<void> {
  const sending = (async (): Promise<void> => {
    for (const message of MESSAGES) await pair.send(message);
  })();
  for (const message of MESSAGES) assertEquals(await within(pair.receive(), "an echo"), message);
  await sending;
}

/** Makes a PAIR of ZWS of a socket of the package: it sends back what it gets, in fragments if that is asked. */
function echo(socket: WebSocket, hello: Buffer, fragments: number): void {
  let greeted = false;
  socket.send(hello);
  socket.on("message", (data: RawData) => {
    if (greeted) sendIn(socket, data as Buffer, fragments);
    greeted = true;
  });
}

function sendIn(socket: WebSocket, bytes: Buffer, fragments: number): void {
  const size = Math.ceil(bytes.length / fragments);
  for (let index = 0; index < fragments; index++) {
    socket.send(bytes.subarray(index * size, (index + 1) * size), {
      fin: index === fragments - 1,
      binary: true,
    });
    if (index === 0 && fragments > 1) socket.ping("between");
  }
}

/**
 * A server of the package on a port of its own. The sub-protocols of RFC 45 have a slash, which the package refuses as
 * browsers do: it does not see them.
 */
async function serverOf(
  options: object,
  fragments: number,
): Promise<{ url: string; close(): Promise<void> }> {
  const sockets = new WebSocketServer({ noServer: true, ...options });
  sockets.on("headers", (headers) => headers.push("Sec-WebSocket-Protocol: ZWS2.0/NULL"));
  const server = createServer();
  server.on("upgrade", (request, stream, head) => {
    delete request.headers["sec-websocket-protocol"];
    sockets.handleUpgrade(request, stream, head, (socket) => echo(socket, READY, fragments));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

for (const perMessageDeflate of [false, true]) {
  for (const fragments of [1, 3]) {
    const how = `${perMessageDeflate ? "deflate offered" : "no deflate"}, ${fragments} fragments`;

    test(`a server of the package ws sends back what our client sends: ${how}`, async () => {
      const server = await serverOf({ perMessageDeflate }, fragments);
      const pair = new Pair();
      pair.connect(server.url);
      await echoes(pair);
      await pair[Symbol.asyncDispose]();
      await within(server.close(), "the server to be free");
    });

    test(`a client of the package ws sends back what our server sends: ${how}`, async () => {
      const pair = new Pair();
      await pair.bind("ws://127.0.0.1:*/echo");
      const socket = new WebSocket(pair.lastEndpoint!, ["ZWS2.0"], { perMessageDeflate });
      socket.once("open", () => echo(socket, ANONYMOUS, fragments));
      await echoes(pair);
      assertEquals([socket.extensions, socket.protocol], ["", "ZWS2.0"]);
      const closed = new Promise<number>((resolve) => socket.once("close", resolve));
      await pair[Symbol.asyncDispose]();
      assertEquals(await within(closed, "the close"), 1000);
    });
  }
}

/** A client of the package that has met a socket of ours. */
async function client(pair: Pair): Promise<WebSocket> {
  await pair.bind("ws://127.0.0.1:*");
  const socket = new WebSocket(pair.lastEndpoint!, ["ZWS2.0"], { perMessageDeflate: false });
  const identity = new Promise((resolve) => socket.once("message", resolve));
  await within(new Promise((resolve) => socket.once("open", resolve)), "the client to open");
  socket.send(ANONYMOUS);
  await within(identity, "our identity");
  return socket;
}

test("a PING of the package ws is answered with its payload", async () => {
  const pair = new Pair();
  const socket = await client(pair);
  const pong = new Promise<Buffer>((resolve) => socket.once("pong", resolve));
  socket.ping("are you there?");
  assertEquals((await within(pong, "the PONG")).toString(), "are you there?");
  await pair[Symbol.asyncDispose]();
});

const REFUSED: readonly [name: string, act: (socket: WebSocket) => void, code: number][] = [
  ["text", (socket) => socket.send("text"), 1003],
  ["a message without flags", (socket) => socket.send(new Uint8Array(0)), 1002],
  ["flags that ZWS does not have", (socket) => socket.send(Uint8Array.of(7)), 1002],
  ["a frame above the limit", (socket) => socket.send(new Uint8Array(1_002)), 1009],
];

for (const [name, act, code] of REFUSED) {
  test(`${name} closes the socket of the package ws with ${code}, and our socket says why`, async () => {
    const pair = new Pair({ maxMessageSize: 1_000 });
    const lost = new Promise<{ error?: unknown }>((resolve) => pair.events.on("disconnect", resolve));
    const socket = await client(pair);
    const closed = new Promise<number>((resolve) => socket.once("close", resolve));
    act(socket);
    assertEquals(await within(closed, "the close"), code);
    assert((await within(lost, "the event")).error instanceof Error);
    await pair[Symbol.asyncDispose]();
  });
}

test("a close of the package ws, with any code, is answered with that code", async () => {
  for (const code of [1000, 1001, 1011, 4321]) {
    const pair = new Pair();
    const socket = await client(pair);
    const closed = new Promise<number>((resolve) => socket.once("close", resolve));
    socket.close(code, "reason");
    assertEquals(await within(closed, "the answer"), code);
    await pair[Symbol.asyncDispose]();
  }
});

/** How to run a program with the WebSocket of a runtime. Node 20 hides its own behind a flag. */
function commandOf(runtime: RuntimeName): readonly [string, ...string[]] {
  const program = sourcePath("tests/interop/native_web_socket_peer.mjs");
  if (runtime === "node") return [nodeProgram(), "--experimental-websocket", "--no-warnings", program];
  const [own] = moduleCommand(runtime, "");
  return runtime === "deno" ? [own, "run", "-A", "--no-check", program] : [own, program];
}

for (const runtime of ["node", "deno", "bun"] as const) {
  const skip = runtime === "node" ? false : whyNot(runtime, "tests/interop/hawser_peer");
  test(`the WebSocket of ${runtime} sends back what our server sends`, { skip }, async () => {
    const pair = new Pair();
    await pair.bind("ws://127.0.0.1:*/native");
    const [program, ...args] = commandOf(runtime);
    let child!: ChildProcess;
    const ended = new Promise<string>((resolve) => {
      child = execFile(program, [...args, pair.lastEndpoint!], (_, output) => resolve(output));
    });
    try {
      await echoes(pair);
      await pair[Symbol.asyncDispose]();
      const told = JSON.parse(await within(ended, "the runtime to end")) as {
        code: number;
        protocol: string;
      };
      assertEquals([told.code, told.protocol], [1000, "ZWS2.0"]);
    } finally {
      child.kill();
    }
  });
}

test("the messages are of every length that a frame can tell, and not all alike", () => {
  assert(new Set(MESSAGES.flat().map(({ length }) => length)).size > 200);
  assert(concat(MESSAGES.flat()).some((byte) => byte > 200));
});

test("a socket finds a server of the package ws, which refuses sub-protocols with a slash, at the second attempt", async () => {
  const server = createServer();
  const sockets = new WebSocketServer({ server, handleProtocols: () => "ZWS2.0" });
  sockets.on("connection", (socket) => {
    socket.send(ANONYMOUS);
    socket.on("message", (data) => {
      if (Buffer.compare(data as Buffer, ANONYMOUS) !== 0) socket.send(data);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const pair = new Pair({ reconnectInterval: 1 });
  const refused: string[] = [];
  pair.events.on("connect:delay", ({ error }) => refused.push(error.message));
  pair.connect(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await within(pair.send("echo"), "the message to leave");
  const [echoed] = await within(pair.receive(), "the echo");
  assertEquals(new TextDecoder().decode(echoed), "echo");
  assertEquals(refused.length, 1, refused.join("\n"));
  pair.close();
  sockets.close();
  await new Promise((resolve) => server.close(resolve));
});
