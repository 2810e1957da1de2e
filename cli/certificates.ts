/**
 * `hawser certificates`: makes what `tls://` and `wss://` need for tests and development.
 *
 * @module
 */

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isIpv4, isIpv6 } from "../src/socket/endpoint.ts";
import { type Command, type CommandInput, expectOperands } from "./command.ts";
import { CommandError, UsageError, write } from "./terminal.ts";
import { type CertificateSetup, type Credentials, makeCertificate } from "./x509.ts";

const DAY_MS = 86_400_000;
const DAYS_MAX = 3_650;
const HOSTS = "localhost,127.0.0.1,::1";
const ORGANIZATION = "hawser test certificates";

/** See the module. */
export const certificatesCommand: Command = {
  name: "certificates",
  operands: "",
  summary: "make certificates for tests and development",
  about:
    `Makes an authority, and with it a certificate for a listener and one for a client, each with its key:

  authority.pem                whom both sides trust: authoritiesFile in the option tls
  server.pem, server-key.pem   for a listener: certificateFile and keyFile
  client.pem, client-key.pem   for a client: certificateFile and keyFile

Only their owner can read the keys. The authority's own key is not kept, so nobody can make more with it. An existing file
is never overwritten: nothing is written then. Do not use them where strangers can reach a socket.`,
  options: {
    out: { value: "folder", about: "where the files go; made if it does not exist (default: certificates)" },
    host: {
      value: "list",
      about: `names and addresses of the listener, joined by commas (default: ${HOSTS})`,
    },
    client: { value: "name", about: "the common name of the client's certificate (default: client)" },
    days: { value: "number", about: `how long they are valid: 1 to ${DAYS_MAX} days (default: 365)` },
  },
  configuration: [],
  async run({ terminal: { stdout }, operands, values }: CommandInput): Promise<number> {
    expectOperands(certificatesCommand, operands, 0, 0);
    const folder = textOf(values["out"], "certificates");
    const hosts = hostsOf(textOf(values["host"], HOSTS));
    const client = textOf(values["client"], "client");
    if (client.trim() === "" || client.length > 64) {
      throw new UsageError("--client must have 1 to 64 characters. See: hawser help certificates");
    }
    const files = await makeFiles(hosts, client, daysOf(textOf(values["days"], "365")));
    writeAll(folder, files);
    await write(stdout, report(folder, files));
    return 0;
  },
};

function textOf(value: string | true | undefined, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

function hostsOf(list: string): string[] {
  const hosts = list.split(",").map((host) => host.trim());
  for (const host of hosts) {
    if (isIpv4(host) || isIpv6(host) || isHostName(host)) continue;
    throw new UsageError(
      `--host: ${JSON.stringify(host)} is neither a host name nor an address. See: hawser help certificates`,
    );
  }
  return hosts;
}

/** RFC 5280 §4.2.1.6, with a first part that may stand for all. */
function isHostName(host: string): boolean {
  const labels = host.replace(/^\*\./, "").split(".");
  const isNumber = /^\d+$/.test(labels[labels.length - 1]!);
  return host.length <= 253 && !isNumber && labels.every((label) => /^[A-Za-z0-9_-]{1,63}$/.test(label));
}

function daysOf(text: string): number {
  const days = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (days >= 1 && days <= DAYS_MAX) return days;
  throw new UsageError(
    `--days must be a whole number from 1 to ${DAYS_MAX}, not ${
      JSON.stringify(text)
    }. See: hawser help certificates`,
  );
}

interface File {
  readonly name: string;
  readonly text: string;
  /** Of a key. */
  readonly isPrivate: boolean;
  readonly about: string;
}

async function makeFiles(hosts: readonly string[], client: string, days: number): Promise<readonly File[]> {
  const now = Date.now();
  // A little before now, for machines whose clocks are behind.
  const dates = { validFrom: new Date(now - 300_000), validUntil: new Date(now + days * DAY_MS) };
  const make = (
    setup: Pick<CertificateSetup, "commonName"> & Partial<CertificateSetup>,
  ): Promise<Credentials> => makeCertificate({ organization: ORGANIZATION, ...dates, ...setup });
  const authority = await make({ commonName: "test authority", isAuthority: true });
  const issuer = authority;
  const server = await make({ commonName: hosts[0]!.substring(0, 64), hosts, purposes: ["server"], issuer });
  const own = await make({ commonName: client, purposes: ["client"], issuer });
  return [
    file("authority.pem", authority.certificate, "the authority that both sides trust"),
    file("server.pem", server.certificate, `the certificate of a listener, for ${hosts.join(", ")}`),
    file("server-key.pem", server.key, "its key"),
    file("client.pem", own.certificate, `the certificate of a client, for ${client}`),
    file("client-key.pem", own.key, "its key"),
  ];
}

function file(name: string, text: string, about: string): File {
  return { name, text, about, isPrivate: name.endsWith("-key.pem") };
}

function writeAll(folder: string, files: readonly File[]): void {
  const taken = files.map(({ name }) => join(folder, name)).find((path) => existsSync(path));
  if (taken !== undefined) {
    throw new CommandError(`${taken} exists; nothing was written. Choose another --out`);
  }
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const { name, text, isPrivate } of files) {
      writeFileSync(join(folder, name), text, { flag: "wx", mode: isPrivate ? 0o600 : 0o644 });
    }
  } catch (error) {
    throw new CommandError(`Cannot write to ${folder}: ${(error as Error).message}`, { cause: error });
  }
}

function report(folder: string, files: readonly File[]): string {
  const paths = files.map(({ name }) => join(folder, name));
  const width = Math.max(...paths.map((path) => path.length));
  return files.map(({ about }, index) => `${paths[index]!.padEnd(width)}  ${about}\n`).join("");
}
