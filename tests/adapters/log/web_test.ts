import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { connectLog, LogError, startBroker } from "../../../log.ts";
import type { PeerError } from "../../../mod.ts";
import { freshAddress } from "../../interop/support/addresses.ts";
import { within } from "../../interop/support/deadline.ts";
import { testCertificates } from "../../support/certificates.ts";

// The log over encrypted and web transports: the same as over TCP.

const { authority, server, renewedServer, otherAuthority } = await testCertificates();
const SERVER_TLS = { certificate: server.certificate, key: server.key };
const CLIENT_TLS = { authorities: authority.certificate };
const RECORDS = 2_000;
const LARGE_BYTES = 600_000;

for (const scheme of ["tls", "ws", "wss"] as const) {
  test(`records of a topic arrive whole and in order over ${scheme}, published and read by two clients`, async () => {
    await using broker = await startBroker({ listen: [freshAddress(scheme)], tls: SERVER_TLS });
    await using writer = await connectLog(broker.endpoints, { tls: CLIENT_TLS });
    await using reader = await connectLog(broker.endpoints, { tls: CLIENT_TLS });
    const publisher = writer.publisher("t");
    const bytesOf = (index: number): number => index % 500 === 499 ? LARGE_BYTES : 100;
    const published = Array.from(
      { length: RECORDS },
      (_, index) => publisher.publish(new Uint8Array(bytesOf(index)).fill(index)),
    );
    let index = 0;
    for await (const { position, value } of reader.subscribe("t", { from: "earliest" })) {
      assertEquals(position, BigInt(index));
      assertEquals(value.length, bytesOf(index));
      assertEquals(value.every((byte) => byte === index % 256), true, `record ${index}`);
      if (++index === RECORDS) break;
    }
    const positions = await within(Promise.all(published), "all acknowledgements");
    assertEquals(positions.at(-1)!.position, BigInt(RECORDS - 1));
  });
}

test("a client of a log that does not trust its broker is told so, and one that does is not kept out", async () => {
  await using broker = await startBroker({ listen: [freshAddress("wss")], tls: SERVER_TLS });
  const error = await assertRejects(
    () =>
      connectLog(broker.endpoints, {
        tls: { authorities: otherAuthority.certificate },
        connectTimeoutMs: 300,
      }),
    LogError,
  );
  assertEquals([error.code, (error.cause as PeerError).code], [
    "ERR_LOG_DISCONNECTED",
    "ERR_CERTIFICATE_UNKNOWN",
  ]);
  await using log = await connectLog(broker.endpoints, { tls: CLIENT_TLS });
  assertEquals((await log.publisher("t").publish("a")).position, 0n);
});

test("a broker renews its certificate while its clients go on", async () => {
  await using broker = await startBroker({ listen: [freshAddress("tls")], tls: SERVER_TLS });
  await using before = await connectLog(broker.endpoints, { tls: CLIENT_TLS });
  await before.publisher("t").publish("a");
  await broker.renewTls({ certificate: renewedServer.certificate, key: renewedServer.key });
  await using after = await connectLog(broker.endpoints, { tls: CLIENT_TLS });
  assertEquals((await after.publisher("t").publish("b")).position, 1n);
  assertEquals((await before.publisher("t").publish("c")).position, 2n);
});
