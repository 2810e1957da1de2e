/**
 * TCP over `Bun.connect` and `Bun.listen`. Bun chooses the backlog itself (512).
 *
 * @module
 */

import type { Dial, Listen, StreamOptions, TransportFactory, TransportInfo } from "../../src/ports.ts";
import { formatTcpEndpoint, parseTcpEndpoint, type TcpEndpoint } from "../../src/socket/endpoint.ts";
import { bindHost, connectHosts, scopeOf, withScope } from "../addresses.ts";
import { builtin } from "../builtin.ts";
import type { SocketKind } from "../ipc.ts";
import { nodeTcp, setTcpOptions } from "../node/tcp.ts";
import { BunAccepting, bunListener, dialBun, listenBun } from "./dial.ts";
import type { BunSocket } from "./types.ts";
import { bindError, connectError } from "../system_errors.ts";

/** Bun's own API cannot choose a source address; its `node:net` can. */
const viaNode: TransportFactory = nodeTcp(() => builtin("node:net"));

/** The `tcp` transport of Bun. */
export const bunTcp: TransportFactory = {
  dial: (address, options) => {
    const endpoint = parseTcpEndpoint(address, "connect");
    return endpoint.source === undefined ? dialTcp(endpoint, options) : viaNode.dial(address, options);
  },
  listen: (address, options) => {
    return listenTcp(parseTcpEndpoint(address, "bind"), options);
  },
};

function dialTcp(endpoint: TcpEndpoint, options: StreamOptions): Dial {
  const targets = async () => {
    const hosts = await connectHosts(endpoint, options);
    return hosts.map((hostname) => ({ hostname, port: endpoint.port }));
  };
  const { host, text } = endpoint;
  const explain = (cause: unknown): unknown => connectError(cause, text);
  return dialBun(targets, { kind: tcpKind(options, scopeOf(host)), text, options, explain });
}

function listenTcp(endpoint: TcpEndpoint, options: StreamOptions): Listen {
  // Asynchronous, so that what Bun.listen throws becomes a rejection. Bun does not report failed accepts.
  return async (accept) => {
    try {
      const hostname = bindHost(endpoint, endpoint.text, options);
      const accepting = new BunAccepting(tcpKind(options, scopeOf(hostname)), accept);
      const listener = await Promise.resolve(listenBun({ hostname, port: endpoint.port }, accepting));
      return bunListener(listener, formatTcpEndpoint(hostname, listener.port));
    } catch (cause) {
      throw bindError(cause, endpoint.text);
    }
  };
}

/** `scope` is that of a link-local address, which Bun does not report. */
function tcpKind(options: StreamOptions, scope: string): SocketKind<BunSocket> {
  return {
    describe: (socket) => describe(socket, scope),
    prepare: (socket) => setTcpOptions(socket, options),
  };
}

function describe(socket: BunSocket, scope: string): TransportInfo {
  const { localAddress = "0.0.0.0", localPort = 0, remoteAddress = "0.0.0.0", remotePort = 0 } = socket;
  return {
    localAddress: formatTcpEndpoint(withScope(localAddress, scope), localPort),
    remoteAddress: formatTcpEndpoint(withScope(remoteAddress, scope), remotePort),
  };
}
