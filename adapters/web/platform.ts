/**
 * What `#platform` resolves to in browsers: the host and the transports of a page or worker. Bundlers choose
 * this file by the condition `browser`; see adapters/platform.ts.
 *
 * @module
 */

import type { Platform } from "../../src/ports.ts";
import { webAdapter } from "./adapter.ts";
import { createWebHost } from "./host.ts";

/** The host and the transports of a browser. */
export const platform: Platform = {
  createHost: createWebHost,
  loadAdapter: webAdapter,
  schemes: ["ws", "wss"],
  features: {},
};
