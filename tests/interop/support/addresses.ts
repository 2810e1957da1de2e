/**
 * Endpoints that nobody else uses.
 *
 * @module
 */

import { tmpdir } from "node:os";
import process from "node:process";

/** The built-in transports. */
export type Scheme = "tcp" | "ipc" | "inproc";

export const SCHEMES: readonly Scheme[] = ["tcp", "ipc", "inproc"];

let names = 0;

/** An endpoint to bind. `lastEndpoint` tells what to connect to. */
export function freshAddress(scheme: Scheme): string {
  names += 1;
  switch (scheme) {
    case "tcp":
      return "tcp://127.0.0.1:*";
    case "ipc":
      return `ipc://${tmpdir()}/hawser-test-${process.pid}-${names}`;
    case "inproc":
      return `inproc://test-${names}`;
  }
}
