/**
 * Bun's adapter: TCP and unix sockets over `Bun.connect` and `Bun.listen`. For Bun 1.4.2 and later.
 *
 * @module
 */

import type { Adapter } from "../../src/ports.ts";
import { host } from "../shared_host.ts";
import { workerTransport } from "../worker/mod.ts";
import { bunIpc } from "./ipc.ts";
import { bunTcp } from "./tcp.ts";

/** The adapter of Bun. */
export const bunAdapter: Adapter = {
  name: "bun",
  host,
  transports: new Map([["tcp", bunTcp], ["ipc", bunIpc], ["worker", workerTransport]]),
};
