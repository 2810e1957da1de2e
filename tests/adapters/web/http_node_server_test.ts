import { createServer, get, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { connect } from "node:net";
import { test } from "node:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Pair, Pull, Push } from "../../../mod.ts";
import { detectRuntime } from "../../../adapters/detect.ts";
import { webSocketListener } from "../../../adapters/http/mod.ts";
import { within } from "../../interop/support/deadline.ts";
import { nextEvent } from "../../interop/support/events.ts";
import { testCertificates } from "../../support/certificates.ts";

// Sockets on the port of a server of node:http, on every runtime.

/** A server that serves a page as well, and where it listens. */
async function serve(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((request, response) => response.end(`page ${request.url}`));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as { readonly port: number }).port };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function page(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ port, host: "127.0.0.1", path, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk) => text += String(chunk));
      response.on("end", () => resolve(text));
    }).on("error", reject);
  });
}

/** All that a server responds to these bytes until it ends the connection. */
function exchange(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(request));
    let text = "";
    socket.on("data", (chunk) => text += chunk.toString("latin1"));
    socket.on("end", () => resolve(text));
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
  });
}

function upgrade(path: string, ...extra: readonly string[]): string {
  return [
    `GET ${path} HTTP/1.1`,
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: ZWS2.0/NULL",
    ...extra,
    "",
    "",
  ].join("\r\n");
}

test("two sockets and pages share the port of a server, and events name the request", async () => {
  const { server, port } = await serve();
  using web = webSocketListener({ name: "shared" });
  web.attach(server);
  const [feed, jobs] = [new Pair(), new Pull()];
  const [reader, worker] = [new Pair(), new Push()];
  try {
    await feed.bind("ws://shared/feed");
    await jobs.bind("ws://shared/jobs");
    assertEquals(feed.lastEndpoint, "ws://shared/feed");
    const handshake = nextEvent(feed, "handshake");
    reader.connect(`ws://127.0.0.1:${port}/feed?token=1`);
    worker.connect(`ws://127.0.0.1:${port}/jobs`);
    await within(reader.send("hello"), "a message");
    assertEquals(String(await within(text(feed), "the message")), "hello");
    await feed.send("x".repeat(300_000));
    assertEquals((await within(text(reader), "a large message")).length, 300_000);
    await worker.send("job");
    assertEquals(await within(text(jobs), "the job"), "job");
    assertEquals(await page(port, "/feed"), "page /feed");
    const { peer } = await handshake;
    assertEquals(peer.http, {
      path: "/feed?token=1",
      host: `127.0.0.1:${port}`,
      origin: undefined,
      protocol: "ZWS2.0/NULL",
    });
    assertMatch(peer.remoteAddress!, /^ws:\/\/127\.0\.0\.1:\d+$/);
  } finally {
    for (const socket of [feed, jobs, reader, worker]) socket.close();
    await close(server);
  }
});

test("a server of node:https serves wss, and events name the client's certificate", async () => {
  const { server: own, client, authority } = await testCertificates();
  const server = createSecureServer({
    cert: own.certificate,
    key: own.key,
    ca: authority.certificate,
    requestCert: true,
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { readonly port: number };
  using web = webSocketListener({ name: "secure" });
  web.attach(server);
  const tls = { authorities: authority.certificate, certificate: client.certificate, key: client.key };
  const [left, right] = [new Pair(), new Pair({ tls })];
  try {
    await left.bind("ws://secure/path");
    const handshake = nextEvent(left, "handshake");
    right.connect(`wss://127.0.0.1:${port}/path`);
    await within(right.send("x".repeat(300_000)), "a message");
    assertEquals((await within(text(left), "the message")).length, 300_000);
    await left.send("back");
    assertEquals(await within(text(right), "the message back"), "back");
    const { peer } = await handshake;
    assertMatch(peer.remoteAddress!, /^wss:\/\/127\.0\.0\.1:\d+$/);
    // Bun's server says neither.
    if (detectRuntime() === "bun") assertEquals(peer.tls?.protocol, "");
    else assertMatch(peer.tls!.protocol, /^TLSv1\.[23]$/);
    assertEquals(peer.tls!.peerCertificate === undefined, detectRuntime() === "bun");
    assertEquals(peer.http!.path, "/path");
  } finally {
    left.close();
    right.close();
    await close(server);
  }
});

test("frames that are glued to the request are delivered", async () => {
  const { server, port } = await serve();
  using web = webSocketListener({ name: "glued" });
  web.attach(server);
  const pull = new Pull();
  try {
    await pull.bind("ws://glued/");
    const ready = frame(2, "\x05READY\x0bSocket-Type\0\0\0\x04PUSH");
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    socket.write(`${upgrade("/")}${ready}${frame(0, "glued")}`, "latin1");
    assertEquals(await within(text(pull), "the message"), "glued");
    socket.destroy();
  } finally {
    pull.close();
    await close(server);
  }
});

test("a path that is not ours is left to others, or refused with 404 if there are none", async () => {
  const { server, port } = await serve();
  using web = webSocketListener({ name: "first" });
  using other = webSocketListener({ name: "second" });
  web.attach(server);
  other.attach(server);
  other.attach(server);
  const pull = new Pull();
  try {
    await pull.bind("ws://second/mine");
    const refused = await within(exchange(port, upgrade("/nobody")), "404");
    assertMatch(refused, /^HTTP\/1\.1 404 Not Found\r\n/);
    assertStringIncludes(refused, "No socket is bound at the path /nobody.");
    server.on("upgrade", (request, socket) => {
      if (request.url === "/theirs") socket.end("HTTP/1.1 418 Theirs\r\n\r\n");
    });
    assertEquals(await within(exchange(port, upgrade("/theirs")), "theirs"), "HTTP/1.1 418 Theirs\r\n\r\n");
    const push = new Push();
    push.connect(`ws://127.0.0.1:${port}/mine`);
    await within(push.send("ours"), "a message");
    assertEquals(await within(text(pull), "ours"), "ours");
    push.close();
  } finally {
    pull.close();
    await close(server);
  }
});

test("the listener's policy holds, a socket's own comes first, and refusals are events", async () => {
  const { server, port } = await serve();
  const asked: string[] = [];
  using web = webSocketListener({
    name: "policy",
    allowOrigins: ["https://example.org"],
    accept: (request) => {
      asked.push(request.path);
      return Promise.resolve(request.headers.get("x-token") === "1");
    },
  });
  web.attach(server);
  const [strict, open] = [new Pull(), new Pull({ webSocket: { allowOrigins: "*", accept: () => true } })];
  try {
    await strict.bind("ws://policy/strict");
    await open.bind("ws://policy/open");
    const refused = nextEvent(
      strict,
      "handshake:error:protocol",
      "handshake:error:auth",
      "handshake:error:other",
    );
    const foreign = await within(exchange(port, upgrade("/strict", "Origin: https://example.com")), "403");
    assertMatch(foreign, /^HTTP\/1\.1 403 /);
    const { error } = await refused;
    assertEquals((error as { readonly code?: string }).code, "ERR_HTTP_REQUEST");
    assertStringIncludes(error.message, "ws://policy/strict");
    assertEquals(asked, []);
    assertMatch(await within(exchange(port, upgrade("/strict")), "no token"), /^HTTP\/1\.1 403 /);
    const named = new Push({ webSocket: { headers: { "X-Token": "1" } } });
    named.connect(`ws://127.0.0.1:${port}/strict`);
    await within(named.send("in"), "a message");
    assertEquals(await within(text(strict), "in"), "in");
    named.close();
    const free = new Push({ webSocket: { headers: { Origin: "https://example.com" } } });
    free.connect(`ws://127.0.0.1:${port}/open`);
    await within(free.send("in"), "a message");
    assertEquals(await within(text(open), "in"), "in");
    free.close();
    assertEquals(asked, ["/strict", "/strict"]);
  } finally {
    strict.close();
    open.close();
    await close(server);
  }
});

test("names of web listeners are unique, checked and named in errors", async () => {
  const web = webSocketListener({ name: "unique" });
  const code = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      return (error as { readonly code: string }).code;
    }
    return "nothing";
  };
  assertEquals(code(() => webSocketListener({ name: "unique" })), "ERR_ADDRESS_IN_USE");
  assertEquals(code(() => webSocketListener({ name: "a/b" })), "ERR_OPTION");
  assertEquals(code(() => webSocketListener({ name: "1.2.3.4" })), "ERR_OPTION");
  assertEquals(code(() => webSocketListener({ name: "x", messageBytesMax: 0 })), "ERR_OPTION");
  assertEquals(code(() => webSocketListener({ name: "x", allowOrigins: 7 as unknown as "*" })), "ERR_OPTION");
  assertEquals(code(() => webSocketListener({ name: "x", nonsense: 1 } as object)), "ERR_OPTION");
  const [one, two] = [new Pull(), new Pull()];
  const failure = async (address: string): Promise<string> => {
    const error = await two.bind(address).then(() => undefined, (error) => error);
    assert(error instanceof Error, `${address} was bound`);
    return `${(error as { readonly code?: string }).code} ${error.message}`;
  };
  await one.bind("ws://unique/a");
  assertMatch(await failure("ws://unique/a"), /^ERR_ADDRESS_IN_USE .*ws:\/\/unique\/a/);
  assertMatch(await failure("ws://missing/a"), /^ERR_ADDRESS .*"missing" \(there are .*unique.*hawser\/http/);
  assertMatch(await failure("wss://unique/a"), /^ERR_ENDPOINT .*ws:\/\/unique\/a/);
  assertMatch(await failure("ws://unique/a?b"), /^ERR_ENDPOINT .*query/);
  await one.unbind("ws://unique/a");
  await two.bind("ws://unique/a");
  web.close();
  web.close();
  const again = webSocketListener({ name: "unique" });
  assertEquals(code(() => web.attach(createServer())), "ERR_CLOSED");
  await two.unbind("ws://unique/a");
  again.close();
  one.close();
  two.close();
});

/** A masked frame with a message of ZWS. */
function frame(flags: number, body: string): string {
  // A key of zeros changes nothing.
  return `\x82${String.fromCharCode(0x80 + 1 + body.length)}\0\0\0\0${String.fromCharCode(flags)}${body}`;
}

async function text(socket: Pull | Pair): Promise<string> {
  return new TextDecoder().decode((await socket.receive())[0]);
}
