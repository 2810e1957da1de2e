/**
 * Makes X.509 certificates (RFC 5280) for tests and development: version 3, keys and signatures of ECDSA over
 * P-256. It only writes them; nothing here reads or judges one.
 *
 * @module
 */

import { webcrypto } from "node:crypto";

type Key = webcrypto.CryptoKey;
type Bytes = Uint8Array<ArrayBuffer>;

/** What a certificate says. */
export interface CertificateSetup {
  /** The common name (CN) of whom it is for. */
  readonly commonName: string;
  /** The organisation (O), if it is to have one. */
  readonly organization?: string;
  /** Host names, IPv4 and IPv6 addresses that it is for. */
  readonly hosts?: readonly string[];
  /** What it may be used for. Without any: for everything. */
  readonly purposes?: readonly ("server" | "client")[];
  /** Whether it may vouch for others. */
  readonly isAuthority?: boolean;
  readonly validFrom: Date;
  readonly validUntil: Date;
  /** Who vouches for it; without one it does so itself. */
  readonly issuer?: Credentials | undefined;
}

/** A certificate with its private key. */
export interface Credentials {
  /** PEM, RFC 7468. */
  readonly certificate: string;
  /** PEM, PKCS #8, not encrypted. */
  readonly key: string;
  /** @internal What signs for others needs. */
  readonly signer: Signer;
}

interface Signer {
  readonly name: Bytes;
  readonly keyId: Bytes;
  readonly privateKey: Key;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** Makes a key, and a certificate for it. */
export async function makeCertificate(setup: CertificateSetup): Promise<Credentials> {
  const { subtle } = webcrypto;
  const keys = await subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const publicKey = new Uint8Array(await subtle.exportKey("spki", keys.publicKey));
  // RFC 7093 §2: 160 bits of a hash of the key.
  const keyId = new Uint8Array(await subtle.digest("SHA-256", publicKey)).subarray(0, 20);
  const name = distinguishedName(setup);
  const signer: Signer = { name, keyId, privateKey: keys.privateKey };
  const issuer = setup.issuer?.signer ?? signer;
  const body = certificateBody(setup, { name, publicKey, keyId, issuer });
  const raw = new Uint8Array(await subtle.sign(ALGORITHM, issuer.privateKey, body));
  // RFC 3279 §2.2.3: two numbers, where Web Cryptography joins their 32 bytes each.
  const signature = sequence(integer(raw.subarray(0, 32)), integer(raw.subarray(32)));
  const certificate = sequence(body, ECDSA_WITH_SHA256, bitString(signature));
  const key = new Uint8Array(await subtle.exportKey("pkcs8", keys.privateKey));
  return { certificate: pem("CERTIFICATE", certificate), key: pem("PRIVATE KEY", key), signer };
}

interface Subject {
  readonly name: Bytes;
  readonly publicKey: Bytes;
  readonly keyId: Bytes;
  readonly issuer: Signer;
}

/** RFC 5280 §4.1.2 */
function certificateBody(setup: CertificateSetup, { name, publicKey, keyId, issuer }: Subject): Bytes {
  const serial = webcrypto.getRandomValues(new Uint8Array(16));
  return sequence(
    encoded(0xa0, integer(Uint8Array.of(2))),
    integer(serial),
    ECDSA_WITH_SHA256,
    issuer.name,
    sequence(time(setup.validFrom), time(setup.validUntil)),
    name,
    publicKey,
    encoded(0xa3, sequence(...extensions(setup, keyId, issuer))),
  );
}

/** RFC 5280 §4.2.1 */
function extensions(setup: CertificateSetup, keyId: Bytes, issuer: Signer): Bytes[] {
  const { isAuthority = false, hosts = [], purposes = [] } = setup;
  const list = [
    extension("2.5.29.14", octetString(keyId)),
    extension("2.5.29.35", sequence(encoded(0x80, issuer.keyId))),
    extension("2.5.29.19", isAuthority ? sequence(TRUE) : sequence(), true),
    // Signs certificates and revocations, or signs handshakes.
    extension(
      "2.5.29.15",
      encoded(0x03, Uint8Array.of(isAuthority ? 1 : 7, isAuthority ? 0x06 : 0x80)),
      true,
    ),
  ];
  if (purposes.length > 0) {
    list.push(extension("2.5.29.37", sequence(...purposes.map((purpose) => objectId(PURPOSES[purpose])))));
  }
  if (hosts.length > 0) list.push(extension("2.5.29.17", sequence(...hosts.map(generalName))));
  return list;
}

const PURPOSES = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" };

function extension(id: string, value: Bytes, critical = false): Bytes {
  return sequence(objectId(id), ...(critical ? [TRUE] : []), octetString(value));
}

/** RFC 5280 §4.2.1.6: a host name, or the bytes of an address. */
function generalName(host: string): Bytes {
  const address = addressBytes(host);
  return address === undefined ? encoded(0x82, text(host)) : encoded(0x87, address);
}

/** Returns the 4 or 16 bytes of an IP address; `undefined` for a host name. */
function addressBytes(host: string): Bytes | undefined {
  if (/^\d+(?:\.\d+){3}$/.test(host)) return Uint8Array.from(host.split("."), Number);
  if (!host.includes(":")) return undefined;
  // As URLs write it: short, in lower case, without a tail in decimal numbers.
  const [head = "", tail] = new URL(`http://[${host}]`).hostname.replace(/[[\]]/g, "").split("::");
  const groups = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((hex) => parseInt(hex, 16));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const gap = new Array<number>(8 - before.length - after.length).fill(0);
  return Uint8Array.from([...before, ...gap, ...after].flatMap((group) => [group >> 8, group & 0xff]));
}

/** RFC 5280 §4.1.2.4, least specific part first. */
function distinguishedName({ commonName, organization }: CertificateSetup): Bytes {
  const part = (id: string, value: string): Bytes =>
    encoded(0x31, sequence(objectId(id), encoded(0x0c, text(value))));
  const organizations = organization === undefined ? [] : [part("2.5.4.10", organization)];
  return sequence(...organizations, part("2.5.4.3", commonName));
}

// The encoding: X.690, distinguished rules.

function encoded(tag: number, ...parts: readonly Bytes[]): Bytes {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const size = length < 0x80
    ? [length]
    : length < 0x100
    ? [0x81, length]
    : [0x82, length >> 8, length & 0xff];
  const bytes = new Uint8Array(1 + size.length + length);
  bytes.set([tag, ...size]);
  let at = 1 + size.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function sequence(...parts: readonly Bytes[]): Bytes {
  return encoded(0x30, ...parts);
}

function octetString(value: Bytes): Bytes {
  return encoded(0x04, value);
}

function bitString(value: Bytes): Bytes {
  return encoded(0x03, Uint8Array.of(0), value);
}

/** A number that is not negative, in as few bytes as it needs. */
function integer(value: Bytes): Bytes {
  let start = 0;
  while (start < value.length - 1 && value[start] === 0) start++;
  const digits = value.subarray(start);
  return encoded(0x02, ...(digits[0]! >= 0x80 ? [Uint8Array.of(0)] : []), digits);
}

function objectId(id: string): Bytes {
  const [first = 0, second = 0, ...rest] = id.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const septets = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) septets.unshift(0x80 | (left & 0x7f));
    bytes.push(...septets);
  }
  return encoded(0x06, Uint8Array.from(bytes));
}

/** RFC 5280 §4.1.2.5: two digits of the year until 2049. */
function time(date: Date): Bytes {
  const digits = date.toISOString().replace(/\D/g, "").substring(0, 14);
  return date.getUTCFullYear() < 2050
    ? encoded(0x17, text(`${digits.substring(2)}Z`))
    : encoded(0x18, text(`${digits}Z`));
}

function text(value: string): Bytes {
  return new TextEncoder().encode(value);
}

const TRUE: Bytes = encoded(0x01, Uint8Array.of(0xff));
const ECDSA_WITH_SHA256: Bytes = sequence(objectId("1.2.840.10045.4.3.2"));

/** RFC 7468: lines of 64 characters. */
function pem(label: string, der: Bytes): string {
  const lines = btoa(String.fromCharCode(...der)).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
