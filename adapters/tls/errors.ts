/**
 * The typed errors of TLS. Runtimes word and number the same failure differently, so the tables below turn
 * what each of them says into hawser's codes.
 *
 * @module
 */

import { type PeerCode, PeerError } from "../../src/errors.ts";
import { codeOf, reasonOf } from "../system_errors.ts";

/** Why a certificate is not valid, as hawser names it. */
export type CertificateFault =
  | "ERR_CERTIFICATE_EXPIRED"
  | "ERR_CERTIFICATE_UNKNOWN"
  | "ERR_CERTIFICATE_HOST"
  | "ERR_CERTIFICATE_PURPOSE";

/**
 * What verification reports, by the codes of OpenSSL that the runtimes share. A code that is not in the table
 * says that nobody we trust vouches for the certificate.
 */
export const VERIFICATION_CODES: ReadonlyMap<string, CertificateFault> = new Map([
  ["CERT_HAS_EXPIRED", "ERR_CERTIFICATE_EXPIRED"],
  ["CERT_NOT_YET_VALID", "ERR_CERTIFICATE_EXPIRED"],
  ["ERROR_IN_CERT_NOT_BEFORE_FIELD", "ERR_CERTIFICATE_EXPIRED"],
  ["ERROR_IN_CERT_NOT_AFTER_FIELD", "ERR_CERTIFICATE_EXPIRED"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "ERR_CERTIFICATE_HOST"],
  ["ERR_TLS_CERT_ALTNAME_FORMAT", "ERR_CERTIFICATE_HOST"],
  ["HOSTNAME_MISMATCH", "ERR_CERTIFICATE_HOST"],
  ["IP_ADDRESS_MISMATCH", "ERR_CERTIFICATE_HOST"],
  ["INVALID_PURPOSE", "ERR_CERTIFICATE_PURPOSE"],
]);

/** A failed handshake: what to look for in what the runtime says, and what it means. */
export interface Failure {
  readonly pattern: RegExp;
  readonly code: PeerCode;
  readonly why: string;
}

const REFUSED = "ERR_CERTIFICATE_REFUSED";

/** The first row that fits counts. Alerts are those of RFC 8446 §6, which the peer sent. */
export const FAILURES: readonly Failure[] = [
  {
    pattern: /ALERT_CERTIFICATE_REQUIRED|fatal alert: CertificateRequired/i,
    code: REFUSED,
    why: "the peer requires a certificate",
  },
  {
    pattern: /ALERT_CERTIFICATE_EXPIRED|fatal alert: CertificateExpired/i,
    code: REFUSED,
    why: "the peer says that our certificate has expired",
  },
  {
    pattern: /ALERT_CERTIFICATE_REVOKED|fatal alert: CertificateRevoked/i,
    code: REFUSED,
    why: "the peer says that our certificate was revoked",
  },
  {
    pattern: /ALERT_UNKNOWN_CA|fatal alert: UnknownCA/i,
    code: REFUSED,
    why: "the peer does not know the authority of our certificate",
  },
  {
    pattern: /ALERT_UNSUPPORTED_CERTIFICATE|fatal alert: UnsupportedCertificate/i,
    code: REFUSED,
    why: "the peer cannot use a certificate of this kind or purpose",
  },
  {
    pattern: /ALERT_(?:BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|ACCESS_DENIED)/i,
    code: REFUSED,
    why: "the peer did not accept our certificate",
  },
  {
    pattern: /fatal alert: (?:BadCertificate|CertificateUnknown|AccessDenied)/i,
    code: REFUSED,
    why: "the peer did not accept our certificate",
  },
  {
    pattern: /PEER_DID_NOT_RETURN_A_CERTIFICATE/i,
    code: "ERR_CERTIFICATE_REQUIRED",
    why: "the client presented no certificate, but must",
  },
  {
    pattern: /WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG|BAD_RECORD_TYPE|HTTPS_PROXY_REQUEST/i,
    code: "ERR_TLS",
    why: "the peer does not speak TLS; is it an endpoint of another scheme, such as tcp?",
  },
  {
    pattern: /UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|Tls1[23]NotOffered|NO_PROTOCOLS_AVAILABLE/i,
    code: "ERR_TLS",
    why: "there is no version of TLS that both sides speak; hawser speaks 1.2 and 1.3",
  },
  {
    pattern: /NO_SHARED_CIPHER|NO_CIPHERS|NoCipherSuitesInCommon/i,
    code: "ERR_TLS",
    why: "there is no cipher that both sides know",
  },
  {
    pattern: /ALERT_HANDSHAKE_FAILURE|fatal alert: HandshakeFailure/i,
    code: "ERR_TLS",
    why: "the peer refused the handshake: it may require a certificate, or know none of our ciphers",
  },
  {
    pattern: /disconnected before secure TLS connection|socket hang up/i,
    code: "ERR_TLS",
    why: "the peer left during the handshake",
  },
];

/** Whom a failure concerns. */
export interface FailureContext {
  /** The endpoint of the peer. */
  readonly peer: string;
  /** Describes our certificate; `undefined` if we have none. */
  readonly own: string | undefined;
  /** Whether the TLS handshake was done. */
  readonly opened: boolean;
}

/**
 * Returns the error to report for what ended a stream: a `PeerError` if TLS failed, and `cause` itself if it
 * was something else, such as a broken connection.
 */
export function tlsFailure(cause: unknown, { peer, own, opened }: FailureContext): unknown {
  if (cause === undefined || cause instanceof PeerError) return cause;
  const code = codeOf(cause) ?? "";
  const reason = reasonOf(cause);
  const said = `${code} ${reason}`;
  const failure = FAILURES.find(({ pattern }) => pattern.test(said));
  const what = opened ? "The connection" : "The TLS handshake";
  if (failure === undefined) {
    const isTls = code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_");
    return isTls ? new PeerError("ERR_TLS", `${what} with ${peer} failed: ${reason}`, { cause }) : cause;
  }
  const ours = failure.code === REFUSED ? `. ${ownText(own)}` : "";
  return new PeerError(failure.code, `${what} with ${peer} failed: ${failure.why}${ours}`, { cause });
}

function ownText(own: string | undefined): string {
  if (own !== undefined) return `Ours is ${own}. Present one that the peer accepts, or make it accept this`;
  return "We presented none: set certificate and key, or their files, in the option tls";
}

/**
 * Returns the error for a peer that ended the connection right after the handshake, before it sent anything.
 * With TLS 1.3 a client learns only so that its certificate was refused, if the listener does not say why.
 */
export function refusedQuietly(peer: string, own: string | undefined, cause: unknown): PeerError {
  return new PeerError(
    REFUSED,
    `${peer} ended the connection right after the TLS handshake, as listeners do that refuse the ` +
      `certificate of a client. ${ownText(own)}`,
    { cause },
  );
}
