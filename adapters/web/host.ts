/**
 * The host of a page or worker: standard globals, and nothing of any runtime.
 *
 * @module
 */

import type { Host } from "../../src/ports.ts";
import { createStandardHost, STANDARD_CLOCKS } from "../standard_host.ts";
import { webWakes } from "./wakes.ts";

/** Creates a host. Each context has its own. */
export function createWebHost(): Host {
  const wakes = webWakes();
  return { ...createStandardHost(STANDARD_CLOCKS), ...(wakes === undefined ? {} : { wakes }) };
}
