import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { webSocketListener } from "../../../adapters/http/mod.ts";
import { Pair } from "../../../mod.ts";
import { within } from "../../interop/support/deadline.ts";
import { testCertificates } from "../../support/certificates.ts";
import { hasWebServer, serveWeb } from "../../support/web_servers.ts";

// An application that does not receive is not a peer that is gone: PINGs cannot reach it, so it sends signs of
// life by itself, whatever the carrier.

const HEARTBEATS = { heartbeatInterval: 50, heartbeatTimeout: 500 };
const MARKS = { receiveHighWaterMark: 2, sendHighWaterMark: 2, linger: 0 };
const PINGS_MS = 200;
/** How long nobody receives. */
const STILL_MS = 1_300;

const { server, authority } = await testCertificates();
const tls = { certificate: server.certificate, key: server.key, authorities: authority.certificate };

for (const scheme of ["ws", "wss"]) {
  test(`${scheme}: a peer that sends PINGs keeps one that stands still, whoever connected`, async () => {
    await Promise.all(["connects", "binds"].map(async (role) => {
      await using sender = new Pair({ ...MARKS, ...HEARTBEATS, tls });
      await using still = new Pair({ ...MARKS, tls });
      if (role === "connects") still.connect(await sender.bind(`${scheme}://127.0.0.1:*`));
      else sender.connect(await still.bind(`${scheme}://127.0.0.1:*`));
      await assertKept(sender, still);
    }));
  });
}

// node:http gives us its streams, as a listener of our own has them.
const skip = hasWebServer ? false : "no web server that switches by itself";

test("a web server keeps a client that stands still, also if both send PINGs", { skip }, async () => {
  const web = webSocketListener({ name: "pause" });
  const { port, stop } = serveWeb(web);
  try {
    await Promise.all([{}, HEARTBEATS].map(async (heartbeats, index) => {
      await using sender = new Pair({ ...MARKS, ...HEARTBEATS });
      await using still = new Pair({ ...MARKS, ...heartbeats });
      await sender.bind(`ws://${web.name}/${index}`);
      still.connect(`ws://127.0.0.1:${port}/${index}`);
      await assertKept(sender, still);
    }));
  } finally {
    web.close();
    await within(stop(), "the server to stop");
  }
});

/** Sends until nothing goes any more, waits, and receives everything. */
async function assertKept(sender: Pair, still: Pair): Promise<void> {
  const lost: unknown[] = [];
  for (const socket of [sender, still]) {
    for (const type of ["disconnect", "drop"] as const) {
      socket.events.on(type, ({ error }) => lost.push(error?.message ?? type));
    }
  }
  await within(sender.ready(), "the handshake");
  // A few PINGs go to and fro before anything stands still.
  await still.receive({ timeoutMs: PINGS_MS }).catch(() => {});
  const body = new Uint8Array(20_000);
  let sent = 0;
  const writable = (): Promise<boolean> =>
    sender.waitWritable({ timeoutMs: STILL_MS }).then(() => true, () => false);
  do {
    while (sender.trySend(body)) sent++;
  } while (await writable());
  for (let i = 0; i < sent; i++) await within(still.receive(), `message ${i} of ${sent}`);
  assertEquals(lost, []);
}
