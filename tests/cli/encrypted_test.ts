import { after, test } from "node:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals, assertMatch } from "@std/assert";
import { start } from "./command_line.ts";

// What `hawser certificates` makes is what a broker on wss and its clients need.

const folder = mkdtempSync(join(tmpdir(), "hawser-cli-encrypted-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const pem = (name: string): string => join(folder, `${name}.pem`);

test("a broker listens on wss with certificates of its own making, and its clients trust no other", async () => {
  const made = await start(["certificates", "--out", folder]).ending;
  assertEquals([made.code, made.stderr], [0, ""]);
  const broker = start(["broker", "--listen", "wss://127.0.0.1:0/log"], {
    env: { HAWSER_TLS_CERTIFICATE_FILE: pem("server"), HAWSER_TLS_KEY_FILE: pem("server-key") },
  });
  const [, endpoint = ""] = await broker.see(/ready on (wss:\S+\/log),/);
  const to = ["--connect", endpoint, "--tls-authorities-file", pem("authority")];
  const published = await start(["publish", "t", ...to], { stdin: "one\ntwo\n" }).ending;
  assertEquals(published.code, 0, published.stderr);
  const read = await start(["subscribe", "t", "--from", "earliest", "--count", "2", ...to]).ending;
  assertEquals([read.code, read.stdout], [0, "one\ntwo\n"], read.stderr);
  broker.signal("SIGTERM");
  assertEquals((await broker.ending).code, 0);
});

test("a broker without a certificate, or with a key that does not fit, says so and does not listen", async () => {
  const listen = ["broker", "--listen", "tls://127.0.0.1:0"];
  for (
    const args of [[], ["--tls-certificate-file", pem("server"), "--tls-key-file", pem("client-key")], [
      "--tls-certificate-file",
      pem("nothing"),
      "--tls-key-file",
      pem("server-key"),
    ]]
  ) {
    const { code, stdout, stderr } = await start([...listen, ...args]).ending;
    assertEquals([code === 0, stdout], [false, ""], stderr);
    assertMatch(stderr, /Cannot bind tls:.*(certificate|key)/);
  }
});
