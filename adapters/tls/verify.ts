/**
 * Judges the certificate that a peer presented. Runtimes complete the handshake first and report what they
 * found; nothing is sent or delivered before a verdict is reached here, and whatever is in doubt is refused.
 *
 * @module
 */

import { PeerError } from "../../src/errors.ts";
import { builtin } from "../builtin.ts";
import { host } from "../shared_host.ts";
import { codeOf } from "../system_errors.ts";
import { describeCertificate, isFor, isInDate, isSelfSigned, presentedBy } from "./certificate.ts";
import { type CertificateFault, VERIFICATION_CODES } from "./errors.ts";
import type { TlsSocket, X509 } from "./types.ts";

/** What a listener's certificate must be. */
export interface ServerExpectation {
  /** The endpoint, for messages. */
  readonly peer: string;
  /** The host or address that it must be for. */
  readonly host: string;
  readonly allowSelfSigned: boolean;
}

/** Returns why a client refuses the listener's certificate; `undefined` if it is valid. */
export function judgeServer(socket: TlsSocket, expected: ServerExpectation): PeerError | undefined {
  const { peer } = expected;
  const certificate = presentedBy(socket);
  if (certificate === undefined) {
    return new PeerError("ERR_TLS", `The TLS handshake with ${peer} failed: it presented no certificate`);
  }
  const isForHost = builtin("node:tls").checkServerIdentity(expected.host, certificate.toLegacyObject()) ===
    undefined;
  if (socket.authorized === true && isForHost) return undefined;
  if (expected.allowSelfSigned && isForHost && isValidAlone(certificate)) return undefined;
  const judged = socket.authorized === true ? undefined : socket.authorizationError;
  const fault = faultOf(certificate, "server", judged, isForHost, expected.allowSelfSigned);
  return refusal(fault, { peer, certificate, host: expected.host, role: "server" });
}

function isValidAlone(certificate: X509): boolean {
  return isSelfSigned(certificate) && isInDate(certificate, host.wallMs()) && isFor(certificate, "server");
}

/** Which clients a listener takes. */
export interface ClientExpectation {
  /** The client's address, for messages. */
  readonly peer: string;
  readonly clientCertificates: "none" | "request" | "require";
  /** The authorities that may vouch for a client; empty: those of the runtime. */
  readonly trusted: readonly X509[];
}

/** Returns why a listener refuses a client's certificate; `undefined` if it is valid, or none is needed. */
export function judgeClient(socket: TlsSocket, expected: ClientExpectation): PeerError | undefined {
  const { peer, clientCertificates, trusted } = expected;
  if (clientCertificates === "none") return undefined;
  const certificate = presentedBy(socket);
  if (certificate === undefined) {
    if (clientCertificates === "request") return undefined;
    return new PeerError(
      "ERR_CERTIFICATE_REQUIRED",
      `Refused ${peer}: the client presented no certificate, but clientCertificates is "require"`,
    );
  }
  const judged = socket.isSessionReused?.() === true ? judgeAgain(certificate, trusted) : judgmentOf(socket);
  if (judged === null || judged === "") return undefined;
  const fault = faultOf(certificate, "client", judged, true, false);
  return refusal(fault, { peer, certificate, host: "", role: "client" });
}

const NOT_VALID = "UNSPECIFIED";

/** A runtime that does not say what it found has not said that the certificate is valid. */
function judgmentOf({ ssl }: TlsSocket): unknown {
  return typeof ssl?.verifyError === "function" ? ssl.verifyError() : NOT_VALID;
}

/**
 * Judges the certificate of a session that a client resumed. Only Deno cannot be kept from resuming sessions,
 * and it does not look at their certificates again, although the authorities may be others by now.
 */
function judgeAgain(certificate: X509, trusted: readonly X509[]): unknown {
  const isValid = isInDate(certificate, host.wallMs()) && isFor(certificate, "client") &&
    trusted.some(({ subject, publicKey }) => certificate.issuer === subject && certificate.verify(publicKey));
  return isValid ? null : NOT_VALID;
}

/**
 * Deno reports an expired certificate, or one for another purpose, like one of an unknown authority; so where
 * no more is said, the certificate itself is looked at.
 */
function faultOf(
  certificate: X509,
  role: "server" | "client",
  judged: unknown,
  isForHost: boolean,
  selfSignedAllowed: boolean,
): CertificateFault {
  const told = VERIFICATION_CODES.get(typeof judged === "string" ? judged : codeOf(judged) ?? "");
  if (told !== undefined) return told;
  if (!isInDate(certificate, host.wallMs())) return "ERR_CERTIFICATE_EXPIRED";
  if (!isFor(certificate, role)) return "ERR_CERTIFICATE_PURPOSE";
  const vouchedFor = judged === undefined || (selfSignedAllowed && isSelfSigned(certificate));
  return vouchedFor && !isForHost ? "ERR_CERTIFICATE_HOST" : "ERR_CERTIFICATE_UNKNOWN";
}

interface Refused {
  readonly peer: string;
  readonly certificate: X509;
  readonly host: string;
  readonly role: "server" | "client";
}

function refusal(fault: CertificateFault, refused: Refused): PeerError {
  const { peer, certificate } = refused;
  return new PeerError(
    fault,
    `Refused the certificate of ${peer}: ${faultText(fault, refused)}. It is ${
      describeCertificate(certificate)
    }`,
  );
}

function faultText(fault: CertificateFault, { certificate, host: name, role }: Refused): string {
  switch (fault) {
    case "ERR_CERTIFICATE_EXPIRED":
      if (isInDate(certificate, host.wallMs())) {
        return "one that it depends on has expired, or is not valid yet";
      }
      return Date.parse(certificate.validFrom) > host.wallMs()
        ? "it is not valid yet; is this machine's clock right?"
        : "it has expired and must be renewed, unless this machine's clock is wrong";
    case "ERR_CERTIFICATE_HOST":
      return `it is not for ${name}; connect to a name that it is for, or set serverName in the option tls`;
    case "ERR_CERTIFICATE_PURPOSE":
      return `it may not be used by a ${role}`;
    case "ERR_CERTIFICATE_UNKNOWN":
      return isSelfSigned(certificate)
        ? "nobody but itself vouches for it; add it to authorities in the option tls" +
          (role === "server" ? ", or, in development, set allowSelfSigned" : "")
        : `${
          certificate.issuer.split("\n").reverse().join(", ")
        } vouches for it, which is not trusted here; ` +
          "add that authority to authorities in the option tls";
  }
}
