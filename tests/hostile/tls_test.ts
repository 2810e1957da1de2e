import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { Pull, Push } from "../../mod.ts";
import { within } from "../interop/support/deadline.ts";
import { codeOf, collectEvents, nextEvent } from "../interop/support/events.ts";
import { bytesOf, greetingBytes, handshakeBytes, RawClient } from "../interop/support/raw_client.ts";
import { testCertificates } from "../support/certificates.ts";

// Peers of a tls listener that go wrong before there is anything encrypted, or that never get there. One deadline and one
// bound cover TCP, TLS and ZMTP; a good peer is served all the while.

const { authority, server } = await testCertificates();
const authorities = authority.certificate;

class Scene {
  readonly #rssBytes = process.memoryUsage().rss;
  readonly clients: RawClient[] = [];
  #messages = 0;
  readonly pull: Pull;
  readonly push: Push = new Push({ tls: { authorities } });

  constructor(options: object = {}) {
    this.pull = new Pull({ tls: { certificate: server.certificate, key: server.key }, ...options });
  }

  static async open(options: object = {}): Promise<Scene> {
    const scene = new Scene(options);
    await scene.pull.bind("tls://127.0.0.1:*");
    scene.push.connect(scene.pull.lastEndpoint!);
    await within(scene.push.ready(), "the good peer");
    await scene.assertServes();
    return scene;
  }

  async attacker(): Promise<RawClient> {
    const client = await RawClient.open(this.pull.lastEndpoint!);
    this.clients.push(client);
    return client;
  }

  async assertServes(): Promise<void> {
    const text = `good message ${++this.#messages}`;
    await this.push.send(text);
    const [body] = await within(this.pull.receive(), text);
    assertEquals(new TextDecoder().decode(body), text);
  }

  async close(): Promise<void> {
    assertLess(process.memoryUsage().rss - this.#rssBytes, 192 * 1_048_576);
    for (const client of this.clients) client.destroy();
    this.push.close();
    await within(this.pull[Symbol.asyncDispose](), "the attacked socket to close");
  }
}

/** The record header and the first bytes of a ClientHello whose rest never comes. */
const HALF_A_HELLO = bytesOf([0x16, 0x03, 0x01, 0x01, 0x00, 0x01, 0x00, 0x00, 0xfc, 0x03, 0x03]);

const FAULTS: readonly (readonly [string, Uint8Array, string])[] = [
  ["a peer of tcp", greetingBytes(), "does not speak TLS"],
  ["a peer of tcp with a whole handshake", handshakeBytes("PUSH"), "does not speak TLS"],
  ["a web browser", bytesOf("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "does not speak TLS"],
  ["junk", new Uint8Array(100_000).fill(0x55), "tls://127.0.0.1:"],
  ["a record of another version", bytesOf([0x16, 0x09, 0x09, 0x00, 0x05, 1, 0, 0, 1, 0]), "tls://127.0.0.1:"],
  ["data before the handshake", bytesOf([0x17, 0x03, 0x03, 0x00, 0x05, 1, 2, 3, 4, 5]), "tls://127.0.0.1:"],
];

test("peers that do not speak TLS are turned away at once, and a good one is served", async () => {
  const scene = await Scene.open({ handshakeInterval: 0 });
  for (const [what, bytes, words] of FAULTS) {
    const refused = nextEvent(scene.pull, "handshake:error:protocol", "handshake:error:other");
    const client = await scene.attacker();
    await client.write(bytes);
    const { error } = await refused;
    assertEquals(codeOf(error), "ERR_TLS", `${what}: ${error?.message}`);
    assertStringIncludes(error.message, words, what);
    await within(client.closed, `the end of ${what}`);
    await scene.assertServes();
  }
  assertEquals(scene.pull.peers.length, 1);
  await scene.close();
});

test("a client that connects with tls to a listener of tcp is told", async () => {
  const pull = new Pull();
  await pull.bind("tcp://127.0.0.1:*");
  const push = new Push({ tls: { authorities } });
  const failed = nextEvent(push, "connect:delay");
  push.connect(pull.lastEndpoint!.replace("tcp://", "tls://"));
  const { error } = await failed;
  assertEquals(codeOf(error), "ERR_TLS", error.message);
  push.close();
  pull.close();
});

for (const [what, bytes] of [["nothing", new Uint8Array(0)], ["half a ClientHello", HALF_A_HELLO]] as const) {
  test(`a peer that says ${what} and then no more is gone at the deadline of the handshake`, async () => {
    const scene = await Scene.open({ handshakeInterval: 150 });
    const refused = nextEvent(scene.pull, "handshake:error:other");
    const client = await scene.attacker();
    if (bytes.length > 0) await client.write(bytes);
    const { error } = await refused;
    assertEquals(codeOf(error), "ERR_PEER_HANDSHAKE_TIMEOUT");
    await within(client.closed, "the end of the connection");
    await scene.assertServes();
    await scene.close();
  });
}

for (const [what, bytes] of [["nothing", new Uint8Array(0)], ["half a ClientHello", HALF_A_HELLO]] as const) {
  test(`a peer that says ${what} and then leaves is reported at once`, async () => {
    const scene = await Scene.open({ handshakeInterval: 0 });
    const refused = nextEvent(scene.pull, "handshake:error:protocol", "handshake:error:other");
    const client = await scene.attacker();
    if (bytes.length > 0) await client.write(bytes);
    client.end();
    const { error } = await refused;
    assertEquals(codeOf(error), "ERR_TLS", error.message);
    assertStringIncludes(error.message, "tls://127.0.0.1:");
    await within(client.closed, "the end of the connection");
    await scene.assertServes();
    await scene.close();
  });
}

test("a peer that does TLS and then says no ZMTP is gone at the same deadline", async () => {
  const scene = await Scene.open({ handshakeInterval: 200 });
  const refused = nextEvent(scene.pull, "handshake:error:other");
  const port = Number(scene.pull.lastEndpoint!.split(":").pop());
  const client = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false });
  client.on("error", () => {});
  const closed = new Promise<void>((resolve) => client.on("close", () => resolve()));
  client.resume();
  client.on("end", () => client.destroy());
  const { error } = await refused;
  assertEquals(codeOf(error), "ERR_PEER_HANDSHAKE_TIMEOUT");
  await within(closed, "the end of the connection");
  await scene.assertServes();
  await scene.close();
});

test("TLS that never ends locks nobody out: at the limit the oldest goes, and good peers come in all the while", async () => {
  const scene = await Scene.open({ handshakesMax: 20, handshakeInterval: 0 });
  const givenUp = collectEvents(scene.pull, "handshake:error:other");
  for (let round = 0; round < 20; round++) {
    const flood = await Promise.all(Array.from({ length: 50 }, () => scene.attacker()));
    await Promise.all(flood.map((client) => client.write(HALF_A_HELLO)));
    if (round % 5 !== 0) continue;
    const push = new Push({ tls: { authorities } });
    push.connect(scene.pull.lastEndpoint!);
    await within(push.ready(), `a good peer in round ${round}`);
    await scene.assertServes();
    push.close();
  }
  const oldest = scene.clients.slice(0, 900);
  await within(Promise.all(oldest.map((client) => client.closed)), "the oldest to be closed");
  assert(givenUp.length >= 900, `${givenUp.length} were given up`);
  assert(givenUp.every(({ error }) => codeOf(error) === "ERR_PEER_HANDSHAKES"));
  await scene.assertServes();
  await scene.close();
});

test("a socket closes although handshakes of TLS are under way on both sides", async () => {
  const scene = await Scene.open({ handshakeInterval: 0 });
  for (let i = 0; i < 10; i++) await (await scene.attacker()).write(HALF_A_HELLO);
  const push = new Push({ tls: { authorities } });
  push.connect(scene.pull.lastEndpoint!);
  await within(push[Symbol.asyncDispose](), "a client to close in the middle of its handshake");
  await scene.assertServes();
  await scene.close();
  await within(Promise.all(scene.clients.map((client) => client.closed)), "all connections to end");
});
