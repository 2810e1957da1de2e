/**
 * What `#platform` stands for on Node, Deno and Bun: the host and the transports of contexts that name no others.
 *
 * The core may not import an adapter, so it imports this module by that name, which the manifests map to a file. A build
 * for another platform is another file, by a condition in the `imports` of package.json. Nothing happens when it is loaded.
 *
 * @module
 */

import type { Platform } from "../src/ports.ts";
import { detectHost, loadAdapter } from "./detect.ts";

/** See the module. */
export const platform: Platform = { createHost: detectHost, loadAdapter, schemes: ["tcp", "ipc"] };
