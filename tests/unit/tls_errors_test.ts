// runtimes: node deno bun
import { test } from "node:test";
import { assert, assertEquals, assertStrictEquals, assertStringIncludes } from "@std/assert";
import { FAILURES, refusedQuietly, tlsFailure, VERIFICATION_CODES } from "../../adapters/tls/errors.ts";
import { PeerError } from "../../src/errors.ts";
import { handshakeErrorType } from "../../src/session/connection.ts";

const CONTEXT = { peer: "tls://example.org:1", own: undefined, opened: false };

/** What the runtimes were seen to say: code, message, and what that is for hawser. */
const SAID: readonly [string | undefined, string, string, string][] = [
  [
    "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "tlsv13 alert",
    "ERR_CERTIFICATE_REFUSED",
    "requires a certificate",
  ],
  ["ERR_SSL_TLSV1_ALERT_CERTIFICATE_REQUIRED", "error:1000045c", "ERR_CERTIFICATE_REFUSED", "requires"],
  [undefined, "received fatal alert: CertificateRequired", "ERR_CERTIFICATE_REFUSED", "requires"],
  ["ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED", "", "ERR_CERTIFICATE_REFUSED", "has expired"],
  ["ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED", "", "ERR_CERTIFICATE_REFUSED", "was revoked"],
  ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "", "ERR_CERTIFICATE_REFUSED", "does not know the authority"],
  [undefined, "received fatal alert: UnknownCA", "ERR_CERTIFICATE_REFUSED", "does not know the authority"],
  ["ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "", "ERR_CERTIFICATE_REFUSED", "kind or purpose"],
  ["ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", "", "ERR_CERTIFICATE_REFUSED", "did not accept"],
  ["ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN", "", "ERR_CERTIFICATE_REFUSED", "did not accept"],
  ["ERR_SSL_TLSV1_ALERT_ACCESS_DENIED", "", "ERR_CERTIFICATE_REFUSED", "did not accept"],
  [undefined, "received fatal alert: BadCertificate", "ERR_CERTIFICATE_REFUSED", "did not accept"],
  ["ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE", "", "ERR_CERTIFICATE_REQUIRED", "presented no certificate"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "wrong version number", "ERR_TLS", "does not speak TLS"],
  ["ERR_SSL_HTTP_REQUEST", "http request", "ERR_TLS", "does not speak TLS"],
  ["ERR_SSL_PACKET_LENGTH_TOO_LONG", "", "ERR_TLS", "does not speak TLS"],
  ["ERR_SSL_UNSUPPORTED_PROTOCOL", "", "ERR_TLS", "no version of TLS"],
  ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "", "ERR_TLS", "no version of TLS"],
  [
    "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
    "peer is incompatible: Tls12NotOfferedOrEnabled",
    "ERR_TLS",
    "no version",
  ],
  ["ERR_SSL_NO_SHARED_CIPHER", "", "ERR_TLS", "no cipher"],
  ["ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", "", "ERR_TLS", "refused the handshake"],
  [
    "ECONNRESET",
    "Client network socket disconnected before secure TLS connection was established",
    "ERR_TLS",
    "left during the handshake",
  ],
  ["ECONNRESET", "socket hang up", "ERR_TLS", "left during the handshake"],
  ["ERR_SSL_SOMETHING_NEW", "a new failure", "ERR_TLS", "a new failure"],
];

for (const [code, message, expected, why] of SAID) {
  test(`"${code ?? ""} ${message}" is ${expected}: ${why}`, () => {
    const cause = Object.assign(new Error(message), code === undefined ? {} : { code });
    const error = tlsFailure(cause, CONTEXT);
    assert(error instanceof PeerError);
    assertEquals(error.code, expected);
    assertStringIncludes(error.message, why);
    assertStringIncludes(error.message, CONTEXT.peer);
    assertStrictEquals(error.cause, cause);
  });
}

test("every row of the table of failures is reached by something that a runtime says", () => {
  const rows = SAID.map(([code, message]) =>
    FAILURES.findIndex(({ pattern }) => pattern.test(`${code} ${message}`))
  );
  for (let row = 0; row < FAILURES.length; row++) assert(rows.includes(row), String(FAILURES[row]!.pattern));
});

test("what is not a failure of TLS stays what it is", () => {
  for (
    const cause of [undefined, Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }), "text"]
  ) {
    assertStrictEquals(tlsFailure(cause, CONTEXT), cause);
  }
  const error = new PeerError("ERR_CERTIFICATE_HOST", "x");
  assertStrictEquals(tlsFailure(error, CONTEXT), error);
});

test("a refusal of our certificate names it, and says what to do", () => {
  const cause = Object.assign(new Error("alert"), { code: "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA" });
  const named = tlsFailure(cause, { ...CONTEXT, own: "CN=me", opened: true }) as PeerError;
  assertStringIncludes(named.message, "CN=me");
  const none = tlsFailure(cause, CONTEXT) as PeerError;
  assertStringIncludes(none.message, "set certificate and key");
  assertStringIncludes(refusedQuietly("tls://a:1", "CN=me", undefined).message, "CN=me");
});

test("verdicts on certificates are told as failures of authentication, other failures of TLS as the protocol's", () => {
  for (const code of new Set(VERIFICATION_CODES.values())) {
    assertEquals(handshakeErrorType(new PeerError(code, "x")), "handshake:error:auth");
  }
  for (
    const code of ["ERR_CERTIFICATE_UNKNOWN", "ERR_CERTIFICATE_REQUIRED", "ERR_CERTIFICATE_REFUSED"] as const
  ) {
    assertEquals(handshakeErrorType(new PeerError(code, "x")), "handshake:error:auth");
  }
  assertEquals(handshakeErrorType(new PeerError("ERR_TLS", "x")), "handshake:error:protocol");
});
