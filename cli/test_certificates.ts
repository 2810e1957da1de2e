/**
 * An authority made on the spot, and the certificate of a server that it vouches for.
 *
 * @module
 */

import { type Credentials, makeCertificate } from "./x509.ts";

/** See the module. */
export interface TestCertificates {
  readonly authority: Credentials;
  readonly server: Credentials;
}

const DAY_MS = 86_400_000;

/** Makes both, valid from yesterday for `days` days. Nobody else knows the authority's key. */
export async function makeTestCertificates(
  { hosts, days = 2 }: { readonly hosts: readonly string[]; readonly days?: number },
): Promise<TestCertificates> {
  const validFrom = new Date(Date.now() - DAY_MS);
  const dates = { validFrom, validUntil: new Date(validFrom.getTime() + (days + 1) * DAY_MS) };
  const authority = await makeCertificate({
    ...dates,
    commonName: "hawser test authority",
    isAuthority: true,
  });
  const [commonName = "localhost"] = hosts;
  const server = await makeCertificate({
    ...dates,
    commonName,
    hosts,
    purposes: ["server"],
    issuer: authority,
  });
  return { authority, server };
}
