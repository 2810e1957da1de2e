import { test } from "node:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connect } from "node:net";
import { Pair, Pull, Push } from "../../../mod.ts";
import { within } from "../../interop/support/deadline.ts";
import { nextEvent } from "../../interop/support/events.ts";
import { testCertificates } from "../../support/certificates.ts";
import { errorOf } from "../support.ts";

// Sockets of one process that listen at one port, each at its own path.

const { server, renewedServer, authority } = await testCertificates();
const tls = { certificate: server.certificate, key: server.key, authorities: authority.certificate };

for (const scheme of ["ws", "wss"] as const) {
  const options = scheme === "wss" ? { tls } : {};

  test(`${scheme}: sockets share a port by path, and it lives as long as one of them`, async () => {
    await using one = new Pull(options);
    await using two = new Pull(options);
    await one.bind(`${scheme}://127.0.0.1:*/one`);
    const place = one.lastEndpoint!.slice(0, -"/one".length);
    assertMatch(place, new RegExp(`^${scheme}://127\\.0\\.0\\.1:[0-9]+$`));
    await two.bind(`${place}/two`);
    assertEquals(two.lastEndpoint, `${place}/two`);
    await assertReaches(one, `${place}/one?query`, options);
    await assertReaches(two, `${place}/two`, options);
    await one.unbind(`${place}/one`);
    await assertReaches(two, `${place}/two`, options);
    await one.bind(`${place}/one`);
    await assertReaches(one, `${place}/one`, options);
    await one.unbind(`${place}/one`);
    await two.unbind(`${place}/two`);
    // Nobody is left: the port is free for anything.
    await one.bind(`tcp${place.slice(scheme.length)}`);
  });
}

for (const ipv6 of [false, true]) {
  test(`ws: every interface${ipv6 ? ", IPv6 too," : ""} may be written as * and as its address`, async () => {
    await using one = new Pull({ ipv6 });
    await using two = new Pull({ ipv6 });
    await using three = new Pull({ ipv6 });
    await one.bind("ws://*:*/one");
    const place = one.lastEndpoint!.slice(0, -"/one".length);
    const port = place.slice(place.lastIndexOf(":") + 1);
    await two.bind(`ws://*:${port}/two`);
    await three.bind(`${place}/three`);
    assertEquals([two.lastEndpoint, three.lastEndpoint], [`${place}/two`, `${place}/three`]);
    await assertReaches(two, `ws://127.0.0.1:${port}/two`, {});
    const error = await errorOf(() => two.bind(`tcp://*:${port}`));
    assertEquals((error as { readonly code?: string }).code, "ERR_ADDRESS_IN_USE");
  });
}

test("the same path twice is an address in use, and so is a port with another scheme", async () => {
  await using one = new Pull();
  await using two = new Pull({ tls });
  await one.bind("ws://127.0.0.1:*/path");
  const endpoint = one.lastEndpoint!;
  for (
    const address of [
      endpoint,
      endpoint.replace("ws:", "wss:").replace("/path", "/other"),
      endpoint.replace("ws:", "tcp:").replace("/path", ""),
    ]
  ) {
    const error = await errorOf(() => two.bind(address));
    assertEquals((error as { readonly code?: string }).code, "ERR_ADDRESS_IN_USE", address);
    assertStringIncludes(error.message, address);
  }
  await assertReaches(one, endpoint, {});
});

test("sockets that share a port of wss have the same options of TLS", async () => {
  await using one = new Pull({ tls });
  await using same = new Pull({ tls: { ...tls } });
  await using none = new Pull();
  await using other = new Pull({ tls: { ...tls, clientCertificates: "request" } });
  await one.bind("wss://127.0.0.1:*/one");
  const place = one.lastEndpoint!.slice(0, -"/one".length);
  await same.bind(`${place}/same`);
  await none.bind(`${place}/none`);
  const error = await errorOf(() => other.bind(`${place}/other`));
  assertEquals((error as { readonly code?: string }).code, "ERR_ADDRESS_IN_USE");
  assertStringIncludes(error.message, "other options of TLS");
  await assertReaches(same, `${place}/same`, { tls });
  await assertReaches(none, `${place}/none`, { tls });
});

test("a certificate is renewed for all that share a port, and events have the facts of TLS and HTTP", async () => {
  await using one = new Pull({ tls });
  await using two = new Pull({ tls });
  await one.bind("wss://127.0.0.1:*/one");
  const place = one.lastEndpoint!.slice(0, -"/one".length);
  await two.bind(`${place}/two`);
  const client = async (): Promise<string | undefined> => {
    await using push = new Push({ tls });
    const handshakes = Promise.all([nextEvent(push, "handshake"), nextEvent(two, "handshake")]);
    push.connect(`${place}/two?query`);
    const [{ peer: server }, { peer }] = await handshakes;
    assertEquals(peer.http?.path, "/two?query");
    assertEquals(peer.http?.host, place.slice("wss://".length));
    assertMatch(peer.tls!.protocol, /^TLSv1/);
    assertMatch(peer.remoteAddress!, /^wss:\/\/127\.0\.0\.1:/);
    return server.tls?.peerCertificate?.fingerprint;
  };
  const before = await client();
  one.tls = { ...tls, certificate: renewedServer.certificate, key: renewedServer.key };
  await one.renewTls();
  const after = await client();
  assert(before !== undefined && after !== undefined && before !== after, `${before} ${after}`);
});

test("errors of TLS name the endpoint of wss", async () => {
  await using pull = new Pull({ tls });
  const endpoint = await pull.bind("wss://127.0.0.1:*/one");
  await using push = new Push({ tls: { ...tls, serverName: "other.example" }, linger: 0 });
  const refused = nextEvent(push, "connect:delay");
  push.connect(endpoint);
  const { error } = await within(refused, "the refusal");
  assertEquals((error as { readonly code?: string }).code, "ERR_CERTIFICATE_HOST");
  assertStringIncludes(error.message, `certificate of ${endpoint}:`);
  const stale = await errorOf(() => pull.renewTls({ certificate: "none", key: "none" }));
  assertEquals((stale as { readonly code?: string }).code, "ERR_CERTIFICATE_KEY");
  assertStringIncludes(stale.message, `renew the certificate of ${endpoint}:`);
});

test("two binds that begin at once share the port", async () => {
  await using probe = new Pull();
  await probe.bind("tcp://127.0.0.1:*");
  const place = probe.lastEndpoint!.replace("tcp:", "ws:");
  await probe.unbind(probe.lastEndpoint!);
  await using one = new Pull();
  await using two = new Pull();
  await using three = new Pull();
  const [first, second, third] = await Promise.allSettled([
    one.bind(`${place}/one`),
    two.bind(`${place}/two`),
    three.bind(`${place}/one`),
  ]);
  assertEquals([first.status, second.status, third.status], ["fulfilled", "fulfilled", "rejected"]);
  await assertReaches(one, `${place}/one`, {});
  await assertReaches(two, `${place}/two`, {});
});

test("where several share a port, what is wrong with a request is an event of one of them", async () => {
  await using one = new Pair();
  await using two = new Pair({ webSocket: { allowOrigins: [] } });
  await one.bind("ws://127.0.0.1:*/one");
  const place = one.lastEndpoint!.slice(0, -"/one".length);
  await two.bind(`${place}/two`);
  const port = Number(place.slice(place.lastIndexOf(":") + 1));
  const unknown = nextEvent(one, "handshake:error:protocol");
  assertMatch(await exchange(port, "GET /three HTTP/1.1\r\nHost: localhost\r\n\r\n"), /^HTTP\/1\.1 404 /);
  assertStringIncludes((await unknown).error.message, "/three");
  const malformed = nextEvent(one, "handshake:error:protocol");
  assertMatch(await exchange(port, "\x16\x03\x01"), /^HTTP\/1\.1 400 /);
  assertStringIncludes((await malformed).error.message, "does not begin as HTTP does");
  const foreign = nextEvent(two, "handshake:error:protocol");
  const request = "GET /two HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Protocol: ZWS2.0/NULL\r\nOrigin: http://localhost\r\n\r\n";
  assertMatch(await exchange(port, request, 1), /^HTTP\/1\.1 403 /);
  const { error } = await foreign;
  assertEquals((error as { readonly code?: string }).code, "ERR_HTTP_REQUEST");
  assertStringIncludes(error.message, `${place}/two`);
});

test("where several share a port, a request that never comes is given up in time", async () => {
  await using one = new Pair({ handshakeInterval: 150 });
  await using two = new Pair({ handshakeInterval: 150 });
  await one.bind("ws://127.0.0.1:*/one");
  const place = one.lastEndpoint!.slice(0, -"/one".length);
  await two.bind(`${place}/two`);
  const failed = nextEvent(one, "accept:error");
  const silent = exchange(Number(place.slice(place.lastIndexOf(":") + 1)), "GET /o");
  const { error } = await within(failed, "the event");
  assertEquals((error as { readonly code?: string }).code, "ERR_PEER_HANDSHAKE_TIMEOUT");
  assertEquals(await within(silent, "the end"), "");
});

/** A message gets from a new socket to `socket`. */
async function assertReaches(socket: Pull, address: string, options: object): Promise<void> {
  await using push = new Push(options);
  push.connect(address);
  await within(push.send(address), `sending to ${address}`);
  assertEquals(await within(text(socket), address), address);
}

async function text(socket: Pull): Promise<string> {
  return new TextDecoder().decode((await socket.receive())[0]);
}

/** All that comes back for these bytes, which are sent in pieces of `size`. */
function exchange(port: number, bytes: string, size = bytes.length): Promise<string> {
  return new Promise((resolve) => {
    let received = "";
    const socket = connect(port, "127.0.0.1", () => {
      for (let at = 0; at < bytes.length; at += size) socket.write(bytes.slice(at, at + size), "latin1");
    });
    socket.setNoDelay(true);
    socket.on("data", (chunk) => received += chunk.toString("latin1"));
    socket.on("error", () => {});
    socket.on("close", () => resolve(received));
  });
}
