/**
 * Deno's adapter: TCP and unix sockets over `Deno.connect` and `Deno.listen`.
 *
 * @module
 */

import type { Adapter } from "../../src/ports.ts";
import { host } from "../shared_host.ts";
import { workerTransport } from "../worker/mod.ts";
import { denoIpc } from "./ipc.ts";
import { denoTcp } from "./tcp.ts";

/** The adapter of Deno. */
export const denoAdapter: Adapter = {
  name: "deno",
  host,
  transports: new Map([["tcp", denoTcp], ["ipc", denoIpc], ["worker", workerTransport]]),
};
