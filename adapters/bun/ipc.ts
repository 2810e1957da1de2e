/**
 * Unix sockets over `Bun.connect` and `Bun.listen`.
 *
 * @module
 */

import type { Dial, Listen, StreamOptions, TransportFactory } from "../../src/ports.ts";
import { type IpcEndpoint, parseIpcEndpoint } from "../../src/socket/endpoint.ts";
import { bindError } from "../system_errors.ts";
import { bindSocketFile, openSocketFile, type SocketFile, socketPath } from "../socket_file.ts";
import { BunAccepting, bunListener, dialBun, listenBun } from "./dial.ts";
import type { BunKind } from "./stream.ts";

/** The `ipc` transport of Bun. */
export const bunIpc: TransportFactory = {
  dial: (address, options) => dialIpc(parseIpcEndpoint(address, "connect"), options),
  listen: (address) => {
    const endpoint = parseIpcEndpoint(address, "bind");
    // Refuses an abstract name where there are none, before anything is begun.
    if (endpoint.ipcKind === "abstract") socketPath(endpoint);
    return listenIpc;
  },
};

function dialIpc(endpoint: IpcEndpoint, options: StreamOptions): Dial {
  const targets = [{ unix: socketPath(endpoint) }];
  return dialBun(() => Promise.resolve(targets), {
    kind: ipcKind(endpoint.text),
    text: endpoint.text,
    options,
  });
}

const listenIpc: Listen = async (address, accept) => {
  let file: SocketFile | undefined;
  try {
    const opened = file = openSocketFile(parseIpcEndpoint(address, "bind"));
    const accepting = new BunAccepting(ipcKind(opened.address), accept);
    const bind = async () => await Promise.resolve(listenBun({ unix: opened.path }, accepting));
    const listener = await bindSocketFile(opened, bind);
    return bunListener(listener, opened.address, opened.remove);
  } catch (cause) {
    file?.remove();
    throw bindError(cause, address);
  }
};

/** A connecting unix socket has no name of its own, so both ends go by that of the listener. */
function ipcKind(address: string): BunKind {
  return {
    describe: () => ({ localAddress: address, remoteAddress: address }),
    prepare: () => {},
  };
}
