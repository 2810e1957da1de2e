/**
 * Unix sockets over `node:net`.
 *
 * @module
 */

import type { TransportFactory } from "../../src/ports.ts";
import { ipcTransport } from "../ipc.ts";
import { dialSocket, listenServer, serverListener } from "./dial.ts";
import type { NodeNet } from "./types.ts";

/** Returns the `ipc` transport over a `node:net` module, which is loaded on first use. */
export function nodeIpc(net: () => NodeNet): TransportFactory {
  return ipcTransport({
    dial: (path, setup) => (handlers) => dialSocket(net(), { path }, setup)(handlers),
    listen: (path, setup) => {
      const { backlog } = setup.options;
      return listenServer(net(), { path, ...(backlog === undefined ? {} : { backlog }) }, setup);
    },
    listener: serverListener,
  });
}
