import { test } from "node:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { PeerError } from "../../../src/errors.ts";
import type { WebSocketOptions, WebSocketRequest } from "../../../src/transport_options.ts";
import type { Opened, Opening } from "../../../src/websocket/opening.ts";
import { ClientUpgrade, type ClientUpgradeInit } from "../../../src/websocket/upgrade/client.ts";
import { GLUED_BYTES_MAX, ServerUpgrade } from "../../../src/websocket/upgrade/server.ts";

const INFO = { localAddress: "tls://10.0.0.1:443", remoteAddress: "tls://10.0.0.2:4711" };

/** An opening, and what it did. */
class Played {
  written = "";
  opened: Opened | undefined = undefined;
  error: PeerError | undefined = undefined;
  ends = 0;
  readonly opening: Opening;

  constructor(opening: Opening) {
    this.opening = opening;
    opening.start({
      write: (bytes) => void (this.written += String.fromCharCode(...bytes)),
      done: (opened) => {
        this.opened = opened;
        this.ends += 1;
      },
      fail: (error) => {
        this.error = error;
        this.ends += 1;
      },
    }, INFO);
  }

  receive(text: string): void {
    this.opening.receive(Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
  }
}

function server(webSocket: WebSocketOptions = {}): Played {
  const policy = { protocols: ["ZWS2.0/NULL", "ZWS2.0"], webSocket, loopback: false };
  return new Played(
    new ServerUpgrade({ scheme: "wss", endpoint: "wss://10.0.0.1:443/feed", policyOf: () => policy }),
  );
}

function client(init: Partial<ClientUpgradeInit> = {}): Played {
  return new Played(
    new ClientUpgrade({
      endpoint: "wss://example.org/feed",
      scheme: "wss",
      host: "example.org",
      port: 443,
      path: "/feed?token=1",
      random: (into) => into.fill(9),
      ...init,
    }),
  );
}

/** A verdict that comes later. */
function deferred(): { readonly promise: Promise<boolean>; readonly resolve: (allowed: boolean) => void } {
  let resolve: (allowed: boolean) => void = () => {};
  const promise = new Promise<boolean>((done) => resolve = done);
  return { promise, resolve };
}

function request(...extra: readonly string[]): string {
  return [
    "GET /feed?token=1 HTTP/1.1",
    "Host: example.org",
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

test("accept sees the request, and what it returns at once is obeyed", () => {
  const seen: WebSocketRequest[] = [];
  for (const verdict of [true, false]) {
    const played = server({
      accept: (asked) => {
        seen.push(asked);
        return verdict;
      },
    });
    played.receive(request("Cookie: a", "Cookie: b"));
    assertEquals(played.opened !== undefined, verdict);
    assertEquals(played.error?.code, verdict ? undefined : "ERR_HTTP_REQUEST");
    assertMatch(played.written, verdict ? /^HTTP\/1.1 101 / : /^HTTP\/1.1 403 /);
  }
  const { path, host, origin, headers, remoteAddress } = seen[0]!;
  assertEquals([path, host, origin], ["/feed?token=1", "example.org", undefined]);
  assertEquals(headers.get("cookie"), "a, b");
  assertEquals(remoteAddress, "wss://10.0.0.2:4711");
});

test("an accept that takes its time keeps what arrives meanwhile, and passes it on", async () => {
  const verdict = deferred();
  const played = server({ accept: () => verdict.promise });
  played.receive(`${request()}one`);
  played.receive("two");
  assertEquals([played.written, played.ends], ["", 0]);
  verdict.resolve(true);
  await verdict.promise;
  assertMatch(played.written, /^HTTP\/1.1 101 /);
  assertEquals(String.fromCharCode(...played.opened!.rest), "onetwo");
});

test("the bytes that arrive before a decision have a bound", async () => {
  const verdict = deferred();
  const played = server({ accept: () => verdict.promise });
  played.receive(request());
  played.receive("x".repeat(GLUED_BYTES_MAX));
  assertEquals(played.ends, 0);
  played.receive("x");
  assertEquals(played.error?.code, "ERR_HTTP_REQUEST");
  assertStringIncludes(played.error!.message, String(GLUED_BYTES_MAX));
  verdict.resolve(true);
  await verdict.promise;
  assertEquals(played.ends, 1);
});

test("an accept that throws or rejects costs its own request", async () => {
  const planted = new Error("planted");
  const thrown = server({
    accept: () => {
      throw planted;
    },
  });
  thrown.receive(request());
  const rejected = server({ accept: () => Promise.reject(planted) });
  rejected.receive(request());
  await Promise.resolve();
  for (const played of [thrown, rejected]) {
    assertMatch(played.written, /^HTTP\/1.1 500 /);
    assertEquals(played.error?.cause, planted);
    assert(!played.written.includes("planted"), "the client learns nothing of the application");
  }
});

test("an accept that forgets to return, or returns anything but true, lets nobody in", () => {
  for (const verdict of [undefined, null, 1, "yes", {}]) {
    const played = server({ accept: () => verdict as unknown as boolean });
    played.receive(request());
    assertMatch(played.written, /^HTTP\/1.1 403 /);
    assertStringIncludes(played.error!.message, "does not accept");
  }
});

test("nothing happens to a request whose stream is gone when accept returns", async () => {
  for (const result of [Promise.resolve(true), Promise.resolve(false)]) {
    const played = server({ accept: () => result });
    played.receive(request());
    played.opening.abandoned();
    await result;
    assertEquals([played.written, played.ends], ["", 0]);
  }
});

test("a client that ends before the upgrade is done is refused", () => {
  const early = server();
  early.receive("GET /feed");
  early.opening.ended();
  assertStringIncludes(early.error!.message, "in the middle of its request");
  const late = server({ accept: () => new Promise<boolean>(() => {}) });
  late.receive(request());
  late.opening.ended();
  assertStringIncludes(late.error!.message, "before it was decided on");
});

test("the address that a proxy names is taken if the proxy is trusted, and its last entry only", () => {
  const header = "X-Forwarded-For: 6.6.6.6, 203.0.113.7";
  const trusted = server({ trustProxy: true });
  trusted.receive(request(header));
  assertEquals(trusted.opened?.remoteAddress, "wss://203.0.113.7:0");
  const distrusted = server();
  distrusted.receive(request(header));
  assertEquals(distrusted.opened?.remoteAddress, "wss://10.0.0.2:4711");
  for (
    const [named, address] of [
      ["203.0.113.7:80", "wss://203.0.113.7:80"],
      ["2001:db8::1", "wss://[2001:db8::1]:0"],
      ["[2001:db8::1]:80", "wss://[2001:db8::1]:80"],
      ["<script>", "wss://10.0.0.2:4711"],
    ] as const
  ) {
    const played = server({ trustProxy: true });
    played.receive(request(`X-Forwarded-For: ${named}`));
    assertEquals(played.opened?.remoteAddress, address, named);
  }
});

test("both ends have addresses of the scheme, ours with its path", () => {
  const played = server();
  played.receive(request("Origin: https://example.org"));
  assertEquals(played.opened, {
    protocol: "ZWS2.0/NULL",
    http: {
      path: "/feed?token=1",
      host: "example.org",
      origin: "https://example.org",
      protocol: "ZWS2.0/NULL",
    },
    localAddress: "wss://10.0.0.1:443/feed",
    remoteAddress: "wss://10.0.0.2:4711",
    rest: new Uint8Array(0),
  });
});

test("a request that a web server has read is decided on at once", () => {
  const policy = { protocols: ["ZWS2.0"], webSocket: {}, loopback: false };
  const head = {
    method: "GET",
    target: "/feed",
    headers: new Map([
      ["host", "example.org"],
      ["upgrade", "websocket"],
      ["connection", "Upgrade"],
      ["sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="],
      ["sec-websocket-version", "13"],
      ["sec-websocket-protocol", "ZWS2.0"],
    ]),
  };
  const played = new Played(
    new ServerUpgrade({
      scheme: "ws",
      endpoint: "ws://web/feed",
      policyOf: () => policy,
      request: { head, rest: Uint8Array.of(0x82) },
    }),
  );
  assertMatch(played.written, /^HTTP\/1.1 101 /);
  assertEquals(played.opened?.rest, Uint8Array.of(0x82));
});

test("a refusal never repeats bytes of the client that could be more than text", () => {
  const played = server({ allowOrigins: [] });
  played.receive(request("Origin: http://x\u00e9\\<b>" + "y".repeat(4_000)));
  assertMatch(played.written, /^HTTP\/1.1 403 /);
  assert(/^[\r\n\x20-\x7e]*$/.test(played.written), played.written);
  assert(played.written.length < 1_000, "it is short");
});

test("a client asks with its own headers first, and the application's cannot replace them", () => {
  const { written } = client({
    mechanism: "NULL",
    headers: { Authorization: "Bearer x", HOST: "evil", "Sec-WebSocket-Protocol": "chat", upgrade: "h2c" },
  });
  assertEquals(written.split("\r\n"), [
    "GET /feed?token=1 HTTP/1.1",
    "Host: example.org",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: CQkJCQkJCQkJCQkJCQkJCQ==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: ZWS2.0/NULL, ZWS2.0",
    "Authorization: Bearer x",
    "",
    "",
  ]);
  for (
    const [init, host] of [
      [{ port: 8443 }, "example.org:8443"],
      [{ scheme: "ws", port: 443 }, "example.org:443"],
      [{ scheme: "ws", port: 80 }, "example.org"],
      [{ host: "::1", port: 8080 }, "[::1]:8080"],
      [{ host: "fe80::1%eth0", port: 8080 }, "[fe80::1]:8080"],
    ] as const
  ) assertStringIncludes(client(init).written, `\r\nHost: ${host}\r\n`);
  assertStringIncludes(
    client({ mechanism: "CURVE" }).written,
    "\r\nSec-WebSocket-Protocol: ZWS2.0/CURVE\r\n",
  );
});

test("a client that is refused says what the server said", () => {
  const refused = server({ allowOrigins: ["https://example.com"] });
  refused.receive(request("Origin: https://example.org"));
  const played = client();
  played.receive(refused.written);
  const { message } = played.error!;
  assertStringIncludes(message, "wss://example.org/feed");
  assertStringIncludes(message, "403 Forbidden");
  assertStringIncludes(message, "It says: A page of https://example.org asks: it is not in allowOrigins.");
});

test("a client whose server ends without a whole response says so", () => {
  const silent = client();
  silent.opening.ended();
  assertStringIncludes(silent.error!.message, "without a response");
  const half = client();
  half.receive("HTTP/1.1 101 Switching Protocols\r\nUpgr");
  half.opening.ended();
  assertStringIncludes(half.error!.message, "in the middle of its response");
  half.opening.abandoned();
  assertEquals(half.ends, 1);
});

test("the client and the server understand each other", () => {
  const asking = client();
  const serving = server();
  serving.receive(asking.written);
  asking.receive(`${serving.written}\x82\x01\x00`);
  assertEquals(asking.opened?.protocol, "ZWS2.0/NULL");
  assertEquals(asking.opened?.http, {
    path: "/feed?token=1",
    host: "example.org",
    origin: undefined,
    protocol: "ZWS2.0/NULL",
  });
  assertEquals(asking.opened?.rest, Uint8Array.of(0x82, 1, 0));
});
