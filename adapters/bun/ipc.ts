/**
 * Unix sockets over `Bun.connect` and `Bun.listen`.
 *
 * @module
 */

import type { TransportFactory } from "../../src/ports.ts";
import { ipcTransport } from "../ipc.ts";
import { BunAccepting, bunListener, dialBun, listenBun } from "./dial.ts";

/** The `ipc` transport of Bun. */
export const bunIpc: TransportFactory = ipcTransport({
  dial: (path, setup) => dialBun(() => Promise.resolve([{ unix: path }]), setup),
  listen: async (path, { kind, accept }) =>
    await Promise.resolve(listenBun({ unix: path }, new BunAccepting(kind, accept))),
  listener: bunListener,
});
