import { test } from "node:test";
import { detectRuntime, loadAdapter } from "../../../adapters/detect.ts";
import { type WebSocketListener, webSocketListener } from "../../../adapters/http/mod.ts";
import { memoryTransport } from "../../../adapters/memory/mod.ts";
import { webSocketTransport } from "../../../adapters/websocket/mod.ts";
import { host } from "../../../adapters/shared_host.ts";
import type { TransportFactory } from "../../../src/ports.ts";
import { transportSuite } from "../../../testing/transport_suite.ts";
import { testCertificates } from "../../support/certificates.ts";
import { hasWebServer, serveWeb, type WebServer } from "../../support/web_servers.ts";
import { zmtpTunnel } from "../../support/zmtp_tunnel.ts";
import { factoryOf } from "../support.ts";

// What travels over ws and wss is ZMTP, so the suite's bytes go as messages. A WebSocket closes in both directions at
// once (RFC 6455 §7.1.1).

const adapter = await loadAdapter();
const ws = factoryOf(adapter, "ws");

transportSuite(test, "ws", {
  factory: zmtpTunnel(ws),
  address: () => "ws://127.0.0.1:*/path",
  halfClose: false,
});

const { server, authority } = await testCertificates();

transportSuite(test, "wss", {
  factory: zmtpTunnel(factoryOf(adapter, "wss")),
  address: () => "wss://127.0.0.1:*/path",
  options: {
    tls: { certificate: server.certificate, key: server.key, authorities: authority.certificate },
  },
  halfClose: false,
});

// Nothing in it depends on the runtime.
if (detectRuntime() === "node") {
  transportSuite(test, "ws over memory", {
    factory: zmtpTunnel(webSocketTransport("ws", numbered(memoryTransport()), host)),
    address: () => "ws://127.0.0.1:*/path",
    halfClose: false,
  });
}

if (hasWebServer) {
  transportSuite(test, `ws at the web server of ${detectRuntime()}`, {
    factory: zmtpTunnel(served(ws)),
    address: () => "ws://127.0.0.1:*/path",
    halfClose: false,
    // A link that cannot pause lets its peer have a window of 4 MiB under way.
    slackBytes: 8 * 1_048_576,
  });

  test("the web servers stop", async () => {
    for (const { web, server } of servers.values()) {
      web.close();
      await server.stop();
    }
  });
}

/** Names of memory that look like ports of TCP. */
function numbered(memory: TransportFactory): TransportFactory {
  const name = (address: string): string => {
    const port = address.slice(address.lastIndexOf(":") + 1);
    return `memory://${port === "0" ? "*" : port}`;
  };
  return {
    dial: (address, options) => memory.dial(name(address), options),
    listen: (address, options) => {
      const listen = memory.listen(name(address), options);
      return async (accept, failed) => {
        const listener = await listen(accept, failed);
        return { ...listener, address: `tcp://127.0.0.1:${listener.address.slice("memory://".length)}` };
      };
    },
  };
}

/** Servers by port. Deno's keep their ports until all connections are closed, so they stay until the end. */
const servers = new Map<number, { readonly web: WebSocketListener; readonly server: WebServer }>();

/** Listens at servers: at one that has the port, or at a new one. */
function served(factory: TransportFactory): TransportFactory {
  return {
    dial: (address, options) => factory.dial(address, options),
    listen: (address, options) => {
      // The transport finds fault with the address.
      factory.listen(address, options);
      const port = Number(/:([0-9]+)\//.exec(address)?.[1] ?? 0);
      return async (accept, failed) => {
        const { web, server } = servers.get(port) ?? newServer();
        const listener = await factory.listen(`ws://${web.name}/path`, options)(accept, failed);
        return { ...listener, address: `ws://127.0.0.1:${server.port}/path` };
      };
    },
  };
}

function newServer(): { readonly web: WebSocketListener; readonly server: WebServer } {
  const web = webSocketListener({ name: `suite-${servers.size}` });
  const server = serveWeb(web);
  servers.set(server.port, { web, server });
  return { web, server };
}
