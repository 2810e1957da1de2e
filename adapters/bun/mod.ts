/**
 * Bun's adapter: TCP and unix sockets over `Bun.connect` and `Bun.listen`, TLS over `node:tls`. For Bun
 * 1.4.2 and later.
 *
 * @module
 */

import type { Adapter } from "../../src/ports.ts";
import { host } from "../shared_host.ts";
import { workerTransport } from "../worker/mod.ts";
import { webSocketTransport } from "../websocket/mod.ts";
import { bunIpc } from "./ipc.ts";
import { bunTcp } from "./tcp.ts";
import { bunTls } from "./tls.ts";

/** The adapter of Bun. */
export const bunAdapter: Adapter = {
  name: "bun",
  host,
  transports: new Map([
    ["tcp", bunTcp],
    ["ipc", bunIpc],
    ["tls", bunTls],
    ["ws", webSocketTransport("ws", bunTcp, host)],
    ["wss", webSocketTransport("wss", bunTls, host)],
    ["worker", workerTransport],
  ]),
};
