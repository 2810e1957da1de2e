/**
 * TCP over `Bun.connect` and `Bun.listen`. Bun chooses the backlog itself (512).
 *
 * @module
 */

import type { Dial, Listen, StreamOptions, TransportFactory, TransportInfo } from "../../src/ports.ts";
import { formatTcpEndpoint, parseTcpEndpoint, type TcpEndpoint } from "../../src/socket/endpoint.ts";
import { bindHost, connectHosts } from "../addresses.ts";
import { builtin } from "../builtin.ts";
import type { SocketKind } from "../ipc.ts";
import { nodeTcp, setTcpOptions } from "../node/tcp.ts";
import { BunAccepting, bunListener, dialBun, listenBun } from "./dial.ts";
import type { BunSocket } from "./types.ts";
import { bindError } from "../system_errors.ts";

/** Bun's own API cannot choose a source address; its `node:net` can. */
const viaNode: TransportFactory = nodeTcp(() => builtin("node:net"));

/** The `tcp` transport of Bun. */
export const bunTcp: TransportFactory = {
  dial: (address, options) => {
    const endpoint = parseTcpEndpoint(address, "connect");
    return endpoint.source === undefined ? dialTcp(endpoint, options) : viaNode.dial(address, options);
  },
  listen: (address, options) => {
    parseTcpEndpoint(address, "bind");
    return listenTcp(options);
  },
};

function dialTcp(endpoint: TcpEndpoint, options: StreamOptions): Dial {
  const targets = async () => {
    const hosts = await connectHosts(endpoint, options);
    return hosts.map((hostname) => ({ hostname, port: endpoint.port }));
  };
  return dialBun(targets, { kind: tcpKind(options), text: endpoint.text, options });
}

function listenTcp(options: StreamOptions): Listen {
  // Asynchronous, so that what Bun.listen throws becomes a rejection. Bun does not report failed accepts.
  return async (address, accept) => {
    const endpoint = parseTcpEndpoint(address, "bind");
    const hostname = bindHost(endpoint, address, options);
    const accepting = new BunAccepting(tcpKind(options), accept);
    try {
      const listener = await Promise.resolve(listenBun({ hostname, port: endpoint.port }, accepting));
      return bunListener(listener, formatTcpEndpoint(hostname, listener.port));
    } catch (cause) {
      throw bindError(cause, address);
    }
  };
}

function tcpKind(options: StreamOptions): SocketKind<BunSocket> {
  return { describe, prepare: (socket) => setTcpOptions(socket, options) };
}

function describe(socket: BunSocket): TransportInfo {
  return {
    localAddress: formatTcpEndpoint(socket.localAddress ?? "0.0.0.0", socket.localPort ?? 0),
    remoteAddress: formatTcpEndpoint(socket.remoteAddress ?? "0.0.0.0", socket.remotePort ?? 0),
  };
}
