/**
 * What every accepting side does alike: offers a stream that came in, and turns it away if nobody attaches to
 * it in time.
 *
 * @module
 */

import type { Accept, Dial, Transport, TransportHandlers } from "../../src/ports.ts";
import { host } from "../shared_host.ts";
import { refusedStream } from "../system_errors.ts";

/**
 * Offers an accepted stream to the core. `dial` attaches handlers to it. If the core does not attach before
 * `accept` returns, it refuses the stream: `refuse` is called and closes it. Whoever attaches later, or a
 * second time, gets a stream that closes with a cause.
 *
 * @example
 * ```ts ignore
 * server.on("connection", (socket) => {
 *   offer(accept, fromDuplex(socket, { localAddress, remoteAddress }), () => socket.destroy());
 * });
 * ```
 */
export function offer(accept: Accept, dial: Dial, refuse: () => void): void {
  let state: "offered" | "attached" | "over" = "offered";
  const attach = (handlers: TransportHandlers): Transport => {
    if (state !== "offered") return failedDial(refusedStream())(handlers);
    state = "attached";
    return dial(handlers);
  };
  try {
    accept(attach);
  } finally {
    if (state === "offered") {
      state = "over";
      refuse();
    }
  }
}

/** Returns a `Dial` whose streams close with `cause` and never open: nobody listens there. */
export function failedDial(cause: unknown): Dial {
  return (handlers) => {
    let closed = false;
    const close = (why?: unknown): void => {
      if (closed) return;
      closed = true;
      handlers.close(why);
    };
    host.microtask(() => close(cause));
    return { write: () => false, setPaused: () => true, close: () => host.microtask(close) };
  };
}
