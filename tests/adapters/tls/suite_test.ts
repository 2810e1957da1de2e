import { test } from "node:test";
import { detectRuntime } from "../../../adapters/detect.ts";
import { candidates } from "../support.ts";
import { transportSuite } from "../../../testing/transport_suite.ts";
import { testCertificates } from "../../support/certificates.ts";

const { server, authority } = await testCertificates();

// On Bun both adapters have the same.
const tested = (await candidates("tls")).slice(0, detectRuntime() === "bun" ? 1 : 2);

for (const { label, factory } of tested) {
  transportSuite(test, label, {
    factory,
    address: () => "tls://127.0.0.1:*",
    options: {
      tls: { certificate: server.certificate, key: server.key, authorities: authority.certificate },
    },
  });
}
