/**
 * The one host that the adapters themselves use, for time-outs and deferred calls.
 *
 * @module
 */

import type { Host } from "../src/ports.ts";
import { createHost } from "./host.ts";

/** The host that all adapters of a process share. */
export const host: Host = createHost();
