/**
 * TLS over `node:net` and `node:tls`.
 *
 * @module
 */

import type { StreamOptions, TransportFactory, TransportInfo } from "../../src/ports.ts";
import { formatTcpEndpoint, type TlsEndpoint } from "../../src/socket/endpoint.ts";
import { bindHost, scopeOf, withScope } from "../addresses.ts";
import { detectRuntime } from "../detect.ts";
import type { Wire } from "../tls/stream.ts";
import { tlsTransport } from "../tls/transport.ts";
import { serverListener, startServer } from "./dial.ts";
import { describe, setTcpOptions } from "./tcp.ts";
import type { NodeNet, NodeSocket } from "./types.ts";

/**
 * As large as a chunk that the core gathers. Only one of the two uses of `highWaterMark` matters: a paused
 * socket reads that much ahead.
 */
const HIGH_WATER_MARK = 65_536;

/**
 * Returns the `tls` transport over a `node:net` module, which is loaded on first use. For Node and Bun;
 * Deno's `node:tls` would go on reading such a socket while it is paused.
 */
export function nodeTls(net: () => NodeNet): TransportFactory {
  const isNode = detectRuntime() === "node";
  return tlsTransport({
    tellsRequests: isNode,
    // Where Bun itself refuses a client it does not show the certificate, which the error has to name.
    demands: isNode,
    connect: (endpoint, options) => {
      const { host, port, hostKind } = endpoint;
      const socket = net().connect({
        host,
        port,
        ...(hostKind === "name" && options.ipv6 === false ? { family: 4 } : {}),
        allowHalfOpen: true,
        highWaterMark: HIGH_WATER_MARK,
      });
      socket.on("connect", () => setTcpOptions(socket, options));
      return socketWire(socket, () => describe(socket, scopeOf(host)));
    },
    listen: async (endpoint, options, accept, failed) => {
      const host = bindHost(endpoint, endpoint.text, options);
      const scope = scopeOf(host);
      const create = () => {
        const server = net().createServer({ allowHalfOpen: true, highWaterMark: HIGH_WATER_MARK });
        server.on("connection", (socket) => offerSocket(socket, options, scope, accept));
        return server;
      };
      const server = await startServer(create, listenTarget(endpoint, host, options), failed);
      const bound = server.address() as { readonly address: string; readonly port: number };
      return serverListener(server, formatTcpEndpoint(withScope(bound.address, scope), bound.port));
    },
  });
}

function listenTarget({ port }: TlsEndpoint, host: string, { backlog }: StreamOptions) {
  return { host, port, ...(backlog === undefined ? {} : { backlog }) };
}

function offerSocket(
  socket: NodeSocket,
  options: StreamOptions,
  scope: string,
  accept: (take: () => Wire) => void,
): void {
  let taken = false;
  // What goes wrong before the stream is taken, or after it was refused, concerns nobody.
  socket.on("error", () => {});
  accept(() => {
    taken = true;
    setTcpOptions(socket, options);
    // A socket that is closed no longer knows its peer, whom an error has to name.
    const info = describe(socket, scope);
    return socketWire(socket, () => info);
  });
  if (!taken) socket.destroy();
}

function socketWire(socket: NodeSocket, describe: () => TransportInfo): Wire {
  return {
    stream: socket,
    describe,
    watch: (broken) => void socket.on("error", broken),
    destroy: () => void socket.destroy(),
  };
}
