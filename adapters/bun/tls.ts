/**
 * TLS on Bun, over its `node:net` and `node:tls`: its own API cannot renew a certificate.
 *
 * @module
 */

import type { TransportFactory } from "../../src/ports.ts";
import { builtin } from "../builtin.ts";
import { nodeTls } from "../node/tls.ts";

/** The `tls` transport of Bun. */
export const bunTls: TransportFactory = nodeTls(() => builtin("node:net"));
