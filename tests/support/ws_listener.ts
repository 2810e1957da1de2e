/**
 * A listener for WebSockets over Node's TCP, which runs on Node, Deno and Bun: what a page or a native
 * WebSocket connects to in tests.
 *
 * @module
 */

import { detectHost } from "../../adapters/detect.ts";
import { nodeAdapter } from "../../adapters/node/mod.ts";
import type { TransportFactory } from "../../src/ports.ts";
import { bridgeStream } from "../../src/websocket/stream_bridge.ts";
import { ServerUpgrade } from "../../src/websocket/upgrade/server.ts";

/** Listens only. `origins`: pages that may connect. */
export function wsListener(origins: "*" | readonly string[] = "*"): TransportFactory {
  const tcp = nodeAdapter.transports.get("tcp")!;
  const host = detectHost();
  return {
    dial() {
      throw new Error("This transport only listens");
    },
    listen: (address, options) => (accept, failed) => {
      const { hostname, port, pathname } = new URL(address);
      const setup = {
        role: "server",
        frameBytesMax: options.frameBytesMax ?? Number.MAX_SAFE_INTEGER,
        pingIntervalMs: 25_000,
        host,
      } as const;
      const policy = {
        protocols: ["ZWS2.0/NULL", "ZWS2.0.NULL", "ZWS2.0"],
        webSocket: { allowOrigins: origins, allowHosts: "*" },
        loopback: true,
      } as const;
      const listening = tcp.listen(`tcp://${hostname}:${port || 0}`, {})((attach) => {
        const upgrade = new ServerUpgrade({
          scheme: "ws",
          endpoint: address,
          policyOf: (path) => path === pathname ? policy : undefined,
        });
        accept(bridgeStream(attach, upgrade, setup));
      }, failed);
      return listening.then((listener) => ({
        address: listener.address.replace("tcp:", "ws:") + (pathname === "/" ? "" : pathname),
        close: () => listener.close(),
        setReferenced: (on) => listener.setReferenced?.(on),
      }));
    },
  };
}
