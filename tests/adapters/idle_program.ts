// A program for the tests: opens a stream, gives up every hold on the process, and must then end by itself. What is
// printed on the way shows that `keepAlive` held it before.
import { loadAdapter } from "../../adapters/detect.ts";
import type { Transport } from "../../src/ports.ts";
import { testCertificates } from "../support/certificates.ts";

const { host, transports } = await loadAdapter();
const [, , scheme = "tcp"] = process.argv;
const factory = transports.get(scheme);
if (factory === undefined) throw new Error(`no ${scheme}`);

const { authority, server } = await testCertificates();
const tls = { certificate: server.certificate, key: server.key, authorities: authority.certificate };

const ignored = { data: () => {}, drain: () => {}, end: () => {}, close: () => {} };
const streams: Transport[] = [];
const accepted = new Promise<void>((resolve) => {
  const accept = factory.listen(`${scheme}://127.0.0.1:*`, { tls })((attach) => {
    streams.push(attach({ ...ignored, open: () => resolve() }));
  }, () => {});
  void accept.then((listener) => {
    streams.push(factory.dial(listener.address, { tls })({ ...ignored, open: () => {} }));
    listener.setReferenced?.(false);
  });
});
await accepted;
for (const stream of streams) stream.setReferenced?.(false);

host.keepAlive(true);
// This timer alone would not keep the process, so it runs only if the line above does.
host.schedule(50, () => {
  console.log("held");
  host.keepAlive(false);
  host.schedule(600_000, () => {}, false);
}, false);
