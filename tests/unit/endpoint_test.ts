import { test } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "../support/properties.ts";
import { MisuseError } from "../../src/errors.ts";
import {
  type Endpoint,
  type EndpointRole,
  formatTcpEndpoint,
  isIpv4,
  isIpv6,
  parseEndpoint,
  parseIpcEndpoint,
  parseTcpEndpoint,
  parseTlsEndpoint,
  parseWebSocketEndpoint,
} from "../../src/socket/endpoint.ts";

const legal: readonly (readonly [EndpointRole | undefined, string, object])[] = [
  ["connect", "tcp://127.0.0.1:5555", { hostKind: "ipv4", host: "127.0.0.1", port: 5555 }],
  ["connect", "tcp://example.com:1", { hostKind: "name", host: "example.com", port: 1 }],
  ["connect", "tcp://example.com.:65535", { hostKind: "name", host: "example.com.", port: 65535 }],
  ["connect", "tcp://my_host-1:80", { hostKind: "name", host: "my_host-1", port: 80 }],
  ["connect", "tcp://4chan.org:80", { hostKind: "name", host: "4chan.org", port: 80 }],
  ["connect", "tcp://[::1]:5555", { hostKind: "ipv6", host: "::1", port: 5555 }],
  ["connect", "tcp://[fe80::1%eth0]:5555", { hostKind: "ipv6", host: "fe80::1%eth0", port: 5555 }],
  ["connect", "tcp://[::ffff:1.2.3.4]:5", { hostKind: "ipv6", host: "::ffff:1.2.3.4", port: 5 }],
  ["connect", "tcp://0.0.0.0:5555", { hostKind: "ipv4", host: "0.0.0.0", port: 5555 }],
  ["connect", "tcp://127.0.0.1:00080", { hostKind: "ipv4", host: "127.0.0.1", port: 80 }],
  ["bind", "tcp://*:*", { hostKind: "any", host: "*", port: 0 }],
  ["bind", "tcp://*:0", { hostKind: "any", host: "*", port: 0 }],
  ["bind", "tcp://eth0:5555", { hostKind: "name", host: "eth0", port: 5555 }],
  ["bind", "tcp://[::]:*", { hostKind: "ipv6", host: "::", port: 0 }],
  [undefined, "tcp://*:*", { hostKind: "any", host: "*", port: 0 }],
  ["connect", "tcp://*:0;a:5", {
    hostKind: "name",
    host: "a",
    port: 5,
    source: { hostKind: "any", host: "*", port: 0 },
  }],
  ["connect", "tcp://[::1]:*;[::1]:5", {
    hostKind: "ipv6",
    host: "::1",
    port: 5,
    source: { hostKind: "ipv6", host: "::1", port: 0 },
  }],
  [undefined, "tcp://lo:7;127.0.0.1:5", {
    hostKind: "ipv4",
    host: "127.0.0.1",
    port: 5,
    source: { hostKind: "name", host: "lo", port: 7 },
  }],
  ["bind", "ipc:///tmp/x", { ipcKind: "path", name: "/tmp/x" }],
  ["connect", "ipc://relative path:1;2", { ipcKind: "path", name: "relative path:1;2" }],
  ["bind", "ipc://*", { ipcKind: "any", name: "" }],
  ["bind", "ipc://**", { ipcKind: "path", name: "**" }],
  ["connect", "ipc://@abstract/name", { ipcKind: "abstract", name: "abstract/name" }],
  ["connect", `ipc://${"ü".repeat(53)}x`, { ipcKind: "path", name: `${"ü".repeat(53)}x` }],
  ["bind", "inproc://any thing:*", { name: "any thing:*" }],
  ["connect", "ws+unix://host:1/path", { kind: "other", scheme: "ws+unix", rest: "host:1/path" }],
];

for (const [role, text, expected] of legal) {
  test(`${role ?? "either side"} reads ${text}`, () => {
    const endpoint = parseEndpoint(text, role);
    const scheme = text.slice(0, text.indexOf(":"));
    const { kind } = endpoint;
    assertEquals<Endpoint>(endpoint, { kind, scheme, text, ...expected } as Endpoint);
    assertEquals(kind, ["tcp", "ipc", "inproc"].includes(scheme) ? scheme : "other");
  });
}

const refused: readonly (readonly [EndpointRole | undefined, string, string])[] = [
  [undefined, "", "begin with a scheme"],
  [undefined, "127.0.0.1:5555", "begin with a scheme"],
  [undefined, "tcp:/127.0.0.1:5555", "begin with a scheme"],
  [undefined, "://x", "scheme is missing"],
  [undefined, "TCP://127.0.0.1:5555", "lower-case"],
  [undefined, "1tcp://127.0.0.1:5555", "lower-case"],
  [undefined, "t cp://127.0.0.1:5555", "lower-case"],
  [undefined, "tcp://", "nothing follows"],
  [undefined, "ipc://", "nothing follows"],
  [undefined, "inproc://", "nothing follows"],
  [undefined, "other://", "nothing follows"],
  [undefined, "ipc:///tmp/\0x", "control characters"],
  [undefined, "tcp://127.0.0.1:5555\n", "control characters"],
  [undefined, "tcp://127.0.0.1", "the port is missing"],
  [undefined, "tcp://[::1]", "the port is missing"],
  [undefined, "tcp://[::1]5555", "joined by a :"],
  [undefined, "tcp://127.0.0.1:", "port is missing"],
  [undefined, "tcp://:5555", "host is missing"],
  [undefined, "tcp://127.0.0.1:65536", "0 to 65535"],
  [undefined, "tcp://127.0.0.1:99999999999999999999", "0 to 65535"],
  [undefined, "tcp://127.0.0.1:-1", "0 to 65535"],
  [undefined, "tcp://127.0.0.1:+1", "0 to 65535"],
  [undefined, "tcp://127.0.0.1:1e3", "0 to 65535"],
  [undefined, "tcp://127.0.0.1: 80", "0 to 65535"],
  [undefined, "tcp://127.0.0.1:٣", "0 to 65535"],
  [undefined, "tcp://127.0.0.1:5555/path", "0 to 65535"],
  ["connect", "tcp://127.0.0.1:0", "1 to 65535"],
  ["connect", "tcp://127.0.0.1:*", "1 to 65535"],
  ["connect", "tcp://*:5555", "bind only"],
  ["connect", "tcp://1.2.3.4:0;*:5555", "bind only"],
  ["connect", "tcp://1.2.3.4:0;1.2.3.4:0", "1 to 65535"],
  [undefined, "tcp://1.2.3.4:0;1.2.3.4:0", "1 to 65535"],
  ["connect", "tcp://1.2.3.4:0;a:1;b:2", "at most one ;"],
  ["connect", "tcp://;a:1", "the port is missing"],
  ["bind", "tcp://1.2.3.4:0;1.2.3.4:5", "connect only"],
  [undefined, "tcp://::1:5555", "brackets"],
  [undefined, "tcp://fe80::1:5555", "brackets"],
  [undefined, "tcp://[::1:5555", "no ]"],
  [undefined, "tcp://[]:5555", "IPv6 address"],
  [undefined, "tcp://[127.0.0.1]:5555", "IPv6 address"],
  [undefined, "tcp://[::1%]:5555", "IPv6 address"],
  [undefined, "tcp://[::1%a%b]:5555", "IPv6 address"],
  [undefined, "tcp://[1:2:3:4:5:6:7]:5555", "IPv6 address"],
  [undefined, "tcp://127.0.0:5555", "four parts"],
  [undefined, "tcp://1:5555", "four parts"],
  [undefined, "tcp://127.0.0.256:5555", "four parts"],
  [undefined, "tcp://0127.0.0.1:5555", "four parts"],
  [undefined, "tcp://a..b:5555", "1 to 63"],
  [undefined, "tcp://.:5555", "1 to 63"],
  [undefined, `tcp://${"a".repeat(64)}:5555`, "1 to 63"],
  [undefined, `tcp://${"a.".repeat(127)}:5555`, "at most 253"],
  [undefined, "tcp://müller.de:5555", "xn--"],
  [undefined, "tcp://a b:5555", "letters, digits"],
  [undefined, "tcp://user@host:5555", "letters, digits"],
  ["connect", "ipc://*", "bind only"],
  [undefined, "ipc://@", "follow the @"],
  [undefined, `ipc://${"x".repeat(108)}`, "at most 107"],
  [undefined, `ipc://${"ü".repeat(54)}`, "at most 107"],
  [undefined, `ipc://@${"x".repeat(107)}`, "at most 107"],
  [undefined, `inproc://${"x".repeat(257)}`, "at most 256"],
  [undefined, `other://${"x".repeat(4096)}`, "at most 4096"],
];

for (const [role, text, part] of refused) {
  test(`${role ?? "either side"} refuses ${JSON.stringify(text.slice(0, 60))}`, () => {
    const error = misuse(() => parseEndpoint(text, role));
    assertEquals(error.code, "ERR_ENDPOINT");
    assertStringIncludes(error.message, part);
    assertStringIncludes(error.message, "endpoint");
    assert(error.message.length < 400, "the message repeats what nobody can read");
  });
}

test("what is no text is refused", () => {
  for (const value of [undefined, null, 5555, {}]) {
    assertEquals(misuse(() => parseEndpoint(value as unknown as string)).code, "ERR_ENDPOINT");
  }
});

test("the parsers for one scheme refuse the others", () => {
  assertEquals(parseTcpEndpoint("tcp://a:1").port, 1);
  assertEquals(parseIpcEndpoint("ipc://a").name, "a");
  assertStringIncludes(misuse(() => parseTcpEndpoint("ipc://a")).message, "must be tcp");
  assertStringIncludes(misuse(() => parseIpcEndpoint("tcp://a:1")).message, "must be ipc");
});

test("IPv6 addresses are read as RFC 4291 writes them", () => {
  const good = [
    "::",
    "::1",
    "1::",
    "1:2:3:4:5:6:7:8",
    "1::8",
    "::2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7::",
    "abcd:EF01::",
  ];
  const embedded = [
    "::1.2.3.4",
    "::ffff:255.255.255.255",
    "1:2:3:4:5:6:1.2.3.4",
    "64:ff9b::1.2.3.4",
    "fe80::1%1",
  ];
  for (const text of [...good, ...embedded]) assert(isIpv6(text), text);
  const bad = [
    "",
    ":",
    ":::",
    "1",
    "1:2",
    "1::2::3",
    "12345::",
    "g::",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
  ];
  const worse = [
    ":1",
    "1:",
    "::1:",
    ":1::",
    "1.2.3.4",
    "1.2.3.4::",
    "::1.2.3",
    "::1.2.3.4:5",
    "::1 ",
    "[::1]",
  ];
  for (const text of [...bad, ...worse, "1:2:3:4:5:6:7:1.2.3.4", "::%", "%eth0"]) assert(!isIpv6(text), text);
});

test("IPv4 addresses have four decimal parts without leading zeros", () => {
  for (const text of ["0.0.0.0", "1.2.3.4", "255.255.255.255"]) assert(isIpv4(text), text);
  for (const text of ["", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.", "1..3.4", "0x1.2.3.4"]) {
    assert(!isIpv4(text), text);
  }
});

test("an endpoint is written with brackets round IPv6, and mapped IPv4 as IPv4", () => {
  assertEquals(formatTcpEndpoint("127.0.0.1", 5), "tcp://127.0.0.1:5");
  assertEquals(formatTcpEndpoint("::1", 5), "tcp://[::1]:5");
  assertEquals(formatTcpEndpoint("::ffff:10.0.0.1", 5), "tcp://10.0.0.1:5");
  assertEquals(formatTcpEndpoint("::FFFF:10.0.0.1", 5), "tcp://10.0.0.1:5");
  assertEquals(formatTcpEndpoint("::ffff:1:2", 5), "tcp://[::ffff:1:2]:5");
  assertEquals(formatTcpEndpoint("fe80::1%eth0", 5), "tcp://[fe80::1%eth0]:5");
});

test("any address that is written is read back", () => {
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 1, max: 65535 }), (host, port) => {
    const endpoint = parseTcpEndpoint(formatTcpEndpoint(host, port), "connect");
    assertEquals(endpoint.port, port);
    assertEquals(formatTcpEndpoint(endpoint.host, endpoint.port), formatTcpEndpoint(host, port));
  }));
});

test("any text is read or refused with a MisuseError, and quickly", () => {
  const hostile = fc.string({ unit: fc.constantFrom(..."[]:;%*@./-_0179afx \u00fc\0"), maxLength: 200 });
  fc.assert(
    fc.property(fc.constantFrom("tcp://", "ipc://", "inproc://", "x://", ""), hostile, (scheme, rest) => {
      try {
        const endpoint = parseEndpoint(scheme + rest);
        assertEquals(endpoint.text, scheme + rest);
      } catch (error) {
        assertInstanceOf(error, MisuseError);
      }
    }),
  );
  // A parser that goes back would not end with these.
  for (const unit of [":", "::", "[", "1:", "a.", "%", ";"]) {
    misuse(() => parseEndpoint(`tcp://${unit.repeat(4000 / unit.length)}!`));
  }
});

function misuse(run: () => unknown): MisuseError {
  try {
    run();
  } catch (error) {
    assertInstanceOf(error, MisuseError);
    return error;
  }
  throw new Error("it was accepted");
}

test("endpoints of tls, ws and wss", () => {
  const tls = parseTlsEndpoint("tls://[::1]:5555", "connect");
  assertEquals([tls.hostKind, tls.host, tls.port], ["ipv6", "::1", 5555]);
  assertEquals(parseTlsEndpoint("tls://*:*", "bind").port, 0);
  const parts = (text: string, role: "bind" | "connect") => {
    const { scheme, host, port, path, web } = parseWebSocketEndpoint(text, role);
    return [scheme, host, port, path, web];
  };
  assertEquals(parts("ws://example.org/feed?a=/b:1", "connect"), [
    "ws",
    "example.org",
    80,
    "/feed?a=/b:1",
    undefined,
  ]);
  assertEquals(parts("wss://example.org", "connect"), ["wss", "example.org", 443, "/", undefined]);
  assertEquals(parts("wss://example.org?a", "connect"), ["wss", "example.org", 443, "/?a", undefined]);
  assertEquals(parts("ws://[::1]", "connect"), ["ws", "::1", 80, "/", undefined]);
  assertEquals(parts("ws://[::1]:81/", "connect"), ["ws", "::1", 81, "/", undefined]);
  assertEquals(parts("ws://*:0/a/b", "bind"), ["ws", "*", 0, "/a/b", undefined]);
  assertEquals(parts("ws://web/a", "bind"), ["ws", "web", 0, "/a", "web"]);
  const refused: readonly (readonly [string, "bind" | "connect", string])[] = [
    ["tls://a;b:2", "connect", "letters, digits"],
    ["tls://a", "connect", "port is missing"],
    ["ws://a:0/", "connect", "the port is"],
    ["ws://user@a/", "connect", "user name"],
    ["ws://a/#b", "connect", "fragment"],
    ["ws://a/b c", "connect", "escaped"],
    ["ws://a/ü", "connect", "escaped"],
    ["ws:///a", "connect", "host is missing"],
    ["ws://127.0.0.1/a", "bind", "port is missing"],
    ["ws://[::1]/a", "bind", "port is missing"],
  ];
  for (const [text, role, why] of refused) {
    const error = assertThrows(() => parseEndpoint(text, role), MisuseError);
    assertEquals(error.code, "ERR_ENDPOINT");
    assertStringIncludes(error.message, why);
  }
});
