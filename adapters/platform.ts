/**
 * What `#platform` resolves to on Node, Deno and Bun: the host and the transports of contexts that name no
 * others.
 *
 * The core must not import an adapter, so it imports this module by that name, which the manifests map to a
 * file. A build for another platform maps it to another file, with a condition in the `imports` of
 * package.json. Loading the module has no side effects.
 *
 * @module
 */

import { lineOf } from "../src/inspect_line.ts";
import type { Platform } from "../src/ports.ts";
import { inproc, listening } from "../src/socket/features.ts";
import { TRANSPORT_OPTIONS } from "../src/socket/transport_checks.ts";
import { parseEndpoint } from "../src/socket/endpoint.ts";
import { detectHost, loadAdapter } from "./detect.ts";

/** The host and the transports of Node, Deno and Bun. */
export const platform: Platform = {
  createHost: detectHost,
  loadAdapter,
  schemes: ["tcp", "ipc", "tls", "ws", "wss", "worker"],
  // In the package's bundle this module and that of the features import each other.
  get features() {
    return { inproc, listening };
  },
  get transportOptions() {
    return TRANSPORT_OPTIONS;
  },
  get lineOf() {
    return lineOf;
  },
  checkEndpoint: parseEndpoint,
};
