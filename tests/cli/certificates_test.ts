import { X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Pull, Push } from "../../mod.ts";
import { within } from "../interop/support/deadline.ts";
import { hawser } from "./in_process.ts";

const folder = mkdtempSync(join(tmpdir(), "hawser-cli-certificates-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const FILES = ["authority.pem", "client-key.pem", "client.pem", "server-key.pem", "server.pem"];

test("sockets meet with the certificates that one command makes, and each knows the other", async () => {
  const out = join(folder, "new", "ones");
  const { code, stdout, stderr } = await hawser(["certificates", "--out", out, "--client", "worker 1"]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(readdirSync(out).sort(), FILES);
  for (const name of FILES) assertStringIncludes(stdout, join(out, name));
  const file = (name: string): string => join(out, name);
  const authoritiesFile = file("authority.pem");
  const pull = new Pull({
    tls: {
      certificateFile: file("server.pem"),
      keyFile: file("server-key.pem"),
      authoritiesFile,
      clientCertificates: "require",
    },
  });
  const push = new Push({
    tls: { certificateFile: file("client.pem"), keyFile: file("client-key.pem"), authoritiesFile },
  });
  await pull.bind("tls://127.0.0.1:*");
  push.connect(pull.lastEndpoint!.replace("127.0.0.1", "localhost"));
  await push.send("hello");
  await within(pull.receive(), "a message");
  assertEquals(pull.peers[0]!.tls?.peerCertificate?.commonName, "worker 1");
  push.close();
  pull.close();
});

test(
  "keys are for their owner alone",
  { skip: process.platform === "win32" && "other permissions" },
  async () => {
    const out = join(folder, "modes");
    assertEquals((await hawser(["certificates", "--out", out])).code, 0);
    for (const name of FILES) {
      assertEquals(statSync(join(out, name)).mode & 0o777, name.includes("-key") ? 0o600 : 0o644, name);
    }
  },
);

test("an existing file is not overwritten, and nothing else is written then", async () => {
  const out = mkdtempSync(join(folder, "taken-"));
  writeFileSync(join(out, "client.pem"), "mine");
  const { code, stdout, stderr } = await hawser(["certificates", "--out", out]);
  assertEquals([code, stdout], [1, ""]);
  assertMatch(stderr, /client\.pem exists; nothing was written/);
  assertEquals(readdirSync(out), ["client.pem"]);
  assertEquals(readFileSync(join(out, "client.pem"), "utf8"), "mine");
});

test("hosts and dates are those that were asked for", async () => {
  const out = join(folder, "hosts");
  const hosts = "*.example.org,example.org,10.0.0.1,fe80::1:2";
  assertEquals((await hawser(["certificates", "--out", out, "--host", hosts, "--days", "2"])).code, 0);
  const server = new X509Certificate(readFileSync(join(out, "server.pem")));
  const fault = (host: string): Error | undefined =>
    checkServerIdentity(host, server.toLegacyObject() as unknown as PeerCertificate);
  for (const host of ["a.example.org", "example.org", "10.0.0.1", "fe80::1:2"]) {
    assertEquals(fault(host), undefined);
  }
  assertMatch(String(fault("localhost")), /not in the cert's altnames/);
  const days = (Date.parse(server.validTo) - Date.now()) / 86_400_000;
  assert(days > 1.9 && days <= 2, `${days} days`);
});

const WRONG: readonly (readonly [readonly string[], RegExp])[] = [
  [["--host", "a b"], /--host: "a b" is neither/],
  [["--host", "localhost,"], /--host: "" is neither/],
  [["--host", "1.2.3.4.5"], /--host: "1.2.3.4.5" is neither/],
  [["--days", "0"], /--days must be a whole number from 1 to 3650, not "0"/],
  [["--days", "soon"], /not "soon"/],
  [["--client", " "], /--client must have/],
  [["more"], /Unexpected argument "more"/],
];

for (const [args, expected] of WRONG) {
  test(`hawser certificates ${args.join(" ")} is not understood, and writes nothing`, async () => {
    const out = join(folder, "wrong");
    const { code, stderr } = await hawser(["certificates", "--out", out, ...args]);
    assertEquals(code, 2);
    assertMatch(stderr, expected);
    assertEquals(existsSync(out), false);
  });
}

test("a folder that cannot be made says so in a line", async () => {
  const inFile = join(folder, "file");
  writeFileSync(inFile, "");
  const { code, stderr } = await hawser(["certificates", "--out", join(inFile, "x")]);
  assertEquals(code, 1);
  assertMatch(stderr, /^hawser: Cannot write to .*\n$/);
});
