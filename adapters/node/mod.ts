/**
 * Node's adapter: TCP and unix sockets over `node:net`. It runs on Deno and Bun as well, which have faster
 * adapters of their own.
 *
 * @module
 */

import * as net from "node:net";
import type { Adapter } from "../../src/ports.ts";
import { host } from "../shared_host.ts";
import { webSocketTransport } from "../websocket/mod.ts";
import { nodeIpc } from "./ipc.ts";
import { nodeTcp } from "./tcp.ts";
import type { NodeNet } from "./types.ts";

const module = (): NodeNet => net as unknown as NodeNet;

const tcp = nodeTcp(module);

/** The adapter of Node. */
export const nodeAdapter: Adapter = {
  name: "node",
  host,
  transports: new Map([["tcp", tcp], ["ws", webSocketTransport("ws", tcp, host)], ["ipc", nodeIpc(module)]]),
};
