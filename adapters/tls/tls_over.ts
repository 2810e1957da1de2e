/**
 * TLS over the `tcp` transport of a runtime whose `node:tls` must not read from a socket by itself.
 *
 * @module
 */

import type { TransportFactory } from "../../src/ports.ts";
import { DuplexWire } from "./duplex_wire.ts";
import { tlsTransport } from "./transport.ts";

/** Returns the `tls` transport over `tcp`. */
export function tlsOver(tcp: TransportFactory): TransportFactory {
  return tlsTransport({
    tellsRequests: false,
    demands: false,
    // The deadline for opening is that of the whole handshake, which the caller keeps.
    connect: ({ text }, options) =>
      new DuplexWire(tcp.dial(tcpAddress(text), { ...options, connectTimeoutMs: 0 })),
    listen: ({ text }, options, accept, failed) =>
      tcp.listen(tcpAddress(text), options)(
        (attach) => accept(() => new DuplexWire(attach)),
        failed,
      ),
  });
}

function tcpAddress(text: string): string {
  return `tcp://${text.substring("tls://".length)}`;
}
