/**
 * The certificates of the tests, made once per process.
 *
 * @module
 */

import { createPrivateKey } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CertificateSetup, type Credentials, makeCertificate } from "../../cli/x509.ts";

/** The hosts that certificates of servers are for. */
const HOSTS = ["localhost", "127.0.0.1", "::1"];
const DAY_MS = 86_400_000;

/** See the module. */
export interface TestCertificates {
  /** The authority that vouches for all that have no other, and for nobody that is not tested. */
  readonly authority: Credentials;
  readonly server: Credentials;
  /** For the same hosts, with another key. */
  readonly renewedServer: Credentials;
  readonly client: Credentials;
  readonly expired: Credentials;
  readonly notYetValid: Credentials;
  /** For `elsewhere.example` alone. */
  readonly otherHost: Credentials;
  /** For clients only, and for the hosts of a server. */
  readonly clientOnly: Credentials;
  readonly expiredClient: Credentials;
  /** For servers only: no client may use it. */
  readonly serverOnlyClient: Credentials;
  readonly selfSigned: Credentials;
  readonly expiredSelfSigned: Credentials;
  readonly otherHostSelfSigned: Credentials;
  readonly otherAuthority: Credentials;
  /** What {@link otherAuthority} vouches for. */
  readonly unknownServer: Credentials;
  readonly unknownClient: Credentials;
}

let made: Promise<TestCertificates> | undefined;

/** Returns the certificates. */
export function testCertificates(): Promise<TestCertificates> {
  return made ??= make();
}

/** Writes the files that `hawser certificates` makes. */
export async function writeCertificates(folder: string): Promise<void> {
  const { authority, server, client } = await testCertificates();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "authority.pem"), authority.certificate);
  for (const [name, { certificate, key }] of Object.entries({ server, client })) {
    writeFileSync(join(folder, `${name}.pem`), certificate);
    writeFileSync(join(folder, `${name}-key.pem`), key);
  }
}

/** Returns `key` encrypted with `passphrase`. */
export function encryptedKey({ key }: Credentials, passphrase: string): string {
  return String(
    createPrivateKey(key).export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase }),
  );
}

async function make(): Promise<TestCertificates> {
  const now = Date.now();
  const certificate = (setup: Partial<CertificateSetup> & { readonly commonName: string }) =>
    makeCertificate({
      organization: "Test",
      validFrom: new Date(now - DAY_MS),
      validUntil: new Date(now + DAY_MS),
      ...setup,
    });
  const authority = await certificate({ commonName: "Test authority", isAuthority: true });
  const otherAuthority = await certificate({ commonName: "Another authority", isAuthority: true });
  const server = { hosts: HOSTS, purposes: ["server"] } as const;
  const client = { purposes: ["client"] } as const;
  const over = { validFrom: new Date(now - 2 * DAY_MS), validUntil: new Date(now - DAY_MS) };
  const setups: Readonly<
    Record<Exclude<keyof TestCertificates, "authority" | "otherAuthority">, Partial<CertificateSetup>>
  > = {
    server: { ...server, issuer: authority },
    renewedServer: { ...server, issuer: authority },
    client: { ...client, issuer: authority },
    expired: { ...server, ...over, issuer: authority },
    notYetValid: { ...server, validFrom: new Date(now + DAY_MS / 2), issuer: authority },
    otherHost: { ...server, hosts: ["elsewhere.example"], issuer: authority },
    clientOnly: { ...server, ...client, issuer: authority },
    expiredClient: { ...client, ...over, issuer: authority },
    serverOnlyClient: { purposes: ["server"], issuer: authority },
    selfSigned: server,
    expiredSelfSigned: { ...server, ...over },
    otherHostSelfSigned: { ...server, hosts: ["elsewhere.example"] },
    unknownServer: { ...server, issuer: otherAuthority },
    unknownClient: { ...client, issuer: otherAuthority },
  };
  const entries = await Promise.all(
    Object.entries(setups).map(async ([commonName, setup]) =>
      [commonName, await certificate({ ...setup, commonName })] as const
    ),
  );
  return { authority, otherAuthority, ...Object.fromEntries(entries) } as unknown as TestCertificates;
}
