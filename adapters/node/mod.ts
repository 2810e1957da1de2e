/**
 * Node's adapter: TCP and unix sockets over `node:net`, TLS over `node:tls`. It runs on Deno
 * and Bun as well, which have faster adapters of their own.
 *
 * @module
 */

import * as net from "node:net";
import type { Adapter } from "../../src/ports.ts";
import { detectRuntime } from "../detect.ts";
import { host } from "../shared_host.ts";
import { workerTransport } from "../worker/mod.ts";
import { tlsOver } from "../tls/tls_over.ts";
import { webSocketTransport } from "../websocket/mod.ts";
import { nodeIpc } from "./ipc.ts";
import { nodeTcp } from "./tcp.ts";
import { nodeTls } from "./tls.ts";
import type { NodeNet } from "./types.ts";

const module = (): NodeNet => net as unknown as NodeNet;

const tcp = nodeTcp(module);

/** Elsewhere a socket of `node:tls` may read on while it is paused: see deno/tls.ts. */
const tls = detectRuntime() === "deno" ? tlsOver(nodeTcp(module)) : nodeTls(module);

/** The adapter of Node. */
export const nodeAdapter: Adapter = {
  name: "node",
  host,
  transports: new Map([
    ["tcp", tcp],
    ["ipc", nodeIpc(module)],
    ["tls", tls],
    ["ws", webSocketTransport("ws", tcp, host)],
    ["wss", webSocketTransport("wss", tls, host)],
    ["worker", workerTransport],
  ]),
};
