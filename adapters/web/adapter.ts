/**
 * The adapter of pages and workers, for ws and wss over the standard `WebSocket`. Node 22, Deno and Bun have
 * that global, too.
 *
 * @module
 */

import type { Adapter } from "../../src/ports.ts";
import { createWebHost } from "./host.ts";
import { webTransport } from "./transport.ts";

/** Makes the adapter: a host of its own, and ws and wss. */
export function webAdapter(): Adapter {
  const transport = webTransport();
  return { name: "web", host: createWebHost(), transports: new Map([["ws", transport], ["wss", transport]]) };
}
