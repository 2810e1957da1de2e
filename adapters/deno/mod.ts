/**
 * Deno's adapter: TCP and unix sockets over `Deno.connect` and `Deno.listen`, TLS over `node:tls`.
 *
 * @module
 */

import type { Adapter } from "../../src/ports.ts";
import { host } from "../shared_host.ts";
import { workerTransport } from "../worker/mod.ts";
import { webSocketTransport } from "../websocket/mod.ts";
import { denoIpc } from "./ipc.ts";
import { denoTcp } from "./tcp.ts";
import { denoTls } from "./tls.ts";

/** The adapter of Deno. */
export const denoAdapter: Adapter = {
  name: "deno",
  host,
  transports: new Map([
    ["tcp", denoTcp],
    ["ipc", denoIpc],
    ["tls", denoTls],
    ["ws", webSocketTransport("ws", denoTcp, host)],
    ["wss", webSocketTransport("wss", denoTls, host)],
    ["worker", workerTransport],
  ]),
};
