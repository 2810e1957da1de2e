import { test } from "node:test";
import { candidates } from "./support.ts";
import { transportSuite } from "../../testing/transport_suite.ts";
import { testCertificates } from "../support/certificates.ts";

const { server, authority } = await testCertificates();

for (const { label, factory } of await candidates("tls")) {
  transportSuite(test, label, {
    factory,
    address: () => "tls://127.0.0.1:*",
    options: {
      tls: { certificate: server.certificate, key: server.key, authorities: authority.certificate },
    },
  });
}
