import { test } from "node:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { loadAdapter } from "../../../adapters/detect.ts";
import { PeerError } from "../../../src/errors.ts";
import type { TransportFactory } from "../../../src/ports.ts";
import type { TlsOptions } from "../../../src/transport_options.ts";
import type { Probe } from "../../../testing/probe.ts";
import { type TestCertificates, testCertificates } from "../../support/certificates.ts";
import { benchOf, factoryOf } from "../support.ts";

// Which certificates are taken and refused, with which code and words. The codes are the same on every runtime.

const certificates = await testCertificates();
const adapter = await loadAdapter();
const factory: TransportFactory = factoryOf(adapter, "tls");
const label = `${adapter.name} tls`;
const authorities = certificates.authority.certificate;
type Name = keyof TestCertificates;

function pair(name: Name): TlsOptions {
  const { certificate, key } = certificates[name];
  return { certificate, key };
}

interface Ends {
  readonly left: Probe;
  /** The accepted end, as soon as there is one. */
  right(): Promise<Probe>;
}

/** Dials a listener with these options, and closes everything afterwards. */
async function meet(
  listener: TlsOptions,
  client: TlsOptions,
  use: (ends: Ends) => Promise<void>,
  host = "127.0.0.1",
): Promise<void> {
  const bench = benchOf({ label, factory }, { tls: listener });
  const { address } = await bench.listen("tls://127.0.0.1:*");
  const dial = factory.dial(address.replace("127.0.0.1", host), { tls: client });
  const left = bench.track("dialled").dial(dial);
  const right = async (): Promise<Probe> => {
    while (bench.accepted.length === 0) await bench.turn();
    return bench.accepted[0]!;
  };
  await use({ left, right });
  await bench.clear();
}

function assertPeerError(cause: unknown, code: string, ...words: readonly string[]): void {
  assert(cause instanceof PeerError, `no PeerError: ${String(cause)}`);
  assertEquals(cause.code, code, cause.message);
  for (const word of words) assertStringIncludes(cause.message, word);
}

const NAMES_IT = ["tls://127.0.0.1:", "valid from 20", "for DNS:localhost"];

const REFUSED_SERVERS: readonly [Name, TlsOptions, string, ...string[]][] = [
  ["expired", {}, "ERR_CERTIFICATE_EXPIRED", "CN=expired, O=Test", "has expired", ...NAMES_IT],
  ["notYetValid", {}, "ERR_CERTIFICATE_EXPIRED", "CN=notYetValid", "not valid yet", ...NAMES_IT],
  ["otherHost", {}, "ERR_CERTIFICATE_HOST", "CN=otherHost", "not for 127.0.0.1", "for DNS:elsewhere.example"],
  ["server", { serverName: "other.example" }, "ERR_CERTIFICATE_HOST", "not for other.example", ...NAMES_IT],
  ["clientOnly", {}, "ERR_CERTIFICATE_PURPOSE", "CN=clientOnly", "by a server", ...NAMES_IT],
  [
    "unknownServer",
    {},
    "ERR_CERTIFICATE_UNKNOWN",
    "CN=Another authority, O=Test vouches for it",
    ...NAMES_IT,
  ],
  ["selfSigned", {}, "ERR_CERTIFICATE_UNKNOWN", "nobody but itself", "allowSelfSigned", ...NAMES_IT],
  ["unknownServer", { allowSelfSigned: true }, "ERR_CERTIFICATE_UNKNOWN", "CN=unknownServer", ...NAMES_IT],
  ["expiredSelfSigned", { allowSelfSigned: true }, "ERR_CERTIFICATE_EXPIRED", "CN=expiredSelfSigned"],
  ["otherHostSelfSigned", { allowSelfSigned: true }, "ERR_CERTIFICATE_HOST", "not for 127.0.0.1"],
];

for (const [name, options, code, ...words] of REFUSED_SERVERS) {
  test(`${label}: a listener's certificate ${name} with ${JSON.stringify(options)} is refused: ${code}`, () =>
    meet(pair(name), { authorities, ...options }, async ({ left }) => {
      await left.until("close", () => left.closed);
      assert(!left.opened, "nothing opens before the certificate is known to be valid");
      assertPeerError(left.cause, code, ...words);
    }));
}

test(`${label}: without authorities, those of the system decide`, () =>
  meet(pair("server"), {}, async ({ left }) => {
    await left.until("close", () => left.closed);
    assertPeerError(left.cause, "ERR_CERTIFICATE_UNKNOWN", "CN=Test authority, O=Test vouches for it");
  }));

const TAKEN_SERVERS: readonly [string, Name, TlsOptions, string?][] = [
  ["for the address", "server", { authorities }],
  ["for the name of the endpoint", "server", { authorities }, "localhost"],
  ["for serverName", "otherHost", { authorities, serverName: "elsewhere.example" }],
  ["for a serverName that is an address", "server", { authorities, serverName: "::1" }],
  ["for its own authority", "selfSigned", { authorities: certificates.selfSigned.certificate }],
  ["for nobody, if that is allowed", "selfSigned", { allowSelfSigned: true }],
  ["by the second of several authorities", "server", {
    authorities: [certificates.otherAuthority.certificate, new TextEncoder().encode(authorities)],
  }],
];

for (const [what, name, options, host] of TAKEN_SERVERS) {
  test(`${label}: a listener's certificate that is valid ${what} is taken`, () =>
    meet(pair(name), options, async ({ left, right }) => {
      await left.until("open or close", () => left.opened || left.closed);
      assert(left.opened, String(left.cause));
      const accepted = await right();
      await accepted.until("open", () => accepted.opened);
    }, host));
}

const REFUSED_CLIENTS: readonly [Name | undefined, "request" | "require", string, ...string[]][] = [
  [undefined, "require", "ERR_CERTIFICATE_REQUIRED", "presented no certificate"],
  ["unknownClient", "require", "ERR_CERTIFICATE_UNKNOWN", "CN=unknownClient", "CN=Another authority"],
  ["unknownClient", "request", "ERR_CERTIFICATE_UNKNOWN", "CN=unknownClient"],
  ["expiredClient", "require", "ERR_CERTIFICATE_EXPIRED", "CN=expiredClient", "has expired"],
  ["serverOnlyClient", "require", "ERR_CERTIFICATE_PURPOSE", "CN=serverOnlyClient", "by a client"],
];

for (const [name, clientCertificates, code, ...words] of REFUSED_CLIENTS) {
  test(`${label}: the client certificate ${name} is refused where clients ${clientCertificates} one: ${code}`, () =>
    meet(
      { ...pair("server"), authorities, clientCertificates },
      { ...(name === undefined ? {} : pair(name)), authorities },
      async ({ left, right }) => {
        const accepted = await right();
        await accepted.until("close", () => accepted.closed);
        assert(!accepted.opened, "nothing opens before the certificate is known to be valid");
        assertPeerError(accepted.cause, code, "tls://127.0.0.1:", ...words);
        await left.until("close", () => left.closed);
        // With TLS 1.3 a client has opened by then.
        const shown = name === undefined ? "presented none" : `CN=${name}`;
        assertPeerError(left.cause, "ERR_CERTIFICATE_REFUSED", "tls://127.0.0.1:", shown);
      },
    ));
}

for (const clientCertificates of ["none", "request"] as const) {
  test(`${label}: a client without a certificate is taken where clientCertificates is ${clientCertificates}`, () =>
    meet({ ...pair("server"), authorities, clientCertificates }, { authorities }, async ({ left, right }) => {
      const accepted = await right();
      await accepted.until("open or close", () => accepted.opened || accepted.closed);
      assert(accepted.opened, String(accepted.cause));
      assertEquals(accepted.info?.tls?.peerCertificate, undefined);
      await left.until("open", () => left.opened);
    }));
}

for (const clientCertificates of ["request", "require"] as const) {
  test(`${label}: both ends show who is there where clientCertificates is ${clientCertificates}`, () =>
    meet(
      { ...pair("server"), authorities, clientCertificates },
      { ...pair("client"), authorities, serverName: "localhost" },
      async ({ left, right }) => {
        const accepted = await right();
        await accepted.until("open or close", () => accepted.opened || accepted.closed);
        assert(accepted.opened, String(accepted.cause));
        await left.until("open", () => left.opened);
        const client = accepted.info!.tls!;
        assertEquals(client.protocol, "TLSv1.3");
        assertEquals(client.serverName, "localhost");
        const { fingerprint, validFromMs, validUntilMs, ...rest } = client.peerCertificate!;
        assertEquals(rest, {
          subject: "CN=client, O=Test",
          commonName: "client",
          issuer: "CN=Test authority, O=Test",
          alternativeNames: [],
        });
        assertMatch(fingerprint, /^[0-9a-f]{64}$/);
        assert(validFromMs < Date.now() && Date.now() < validUntilMs);
        const server = left.info!.tls!;
        assertEquals(server.protocol, "TLSv1.3");
        assertEquals(server.serverName, "localhost");
        assertEquals(server.peerCertificate!.commonName, "server");
        assertEquals(server.peerCertificate!.alternativeNames.slice(0, 2), [
          "DNS:localhost",
          "IP Address:127.0.0.1",
        ]);
        assertMatch(left.info!.remoteAddress, /^tls:\/\/127\.0\.0\.1:\d+$/);
        assertEquals(left.info!.remoteAddress, accepted.info!.localAddress);
      },
    ));
}

test(`${label}: a peer that ends later, in order, is no refusal`, () =>
  meet(
    { ...pair("server"), authorities, clientCertificates: "request" },
    { ...pair("client"), authorities },
    async (
      { left, right },
    ) => {
      const accepted = await right();
      await accepted.until("open", () => accepted.opened);
      accepted.writePattern(1);
      await left.until("a byte", () => left.receivedBytes === 1);
      accepted.transport.close("flush");
      await left.until("end", () => left.ended);
      left.transport.close("flush");
      await left.until("close", () => left.closed);
      assertEquals(left.cause, undefined);
    },
  ));
