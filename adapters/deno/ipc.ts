/**
 * Unix sockets over `Deno.connect` and `Deno.listen`. Deno asks for read, write and net permission for them.
 *
 * @module
 */

import type { Dial, Listen, StreamOptions, TransportFactory } from "../../src/ports.ts";
import { type IpcEndpoint, parseIpcEndpoint } from "../../src/socket/endpoint.ts";
import { bindError } from "../system_errors.ts";
import { bindSocketFile, openSocketFile, type SocketFile, socketPath } from "../socket_file.ts";
import { acceptConns, dialConn } from "./dial.ts";
import type { ConnKind } from "./stream.ts";
import { denoApi } from "./types.ts";

/** The `ipc` transport of Deno. */
export const denoIpc: TransportFactory = {
  dial: (address, options) => dialIpc(parseIpcEndpoint(address, "connect"), options),
  listen: (address) => {
    const endpoint = parseIpcEndpoint(address, "bind");
    // Refuses an abstract name where there are none, before anything is begun.
    if (endpoint.ipcKind === "abstract") socketPath(endpoint);
    return listenIpc;
  },
};

function dialIpc(endpoint: IpcEndpoint, options: StreamOptions): Dial {
  const targets = [{ transport: "unix", path: socketPath(endpoint) } as const];
  return dialConn(() => Promise.resolve(targets), {
    kind: ipcKind(endpoint.text),
    text: endpoint.text,
    options,
  });
}

const listenIpc: Listen = async (address, accept, failed) => {
  let file: SocketFile | undefined;
  try {
    const opened = file = openSocketFile(parseIpcEndpoint(address, "bind"));
    const bind = async () =>
      await Promise.resolve(denoApi().listen({ transport: "unix", path: opened.path }));
    const listener = await bindSocketFile(opened, bind);
    const setup = { kind: ipcKind(opened.address), accept, failed };
    return acceptConns(listener, setup, { address: opened.address, closed: opened.remove });
  } catch (cause) {
    file?.remove();
    throw bindError(cause, address);
  }
};

/** A connecting unix socket has no name of its own, so both ends go by that of the listener. */
function ipcKind(address: string): ConnKind {
  return {
    describe: () => ({ localAddress: address, remoteAddress: address }),
    prepare: () => {},
  };
}
