/**
 * Node's adapter: TCP and unix sockets over `node:net`. It runs on Deno and Bun as well, which have faster
 * adapters of their own.
 *
 * @module
 */

import * as net from "node:net";
import type { Adapter } from "../../src/ports.ts";
import { host } from "../shared_host.ts";
import { workerTransport } from "../worker/mod.ts";
import { nodeIpc } from "./ipc.ts";
import { nodeTcp } from "./tcp.ts";
import type { NodeNet } from "./types.ts";

const module = (): NodeNet => net as unknown as NodeNet;

/** The adapter of Node. */
export const nodeAdapter: Adapter = {
  name: "node",
  host,
  transports: new Map([["tcp", nodeTcp(module)], ["ipc", nodeIpc(module)], ["worker", workerTransport]]),
};
