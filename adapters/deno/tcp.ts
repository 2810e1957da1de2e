/**
 * TCP over `Deno.connect` and `Deno.listen`.
 *
 * @module
 */

import type { Dial, Listen, StreamOptions, TransportFactory, TransportInfo } from "../../src/ports.ts";
import { formatTcpEndpoint, parseTcpEndpoint, type TcpEndpoint } from "../../src/socket/endpoint.ts";
import { bindHost, connectHosts, scopeOf, withScope } from "../addresses.ts";
import { builtin } from "../builtin.ts";
import type { SocketKind } from "../ipc.ts";
import { failedTransport } from "../node/dial.ts";
import { nodeTcp } from "../node/tcp.ts";
import { acceptConns, dialConn, listenDeno } from "./dial.ts";
import { type DenoAddress, denoApi, type DenoConn } from "./types.ts";
import { bindError, connectError } from "../system_errors.ts";

/** Deno's own API cannot choose a source address; its `node:net` can. */
const viaNode: TransportFactory = nodeTcp(() => builtin("node:net"));

/** The `tcp` transport of Deno. */
export const denoTcp: TransportFactory = {
  dial: (address, options) => {
    const endpoint = parseTcpEndpoint(address, "connect");
    return endpoint.source === undefined ? dialTcp(endpoint, options) : dialFrom(endpoint, options);
  },
  listen: (address, options) => {
    return listenTcp(parseTcpEndpoint(address, "bind"), options);
  },
};

function dialTcp(endpoint: TcpEndpoint, options: StreamOptions): Dial {
  const targets = async () => {
    const hosts = await connectHosts(endpoint, options);
    return hosts.map((hostname) => ({ transport: "tcp", hostname, port: endpoint.port } as const));
  };
  const { host, text } = endpoint;
  const explain = (cause: unknown): unknown => connectError(cause, text);
  return dialConn(targets, { kind: tcpKind(options, scopeOf(host)), text, options, explain });
}

/** Deno's `node:net` throws for a missing permission where it cannot be caught, so it is requested first. */
function dialFrom(endpoint: TcpEndpoint, options: StreamOptions): Dial {
  const dial = viaNode.dial(endpoint.text, options);
  const { host, port, source, text } = endpoint;
  return (handlers) => {
    try {
      demandNet(host, port);
      const from = bindHost(source!, text, options);
      if (source!.hostKind !== "any" || source!.port > 0) demandNet(from, source!.port);
    } catch (cause) {
      return failedTransport(handlers, connectError(cause, text));
    }
    return dial(handlers);
  };
}

function demandNet(host: string, port: number): void {
  const target = host.includes(":") ? `[${host.split("%")[0]}]:${port}` : `${host}:${port}`;
  const { state } = denoApi().permissions.requestSync({ name: "net", host: target });
  if (state === "granted") return;
  const error = new Error(`Requires net access to "${target}", run again with the --allow-net flag`);
  error.name = "NotCapable";
  throw error;
}

function listenTcp(endpoint: TcpEndpoint, options: StreamOptions): Listen {
  return async (accept, failed) => {
    try {
      const hostname = bindHost(endpoint, endpoint.text, options);
      const scope = scopeOf(hostname);
      const listener = await listenDeno({
        transport: "tcp",
        hostname,
        port: endpoint.port,
        ...(options.backlog === undefined ? {} : { tcpBacklog: options.backlog }),
      });
      const setup = { kind: tcpKind(options, scope), accept, failed };
      return acceptConns(listener, setup, { address: formatAddress(listener.addr, scope), closed: () => {} });
    } catch (cause) {
      throw bindError(cause, endpoint.text);
    }
  };
}

/** `scope` is that of a link-local address, which Deno does not report. */
function tcpKind(options: StreamOptions, scope: string): SocketKind<DenoConn> {
  return { describe: (conn) => describe(conn, scope), prepare: (conn) => setTcpOptions(conn, options) };
}

/**
 * Always sets NODELAY: messages are batched in higher layers, and a single one must not wait. Deno has no
 * setting for the idle time of keep-alive.
 */
function setTcpOptions(conn: DenoConn, options: StreamOptions): void {
  conn.setNoDelay?.(true);
  if (options.tcpKeepalive !== undefined) conn.setKeepAlive?.(options.tcpKeepalive);
}

function describe(conn: DenoConn, scope: string): TransportInfo {
  return {
    localAddress: formatAddress(conn.localAddr, scope),
    remoteAddress: formatAddress(conn.remoteAddr, scope),
  };
}

function formatAddress({ hostname, port }: DenoAddress, scope: string): string {
  return formatTcpEndpoint(withScope(hostname ?? "0.0.0.0", scope), port ?? 0);
}
