/**
 * TCP over `Deno.connect` and `Deno.listen`.
 *
 * @module
 */

import type { Dial, Listen, StreamOptions, TransportFactory, TransportInfo } from "../../src/ports.ts";
import { formatTcpEndpoint, parseTcpEndpoint, type TcpEndpoint } from "../../src/socket/endpoint.ts";
import { bindHost, connectHosts } from "../addresses.ts";
import { builtin } from "../builtin.ts";
import type { SocketKind } from "../ipc.ts";
import { nodeTcp } from "../node/tcp.ts";
import { acceptConns, dialConn, listenDeno } from "./dial.ts";
import type { DenoAddress, DenoConn } from "./types.ts";
import { bindError } from "../system_errors.ts";

/** Deno's own API cannot choose a source address; its `node:net` can. */
const viaNode: TransportFactory = nodeTcp(() => builtin("node:net"));

/** The `tcp` transport of Deno. */
export const denoTcp: TransportFactory = {
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
    return hosts.map((hostname) => ({ transport: "tcp", hostname, port: endpoint.port } as const));
  };
  return dialConn(targets, { kind: tcpKind(options), text: endpoint.text, options });
}

function listenTcp(options: StreamOptions): Listen {
  return async (address, accept, failed) => {
    const endpoint = parseTcpEndpoint(address, "bind");
    const hostname = bindHost(endpoint, address, options);
    try {
      const listener = await listenDeno({
        transport: "tcp",
        hostname,
        port: endpoint.port,
        ...(options.backlog === undefined ? {} : { tcpBacklog: options.backlog }),
      });
      const setup = { kind: tcpKind(options), accept, failed };
      return acceptConns(listener, setup, { address: formatAddress(listener.addr), closed: () => {} });
    } catch (cause) {
      throw bindError(cause, address);
    }
  };
}

function tcpKind(options: StreamOptions): SocketKind<DenoConn> {
  return { describe, prepare: (conn) => setTcpOptions(conn, options) };
}

/** NODELAY always: messages are batched above, and a lone one must not wait. Deno has no idle time to set. */
function setTcpOptions(conn: DenoConn, options: StreamOptions): void {
  conn.setNoDelay?.(true);
  if (options.tcpKeepalive !== undefined) conn.setKeepAlive?.(options.tcpKeepalive);
}

function describe(conn: DenoConn): TransportInfo {
  return { localAddress: formatAddress(conn.localAddr), remoteAddress: formatAddress(conn.remoteAddr) };
}

function formatAddress({ hostname, port }: DenoAddress): string {
  return formatTcpEndpoint(hostname ?? "0.0.0.0", port ?? 0);
}
