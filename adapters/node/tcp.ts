/**
 * TCP over `node:net`.
 *
 * @module
 */

import type { Dial, Listen, StreamOptions, TransportFactory, TransportInfo } from "../../src/ports.ts";
import {
  formatTcpEndpoint,
  type HostPort,
  parseTcpEndpoint,
  type TcpEndpoint,
} from "../../src/socket/endpoint.ts";
import { bindHost, scopeOf, withScope } from "../addresses.ts";
import type { SocketKind } from "../ipc.ts";
import { dialSocket, failedTransport, listenServer, serverListener } from "./dial.ts";
import type { NodeConnectOptions, NodeNet, NodeSocket } from "./types.ts";
import { bindError, connectError } from "../system_errors.ts";

/** Returns the `tcp` transport over a `node:net` module, which is loaded on first use. */
export function nodeTcp(net: () => NodeNet): TransportFactory {
  return {
    dial: (address, options) => dialTcp(net, parseTcpEndpoint(address, "connect"), options),
    listen: (address, options) => {
      return listenTcp(net, parseTcpEndpoint(address, "bind"), options);
    },
  };
}

function dialTcp(net: () => NodeNet, endpoint: TcpEndpoint, options: StreamOptions): Dial {
  const { text } = endpoint;
  const explain = (cause: unknown): unknown => connectError(cause, text);
  const setup = { kind: tcpKind(options, scopeOf(endpoint.host)), text, options, explain };
  return (handlers) => {
    try {
      return dialSocket(net(), connectOptions(endpoint, options), setup)(handlers);
    } catch (cause) {
      // The source names an interface that this machine does not have, or no longer has.
      return failedTransport(handlers, explain(cause));
    }
  };
}

function connectOptions(endpoint: TcpEndpoint, options: StreamOptions): NodeConnectOptions {
  const { host, port, source } = endpoint;
  return {
    host,
    port,
    ...(endpoint.hostKind === "name" && options.ipv6 === false ? { family: 4 } : {}),
    ...(source === undefined ? {} : sourceOptions(source, endpoint, options)),
  };
}

function sourceOptions(source: HostPort, endpoint: TcpEndpoint, options: StreamOptions): NodeConnectOptions {
  const ipv6 = endpoint.hostKind === "ipv6" || (endpoint.hostKind === "name" && options.ipv6 === true);
  return {
    // Without an address the runtime binds the unspecified one of the target's family, which is what * means.
    ...(source.hostKind === "any" ? {} : { localAddress: bindHost(source, endpoint.text, { ipv6 }) }),
    ...(source.port === 0 ? {} : { localPort: source.port }),
  };
}

function listenTcp(net: () => NodeNet, endpoint: TcpEndpoint, options: StreamOptions): Listen {
  return async (accept, failed) => {
    try {
      const host = bindHost(endpoint, endpoint.text, options);
      const scope = scopeOf(host);
      const target = {
        host,
        port: endpoint.port,
        ...(options.backlog === undefined ? {} : { backlog: options.backlog }),
      };
      let local: string | undefined;
      const setup = { kind: tcpKind(options, scope, () => local), accept, failed };
      const server = await listenServer(net(), target, setup);
      const bound = server.address() as { readonly address: string; readonly port: number };
      const text = formatTcpEndpoint(withScope(bound.address, scope), bound.port);
      // Whatever comes to one address has that address at this end: the system need not be asked each time.
      if (bound.address !== "0.0.0.0" && bound.address !== "::") local = text;
      return serverListener(server, text);
    } catch (cause) {
      throw bindError(cause, endpoint.text);
    }
  };
}

/**
 * `scope` is that of a link-local address, which `node:net` on Bun does not report. `local` returns the
 * address at this end, if all sockets have the same.
 */
function tcpKind(
  options: StreamOptions,
  scope: string,
  local: () => string | undefined = () => undefined,
): SocketKind<NodeSocket> {
  return {
    describe: (socket) => describe(socket, scope, local()),
    prepare: (socket) => setTcpOptions(socket, options),
  };
}

/** The address of a peer that is gone before it could be described. */
const UNKNOWN = "0.0.0.0";

/** Returns both ends of a connected socket. */
export function describe(socket: NodeSocket, scope: string, local?: string): TransportInfo {
  const { remoteAddress = UNKNOWN, remotePort = 0 } = socket;
  return {
    localAddress: local ?? localAddressOf(socket, scope),
    remoteAddress: formatTcpEndpoint(withScope(remoteAddress, scope), remotePort),
  };
}

function localAddressOf({ localAddress = UNKNOWN, localPort = 0 }: NodeSocket, scope: string): string {
  return formatTcpEndpoint(withScope(localAddress, scope), localPort);
}

/** The settings of a TCP socket of any runtime. */
interface TcpSocket {
  setNoDelay(on: boolean): unknown;
  setKeepAlive(on: boolean, initialDelayMs?: number): unknown;
}

/** Always sets NODELAY: messages are batched in higher layers, and a single one must not wait. */
export function setTcpOptions(socket: TcpSocket, options: StreamOptions): void {
  socket.setNoDelay(true);
  if (options.tcpKeepalive !== undefined) {
    socket.setKeepAlive(options.tcpKeepalive, options.tcpKeepaliveIdleMs ?? 0);
  }
}
