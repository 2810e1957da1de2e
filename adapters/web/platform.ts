/**
 * What `#platform` resolves to in browsers: the host and the transports of a page or worker. Bundlers choose
 * this file by the condition `browser`; see adapters/platform.ts.
 *
 * @module
 */

import { isPlainObject } from "../../src/arguments.ts";
import type { Platform } from "../../src/ports.ts";
import { TIMER_MAX, wholeNumber } from "../../src/socket/call_options.ts";
import { webAdapter } from "./adapter.ts";
import { createWebHost } from "./host.ts";

const PING_INTERVAL = wholeNumber("milliseconds", 0, TIMER_MAX);

/** The host and the transports of a browser. */
export const platform: Platform = {
  createHost: createWebHost,
  loadAdapter: webAdapter,
  schemes: ["ws", "wss"],
  features: {},
  transportOptions: {
    // The browser has its own certificates, and those who listen theirs: what concerns neither is ignored.
    tls: { allowed: "an object", allows: isPlainObject },
    webSocket: {
      allowed: `an object; pingIntervalMs: ${PING_INTERVAL.allowed}`,
      allows: (value) => isPlainObject(value) && PING_INTERVAL.allows(value["pingIntervalMs"] ?? 0),
    },
  },
};
