import { after, test } from "node:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { loadAdapter } from "../../../adapters/detect.ts";
import { MisuseError } from "../../../src/errors.ts";
import type { TlsOptions } from "../../../src/transport_options.ts";
import { encryptedKey, type TestCertificates, testCertificates } from "../../support/certificates.ts";
import { benchOf, errorOf, factoryOf } from "../support.ts";

// Our own certificate, key and authorities: as text, as bytes and as files, and what is wrong with them.

const certificates = await testCertificates();
const { server, client, renewedServer, expired } = certificates;
const authorities = certificates.authority.certificate;
const adapter = await loadAdapter();
const factory = factoryOf(adapter, "tls");
const label = `${adapter.name} tls`;

const folder = mkdtempSync(join(tmpdir(), "hawser-tls-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const certificate = server.certificate;
const key = server.key;
const encrypted = encryptedKey(server, "secret");
const missing = join(folder, "missing.pem");
const damaged = certificate.replace(/\n.{64}\n/, "\n");
const damagedFile = file("damaged.pem", damaged);

const UNUSABLE: readonly [string, TlsOptions, ...string[]][] = [
  ["a certificate without a key", { certificate }, "key of the certificate is missing"],
  ["a key without a certificate", { key }, "no certificate that it belongs to"],
  ["a key of another certificate", { certificate, key: client.key }, "does not fit", "CN=server, O=Test"],
  ["a file that does not exist", { certificateFile: missing, key }, "certificateFile", missing],
  ["a key file that does not exist", { certificate, keyFile: missing }, "keyFile", missing],
  [
    "a file of authorities that does not exist",
    { certificate, key, authoritiesFile: missing },
    "authoritiesFile",
  ],
  ["an empty file", { certificateFile: file("empty.pem", "\n"), key }, "empty.pem is empty"],
  [
    "a file with something else",
    { certificateFile: file("text.pem", "hello"), key },
    "no certificate",
    "text.pem",
  ],
  ["a damaged certificate", { certificate: damaged, key }, "certificate in certificate is malformed"],
  ["a damaged certificate in a file", { certificateFile: damagedFile, key }, "malformed", "damaged.pem"],
  [
    "a damaged second authority",
    { certificate, key, authorities: authorities + damaged },
    "number 2 in authorities",
  ],
  ["a key that is none", { certificate, key: "hello" }, "key contains no private key"],
  ["a damaged key", { certificate, key: key.replace(/\n.{64}\n/, "\n") }, "the key in key is malformed"],
  [
    "an encrypted key without a passphrase",
    { certificate, key: encrypted },
    "is encrypted; set keyPassphrase",
  ],
  [
    "an encrypted key with another passphrase",
    { certificate, keyFile: file("encrypted.pem", encrypted), keyPassphrase: "other" },
    "cannot be decrypted with keyPassphrase",
    "encrypted.pem",
  ],
];

for (const [what, tls, ...words] of UNUSABLE) {
  test(`${label}: ${what} is refused when listening, and as the cause of a failed connection`, async () => {
    const bench = benchOf({ label, factory }, { tls });
    const error = await errorOf(() => bench.listen("tls://127.0.0.1:*"));
    assert(error instanceof MisuseError, String(error));
    assertEquals(error.code, "ERR_CERTIFICATE_KEY", error.message);
    assertStringIncludes(error.message, "Cannot bind tls://127.0.0.1:*");
    for (const word of words) assertStringIncludes(error.message, word);
    const left = bench.dial("tls://127.0.0.1:1");
    await left.until("close", () => left.closed);
    assert(
      left.cause instanceof MisuseError && left.cause.code === "ERR_CERTIFICATE_KEY",
      String(left.cause),
    );
    assertStringIncludes(left.cause.message, "Cannot connect to tls://127.0.0.1:1");
    for (const word of words) assertStringIncludes(left.cause.message, word);
    await bench.clear();
  });
}

test(`${label}: a listener needs a certificate, and says how to get one`, async () => {
  for (const tls of [undefined, {}, { authorities }]) {
    const error = await errorOf(() => benchOf({ label, factory }, { tls }).listen("tls://127.0.0.1:*"));
    assert(error instanceof MisuseError && error.code === "ERR_CERTIFICATE_KEY");
    assertStringIncludes(error.message, "hawser certificates");
  }
});

const USABLE: readonly [string, TlsOptions][] = [
  ["texts", { certificate, key, authorities }],
  [
    "bytes",
    {
      certificate: new TextEncoder().encode(certificate),
      key: new TextEncoder().encode(key),
      authorities: new TextEncoder().encode(authorities),
    },
  ],
  [
    "files",
    {
      certificateFile: file("server.pem", certificate),
      keyFile: file("server-key.pem", key),
      authoritiesFile: file("authority.pem", authorities),
    },
  ],
  ["an encrypted key", { certificate, key: encrypted, keyPassphrase: "secret", authorities }],
  ["text around the blocks", {
    certificate: `Subject: me\n${certificate}\n`,
    key,
    authorities: `x\n${authorities}`,
  }],
];

for (const [what, tls] of USABLE) {
  test(`${label}: credentials may be ${what}`, async () => {
    const bench = benchOf({ label, factory }, { tls });
    const { address } = await bench.listen("tls://127.0.0.1:*");
    const left = bench.dial(address);
    await left.until("open or close", () => left.opened || left.closed);
    assert(left.opened, String(left.cause));
    await bench.clear();
  });
}

interface Scene {
  /** Dials, and returns the name of the certificate that the listener presents. */
  presented(): Promise<string | undefined>;
  readonly bench: ReturnType<typeof benchOf>;
}

function sceneOf(tls: TlsOptions, address: () => string): Scene {
  const bench = benchOf({ label, factory }, { tls });
  return {
    bench,
    presented: async () => {
      const probe = bench.track("dialled").dial(factory.dial(address(), { tls: { authorities } }));
      await probe.until("open or close", () => probe.opened || probe.closed);
      assert(probe.opened, String(probe.cause));
      return probe.info?.tls?.peerCertificate?.commonName;
    },
  };
}

type Pair = TestCertificates["server"];
const pairOf = ({ certificate, key }: Pair): TlsOptions => ({ certificate, key });

test(`${label}: a renewed certificate is for new connections, and old ones live on`, async () => {
  let address = "";
  const { bench, presented } = sceneOf(pairOf(server), () => address);
  const listener = await bench.listen("tls://127.0.0.1:*");
  address = listener.address;
  assertEquals(await presented(), "server");
  const old = bench.accepted[0]!;
  await old.until("open", () => old.opened);
  await listener.renew!({ tls: pairOf(renewedServer) });
  assertEquals(await presented(), "renewedServer");
  old.writePattern(1000);
  await bench.turn();
  assert(!old.closed);
  await bench.clear();
});

test(`${label}: a pair that does not fit renews nothing`, async () => {
  let address = "";
  const { bench, presented } = sceneOf(pairOf(server), () => address);
  const listener = await bench.listen("tls://127.0.0.1:*");
  address = listener.address;
  for (
    const tls of [{ certificate: renewedServer.certificate, key: expired.key }, {}, {
      certificateFile: missing,
    }]
  ) {
    const error = await errorOf(() => listener.renew!({ tls }));
    assert(error instanceof MisuseError && error.code === "ERR_CERTIFICATE_KEY", String(error));
    assertMatch(error.message, /^Cannot renew the certificate of tls:\/\/127\.0\.0\.1:\d+: /);
  }
  assertEquals(await presented(), "server");
  await bench.clear();
});

test(`${label}: files are read again when a listener renews, and when a client connects`, async () => {
  const tls = {
    certificateFile: file("changing.pem", server.certificate),
    keyFile: file("changing-key.pem", server.key),
  };
  const trusted = file("changing-authority.pem", certificates.otherAuthority.certificate);
  let address = "";
  const { bench, presented } = sceneOf(tls, () => address);
  const listener = await bench.listen("tls://127.0.0.1:*");
  address = listener.address;
  const dial = factory.dial(address, { tls: { authoritiesFile: trusted } });
  const refused = bench.track("refused").dial(dial);
  await refused.until("close", () => refused.closed);
  assertEquals((refused.cause as { code?: string }).code, "ERR_CERTIFICATE_UNKNOWN");
  file("changing-authority.pem", authorities);
  const taken = bench.track("taken").dial(dial);
  await taken.until("open or close", () => taken.opened || taken.closed);
  assert(taken.opened, String(taken.cause));
  file("changing.pem", renewedServer.certificate);
  file("changing-key.pem", renewedServer.key);
  assertEquals(await presented(), "server");
  await listener.renew!({ tls });
  assertEquals(await presented(), "renewedServer");
  await bench.clear();
});
