/**
 * TLS over the `tcp` transport of a runtime whose `node:tls` must not read from a socket by itself.
 *
 * @module
 */

import { MisuseError } from "../../src/errors.ts";
import type { Dial, TransportFactory } from "../../src/ports.ts";
import { DuplexWire } from "./duplex_wire.ts";
import { tlsTransport } from "./transport.ts";

/** Returns the `tls` transport over `tcp`. */
export function tlsOver(tcp: TransportFactory): TransportFactory {
  return tlsTransport({
    tellsRequests: false,
    demands: false,
    // The deadline for opening is that of the whole handshake, which the caller keeps.
    connect: ({ text }, options) =>
      new DuplexWire(telling(tcp.dial(tcpAddress(text), { ...options, connectTimeoutMs: 0 }))),
    listen: async ({ text }, options, accept, failed) => {
      const listen = tcp.listen(tcpAddress(text), options);
      try {
        return await listen((attach) => accept(() => new DuplexWire(telling(attach))), failed);
      } catch (cause) {
        throw tlsError(cause);
      }
    },
  });
}

/** Has causes speak of the endpoint that the user knows. */
function telling(dial: Dial): Dial {
  return (handlers) => dial({ ...handlers, close: (cause) => handlers.close(tlsError(cause)) });
}

function tlsError(cause: unknown): unknown {
  if (!(cause instanceof MisuseError)) return cause;
  return new MisuseError(cause.code, cause.message.replaceAll("tcp://", "tls://"), { cause: cause.cause });
}

function tcpAddress(text: string): string {
  return `tcp://${text.substring("tls://".length)}`;
}
