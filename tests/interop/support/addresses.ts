/**
 * Endpoints that nobody else uses.
 *
 * @module
 */

import { tmpdir } from "node:os";
import process from "node:process";

/** The built-in transports. */
export type Scheme = "tcp" | "ipc" | "inproc" | "tls" | "ws" | "wss" | "worker";

/** Those that libzmq has, too. */
export const SCHEMES: readonly Scheme[] = ["tcp", "ipc", "inproc"];

/** The others. */
export const WEB_SCHEMES: readonly Scheme[] = ["tls", "ws", "wss", "worker"];

let names = 0;

/** An endpoint to bind. `lastEndpoint` tells what to connect to. */
export function freshAddress(scheme: Scheme): string {
  names += 1;
  switch (scheme) {
    case "tcp":
      return "tcp://127.0.0.1:*";
    case "ipc":
      return `ipc://${tmpdir()}/hawser-test-${process.pid}-${names}`;
    case "tls":
      return "tls://127.0.0.1:*";
    case "ws":
    case "wss":
      return `${scheme}://127.0.0.1:*/test`;
    case "inproc":
    case "worker":
      return `${scheme}://test-${names}`;
  }
}
