/**
 * Deno's adapter: TCP and unix sockets over `Deno.connect` and `Deno.listen`.
 *
 * @module
 */

import type { Adapter } from "../../src/ports.ts";
import { host } from "../shared_host.ts";
import { webSocketTransport } from "../websocket/mod.ts";
import { denoIpc } from "./ipc.ts";
import { denoTcp } from "./tcp.ts";

const tcp = denoTcp;

/** The adapter of Deno. */
export const denoAdapter: Adapter = {
  name: "deno",
  host,
  transports: new Map([["tcp", tcp], ["ws", webSocketTransport("ws", tcp, host)], ["ipc", denoIpc]]),
};
