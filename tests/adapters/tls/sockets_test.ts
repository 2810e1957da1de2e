import { test } from "node:test";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { MisuseError, Pull, Push, Reply, Request } from "../../../mod.ts";
import type { TlsOptions } from "../../../src/transport_options.ts";
import { loopTurn, within } from "../../interop/support/deadline.ts";
import { codeOf, collectEvents, nextEvent } from "../../interop/support/events.ts";
import { type TestCertificates, testCertificates } from "../../support/certificates.ts";

// Sockets over tls: who is there, what is told of refusals, that they are tried again, and renewed certificates.

const certificates = await testCertificates();
const authorities = certificates.authority.certificate;

function pair(name: keyof TestCertificates): TlsOptions {
  const { certificate, key } = certificates[name];
  return { certificate, key };
}

test("events and peers show the certificate of the other side", async () => {
  const pull = new Pull({ tls: { ...pair("server"), authorities, clientCertificates: "require" } });
  const push = new Push({ tls: { ...pair("client"), authorities } });
  await pull.bind("tls://127.0.0.1:*");
  const met = [nextEvent(pull, "handshake"), nextEvent(push, "handshake")];
  push.connect(pull.lastEndpoint!);
  const [heard, told] = await Promise.all(met);
  assertEquals(heard!.peer.tls?.peerCertificate?.subject, "CN=client, O=Test");
  assertEquals(told!.peer.tls?.peerCertificate?.subject, "CN=server, O=Test");
  assertEquals(pull.peers[0]!.tls?.peerCertificate?.commonName, "client");
  assertEquals(push.peers[0]!.tls?.protocol, "TLSv1.3");
  const left = nextEvent(pull, "disconnect");
  push.close();
  assertEquals((await left).peer?.tls?.peerCertificate?.commonName, "client");
  pull.close();
});

test("a listener's certificate that is not valid is told at each attempt, until there is a valid one", async () => {
  const pull = new Pull({ tls: pair("expired") });
  const push = new Push({ tls: { authorities }, reconnectInterval: 10 });
  await pull.bind("tls://127.0.0.1:*");
  const delays = collectEvents(push, "connect:delay");
  push.connect(pull.lastEndpoint!);
  while (delays.length < 3) await loopTurn();
  for (const { error } of delays) assertEquals(codeOf(error), "ERR_CERTIFICATE_EXPIRED", error.message);
  await pull.renewTls(pair("server"));
  await within(push.ready(), "a connection after the certificate was renewed");
  await push.send("hello");
  await within(pull.receive(), "a message");
  push.close();
  pull.close();
});

test("a client whose certificate is refused is told which, comes back with back-off, and is taken with a valid one", async () => {
  const pull = new Pull({ tls: { ...pair("server"), authorities, clientCertificates: "require" } });
  const push = new Push({ tls: { ...pair("unknownClient"), authorities }, reconnectInterval: 10 });
  await pull.bind("tls://127.0.0.1:*");
  const refused = collectEvents(pull, "handshake:error:auth");
  const told = collectEvents(push, "handshake:error:auth", "handshake:error:other", "connect:delay");
  push.connect(pull.lastEndpoint!);
  while (told.length < 2 || refused.length < 2) await loopTurn();
  for (const { error } of refused) {
    assertEquals(codeOf(error), "ERR_CERTIFICATE_UNKNOWN", error.message);
    assertStringIncludes(error.message, "CN=unknownClient");
  }
  for (const { error, type } of told) {
    assertEquals(codeOf(error), "ERR_CERTIFICATE_REFUSED", `${type}: ${error.message}`);
    assertStringIncludes(error.message, "CN=unknownClient");
  }
  const met = nextEvent(pull, "handshake");
  await push.renewTls({ ...pair("client"), authorities });
  assertEquals((await met).peer.tls?.peerCertificate?.commonName, "client");
  push.close();
  pull.close();
});

test("a renewed certificate that cannot be used is refused, and the old one stays", async () => {
  const pull = new Pull({ tls: pair("server") });
  await pull.bind("tls://127.0.0.1:*");
  const { certificate } = certificates.renewedServer;
  const error = await assertRejects(
    () => pull.renewTls({ certificate, key: certificates.client.key }),
    MisuseError,
  );
  assertEquals(error.code, "ERR_CERTIFICATE_KEY");
  const push = new Push({ tls: { authorities } });
  push.connect(pull.lastEndpoint!);
  await within(push.ready(), "a connection with the old certificate");
  assertEquals(push.peers[0]!.tls?.peerCertificate?.commonName, "server");
  push.close();
  pull.close();
});

test("a listener without a certificate does not bind", async () => {
  const pull = new Pull();
  const error = await assertRejects(() => pull.bind("tls://127.0.0.1:*"), MisuseError);
  assertEquals(error.code, "ERR_CERTIFICATE_KEY");
  assertEquals(pull.lastEndpoint, null);
  pull.close();
});

test("requests and replies of every size pass, with a name and without one", async () => {
  const reply = new Reply({ tls: pair("server") });
  await reply.bind("tls://127.0.0.1:*");
  const request = new Request({ tls: { authorities } });
  request.connect(reply.lastEndpoint!.replace("127.0.0.1", "localhost"));
  for (const bytes of [0, 1, 255, 16_384, 65_537, 1_048_576]) {
    const body = new Uint8Array(bytes).map((_, index) => index * 7);
    await request.send(body);
    const [heard] = await within(reply.receive(), `${bytes} bytes`);
    await reply.send(heard!);
    const [back] = await within(request.receive(), `${bytes} bytes back`);
    assertEquals(Buffer.compare(back!, body), 0);
  }
  assertEquals(reply.peers[0]!.tls?.serverName, "localhost");
  request.close();
  reply.close();
});

const MARKS = { sendHighWaterMark: 10, receiveHighWaterMark: 10, pendingBytesMax: 65_536 };
const BODY_BYTES = 100_000;

test("a receiver that stands still blocks its sender, in bounded memory, and loses nothing", async () => {
  const pull = new Pull({ tls: pair("server"), receiveHighWaterMark: 10, pendingBytesMax: 65_536 });
  const push = new Push({ tls: { authorities }, sendHighWaterMark: MARKS.sendHighWaterMark });
  await pull.bind("tls://127.0.0.1:*");
  push.connect(pull.lastEndpoint!);
  await within(push.ready(), "the two to meet");
  const body = (index: number): Uint8Array => new Uint8Array(BODY_BYTES).fill(index);
  let sent = 0;
  for (let idle = 0; idle < 100; idle++) {
    while (push.trySend(body(sent))) {
      sent++;
      idle = 0;
      assertLess(sent * BODY_BYTES, 64 * 1_048_576, "nothing blocks the sender");
    }
    await loopTurn();
  }
  assertGreater(sent, 20);
  for (let index = 0; index < sent; index++) {
    const [received] = await within(pull.receive(), `message ${index} of ${sent}`);
    assert(
      received!.length === BODY_BYTES && received!.every((byte) => byte === index % 256),
      `message ${index}`,
    );
  }
  assertEquals(pull.tryReceive(), undefined);
  push.close();
  pull.close();
});
