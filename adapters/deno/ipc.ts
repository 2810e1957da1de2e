/**
 * Unix sockets over `Deno.connect` and `Deno.listen`. Deno requires read, write and net permission for them.
 *
 * @module
 */

import type { TransportFactory } from "../../src/ports.ts";
import { ipcTransport } from "../ipc.ts";
import { acceptConns, dialConn, listenDeno } from "./dial.ts";

/** The `ipc` transport of Deno. */
export const denoIpc: TransportFactory = ipcTransport({
  dial: (path, setup) => dialConn(() => Promise.resolve([{ transport: "unix", path }]), setup),
  listen: (path) => listenDeno({ transport: "unix", path }),
  listener: (bound, address, closed, setup) => acceptConns(bound, setup, { address, closed }),
});
