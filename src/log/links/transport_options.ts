/**
 * The options of a log or broker that its sockets hand to their transports.
 *
 * @module
 */

import type { SocketOptions } from "../../socket/options.ts";
import type { TlsOptions, WebSocketOptions } from "../../transport_options.ts";

/** Certificates, and who may connect over WebSockets. */
export interface LinkOptions {
  readonly tls?: TlsOptions | undefined;
  readonly webSocket?: WebSocketOptions | undefined;
}

/** Returns those that were given, as options of a socket. */
export function transportOptions({ tls, webSocket }: LinkOptions): Pick<SocketOptions, "tls" | "webSocket"> {
  return { ...(tls === undefined ? {} : { tls }), ...(webSocket === undefined ? {} : { webSocket }) };
}
