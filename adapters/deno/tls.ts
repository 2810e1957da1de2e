/**
 * TLS on Deno: its `node:tls` over its own TCP. Deno's native TLS shows no certificates of clients and cannot
 * renew a certificate, and its `node:tls` over `node:net` reads on while it is paused.
 *
 * @module
 */

import type { TransportFactory } from "../../src/ports.ts";
import { tlsOver } from "../tls/tls_over.ts";
import { denoTcp } from "./tcp.ts";

/** The `tls` transport of Deno. */
export const denoTls: TransportFactory = tlsOver(denoTcp);
