import { test } from "node:test";
import { transportSuite } from "../../testing/transport_suite.ts";
import { testCertificates } from "../support/certificates.ts";
import { zmtpTunnel } from "../support/zmtp_tunnel.ts";
import { candidates } from "./support.ts";

// What travels over ws and wss is ZMTP, so the suite's bytes go as messages. A WebSocket closes in both directions at
// once (RFC 6455 §7.1.1).

for (const { label, factory } of await candidates("ws")) {
  transportSuite(test, label, {
    factory: zmtpTunnel(factory),
    address: () => "ws://127.0.0.1:*/path",
    halfClose: false,
  });
}

const { server, authority } = await testCertificates();

for (const { label, factory } of await candidates("wss")) {
  transportSuite(test, label, {
    factory: zmtpTunnel(factory),
    address: () => "wss://127.0.0.1:*/path",
    options: {
      tls: { certificate: server.certificate, key: server.key, authorities: authority.certificate },
    },
    halfClose: false,
  });
}
