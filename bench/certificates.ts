/**
 * The certificates of encrypted cases, made anew for each run.
 *
 * @module
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeTestCertificates } from "../cli/test_certificates.ts";

/** Makes them for this machine in a folder below `scratch`, and returns that folder. */
export async function makeCertificates(scratch: string): Promise<string> {
  const folder = join(scratch, "certificates");
  mkdirSync(folder);
  const { authority, server } = await makeTestCertificates({ hosts: ["127.0.0.1"] });
  writeFileSync(join(folder, "authority.pem"), authority.certificate);
  writeFileSync(join(folder, "server.pem"), server.certificate);
  writeFileSync(join(folder, "server-key.pem"), server.key);
  return folder;
}
