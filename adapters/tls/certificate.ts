/**
 * What a certificate says, and what messages say about it.
 *
 * @module
 */

import type { PeerCertificate } from "../../src/transport_options.ts";
import { builtin } from "../builtin.ts";
import type { TlsSocket, X509 } from "./types.ts";

/** Returns the certificate that the peer presented, or `undefined` if it presented none. */
export function presentedBy(socket: TlsSocket): X509 | undefined {
  const raw = socket.getPeerCertificate(false)?.raw;
  return raw === undefined ? undefined : new (builtin("node:crypto").X509Certificate)(raw);
}

/** Returns what `certificate` says, in the form in which sockets show it. */
export function peerCertificate(certificate: X509): PeerCertificate {
  const subject = nameParts(certificate.subject);
  const commonName = subject.find((part) => part.startsWith("CN="));
  return {
    subject: subject.join(", "),
    commonName: commonName?.substring(3) ?? "",
    issuer: nameParts(certificate.issuer).join(", "),
    alternativeNames: alternativeNames(certificate.subjectAltName ?? ""),
    validFromMs: Date.parse(certificate.validFrom),
    validUntilMs: Date.parse(certificate.validTo),
    fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}

/** A line per part, least specific first, is what runtimes show; people write it the other way round. */
function nameParts(name: string): string[] {
  return name.split("\n").filter((part) => part !== "").reverse();
}

/** Splits `DNS:a, IP Address:b`, in which runtimes quote a name that has a comma. */
function alternativeNames(text: string): string[] {
  return text.match(/(?:"(?:[^"\\]|\\.)*"|[^",])+/g)?.map((name) => name.trim()) ?? [];
}

/** Describes a certificate in a message: whose it is, when it is valid, and what for. */
export function describeCertificate(certificate: X509): string {
  const { subject, alternativeNames, validFromMs, validUntilMs } = peerCertificate(certificate);
  const names = alternativeNames.length === 0 ? "no host" : alternativeNames.join(", ");
  return `${subject || "(no subject)"}, valid from ${dateText(validFromMs)} to ${dateText(validUntilMs)}, ` +
    `for ${names}`;
}

function dateText(ms: number): string {
  return Number.isNaN(ms) ? "an unknown date" : new Date(ms).toISOString().replace(".000", "");
}

/** Whether the dates of a certificate include `wallMs`. */
export function isInDate(certificate: X509, wallMs: number): boolean {
  return Date.parse(certificate.validFrom) <= wallMs && wallMs <= Date.parse(certificate.validTo);
}

/** Whether nobody but the certificate itself vouches for it: its own key has signed it. */
export function isSelfSigned(certificate: X509): boolean {
  return certificate.subject === certificate.issuer && certificate.verify(certificate.publicKey);
}

// Object identifiers as certificates contain them: RFC 5280 §4.2.1.12.
const EXTENDED_KEY_USAGE = [0x06, 0x03, 0x55, 0x1d, 0x25];
const ANY_PURPOSE = [0x06, 0x04, 0x55, 0x1d, 0x25, 0x00];
const PURPOSES = {
  server: [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
  client: [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02],
};

/**
 * Whether a certificate is for this side of a connection, or names no purpose at all. It looks for the
 * identifiers in the certificate's bytes, because not every runtime shows its purposes.
 */
export function isFor(certificate: X509, role: "server" | "client"): boolean {
  const { raw } = certificate;
  return !contains(raw, EXTENDED_KEY_USAGE) || contains(raw, ANY_PURPOSE) || contains(raw, PURPOSES[role]);
}

function contains(bytes: Uint8Array, part: readonly number[]): boolean {
  const last = bytes.length - part.length;
  for (let start = 0; start <= last; start++) {
    if (part.every((byte, index) => bytes[start + index] === byte)) return true;
  }
  return false;
}
