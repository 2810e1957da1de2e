/**
 * Unix sockets over `node:net`.
 *
 * @module
 */

import type { Dial, Listen, StreamOptions, TransportFactory } from "../../src/ports.ts";
import { type IpcEndpoint, parseIpcEndpoint } from "../../src/socket/endpoint.ts";
import { bindError } from "../system_errors.ts";
import { bindSocketFile, openSocketFile, type SocketFile, socketPath } from "../socket_file.ts";
import { dialSocket, listenServer, serverListener, type SocketKind } from "./dial.ts";
import type { NodeNet } from "./types.ts";

/** The `ipc` transport over a `node:net` module, which is fetched at the first use. */
export function nodeIpc(net: () => NodeNet): TransportFactory {
  return {
    dial: (address, options) => dialIpc(net, parseIpcEndpoint(address, "connect"), options),
    listen: (address, options) => {
      checkIpc(parseIpcEndpoint(address, "bind"));
      return listenIpc(net, options);
    },
  };
}

/** Refuses an abstract name where there are none, before anything is begun. */
function checkIpc(endpoint: IpcEndpoint): void {
  if (endpoint.ipcKind === "abstract") socketPath(endpoint);
}

function dialIpc(net: () => NodeNet, endpoint: IpcEndpoint, options: StreamOptions): Dial {
  const target = { path: socketPath(endpoint) };
  const setup = { kind: ipcKind(endpoint.text), text: endpoint.text, options };
  return (handlers) => dialSocket(net(), target, setup)(handlers);
}

function listenIpc(net: () => NodeNet, options: StreamOptions): Listen {
  return async (address, accept, failed) => {
    let file: SocketFile | undefined;
    try {
      const opened = file = openSocketFile(parseIpcEndpoint(address, "bind"));
      const target = {
        path: opened.path,
        ...(options.backlog === undefined ? {} : { backlog: options.backlog }),
      };
      const setup = { kind: ipcKind(opened.address), accept, failed };
      const server = await bindSocketFile(opened, () => listenServer(net(), target, setup));
      return serverListener(server, opened.address, opened.remove);
    } catch (cause) {
      file?.remove();
      throw bindError(cause, address);
    }
  };
}

/** A connecting unix socket has no name of its own, so both ends go by that of the listener. */
function ipcKind(address: string): SocketKind {
  return {
    describe: () => ({ localAddress: address, remoteAddress: address }),
    prepare: () => {},
  };
}
