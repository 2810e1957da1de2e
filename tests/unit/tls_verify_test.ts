// runtimes: node deno bun
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { TlsSocket, X509 } from "../../adapters/tls/types.ts";
import { judgeClient, judgeServer } from "../../adapters/tls/verify.ts";
import { type TestCertificates, testCertificates } from "../support/certificates.ts";

// What runtimes may say of a certificate, and what is made of it. Whatever is in doubt is refused.

const certificates = await testCertificates();
type Name = keyof TestCertificates;

function x509(name: Name): X509 {
  return new X509Certificate(certificates[name].certificate) as unknown as X509;
}

interface Said {
  readonly presents: Name | undefined;
  readonly authorized?: unknown;
  readonly authorizationError?: unknown;
  readonly ssl?: { verifyError?(): unknown } | null;
  readonly reused?: boolean;
}

function socketOf({ presents, reused, ...said }: Said): TlsSocket {
  return {
    authorized: false,
    getPeerCertificate: () => presents === undefined ? {} : { raw: x509(presents).raw },
    isSessionReused: () => reused === true,
    ...said,
  } as unknown as TlsSocket;
}

const says = (judged: unknown): { verifyError(): unknown } => ({ verifyError: () => judged });

const CLIENTS: readonly [string, Said, string | undefined][] = [
  ["valid, as Node and Bun say it", { presents: "client", ssl: says(null) }, undefined],
  ["valid, as Deno says it", { presents: "client", ssl: says("") }, undefined],
  ["expired", { presents: "client", ssl: says({ code: "CERT_HAS_EXPIRED" }) }, "ERR_CERTIFICATE_EXPIRED"],
  ["unknown", { presents: "unknownClient", ssl: says("ANYTHING") }, "ERR_CERTIFICATE_UNKNOWN"],
  [
    "not judged, because the runtime does not say",
    { presents: "client", ssl: {} },
    "ERR_CERTIFICATE_UNKNOWN",
  ],
  ["not judged, because nobody can be asked", { presents: "client", ssl: null }, "ERR_CERTIFICATE_UNKNOWN"],
  [
    "not judged, because the answer is none",
    { presents: "client", ssl: says(undefined) },
    "ERR_CERTIFICATE_UNKNOWN",
  ],
  ["missing", { presents: undefined, ssl: says(null) }, "ERR_CERTIFICATE_REQUIRED"],
  ["resumed and still valid", { presents: "client", reused: true, ssl: says(null) }, undefined],
  [
    "resumed, of an authority that is no longer trusted",
    { presents: "unknownClient", reused: true, ssl: says(null) },
    "ERR_CERTIFICATE_UNKNOWN",
  ],
  [
    "resumed, and expired meanwhile",
    { presents: "expiredClient", reused: true, ssl: says(null) },
    "ERR_CERTIFICATE_EXPIRED",
  ],
  [
    "resumed, and for another purpose",
    { presents: "serverOnlyClient", reused: true, ssl: says(null) },
    "ERR_CERTIFICATE_PURPOSE",
  ],
];

for (const [what, said, code] of CLIENTS) {
  test(`a client's certificate that is ${what}: ${code ?? "taken"}`, () => {
    const expected = {
      peer: "tls://a:1",
      clientCertificates: "require",
      trusted: [x509("authority")],
    } as const;
    const refused = judgeClient(socketOf(said), expected);
    assertEquals(refused?.code, code, refused?.message);
    if (refused !== undefined) assertStringIncludes(refused.message, "tls://a:1");
  });
}

const SERVERS: readonly [string, Said, boolean, string | undefined][] = [
  ["valid", { presents: "server", authorized: true }, false, undefined],
  [
    "said to be valid, for another host",
    { presents: "otherHost", authorized: true },
    false,
    "ERR_CERTIFICATE_HOST",
  ],
  ["not said to be valid", { presents: "server", authorized: undefined }, false, "ERR_CERTIFICATE_UNKNOWN"],
  [
    "said to be valid in another way",
    { presents: "server", authorized: "yes" },
    false,
    "ERR_CERTIFICATE_UNKNOWN",
  ],
  ["missing, but said to be valid", { presents: undefined, authorized: true }, false, "ERR_TLS"],
  ["self-signed", { presents: "selfSigned" }, false, "ERR_CERTIFICATE_UNKNOWN"],
  ["self-signed, which is allowed", { presents: "selfSigned" }, true, undefined],
  [
    "of an unknown authority, which is not what is allowed",
    { presents: "unknownServer" },
    true,
    "ERR_CERTIFICATE_UNKNOWN",
  ],
  ["expired and self-signed", { presents: "expiredSelfSigned" }, true, "ERR_CERTIFICATE_EXPIRED"],
];

for (const [what, said, allowSelfSigned, code] of SERVERS) {
  test(`a listener's certificate that is ${what}: ${code ?? "taken"}`, () => {
    const refused = judgeServer(socketOf(said), { peer: "tls://a:1", host: "localhost", allowSelfSigned });
    assertEquals(refused?.code, code, refused?.message);
    if (refused !== undefined) assertStringIncludes(refused.message, "tls://a:1");
  });
}
