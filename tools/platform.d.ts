/**
 * `#platform` for the purity gate, which compiles `src/` without the adapters.
 *
 * @module
 */

import type { Platform } from "../src/ports.ts";

export declare const platform: Platform;
