/**
 * A server of `node:http` or `node:https`, whose upgraded sockets become streams of ours.
 *
 * @module
 */

import type { Dial, TransportInfo } from "../../src/ports.ts";
import { formatTcpEndpoint } from "../../src/socket/endpoint.ts";
import type { TlsInfo, WebSocketOptions } from "../../src/transport_options.ts";
import { Headers, REQUEST_SINGLES, shownText } from "../../src/websocket/upgrade/http_head.ts";
import {
  isLoopbackName,
  pathOf,
  type Refusal,
  type RequestHead,
  withoutQuery,
} from "../../src/websocket/upgrade/policy.ts";
import { refusalResponse } from "../../src/websocket/upgrade/server.ts";
import { offer } from "../kit/offer.ts";
import { NodeStream } from "../node/stream.ts";
import { host } from "../shared_host.ts";
import { peerCertificate, presentedBy } from "../tls/certificate.ts";
import type { TlsSocket } from "../tls/types.ts";
import { type Accepting, type BoundPath, type BoundPaths, offerStream } from "../websocket/bound_paths.ts";
import type { HttpRequestLike, HttpServerLike, UpgradedSocket } from "./types.ts";

type UpgradeListener = (request: HttpRequestLike, socket: UpgradedSocket, head: Uint8Array) => void;

/** The attachments of hawser to each server: among them, one refuses what is nobody's. */
const attachments: WeakMap<HttpServerLike, Attachment[]> = new WeakMap();

/** A web listener that listens to a server. */
export class Attachment {
  readonly #server: HttpServerLike;
  readonly #paths: BoundPaths;
  readonly #defaults: WebSocketOptions;
  readonly #listener: UpgradeListener = (request, socket, head) => this.#upgrade(request, socket, head);

  constructor(server: HttpServerLike, paths: BoundPaths, defaults: WebSocketOptions) {
    this.#server = server;
    this.#paths = paths;
    this.#defaults = defaults;
    attachments.set(server, [...attachments.get(server) ?? [], this]);
    server.on("upgrade", this.#listener);
  }

  /** Whether it listens to this server. */
  isOf(server: HttpServerLike): boolean {
    return this.#server === server;
  }

  detach(): void {
    const server = this.#server;
    attachments.set(server, (attachments.get(server) ?? []).filter((one) => one !== this));
    server.off("upgrade", this.#listener);
  }

  #upgrade(request: HttpRequestLike, socket: UpgradedSocket, head: Uint8Array): void {
    const path = pathOf(request.url ?? "");
    const bound = path === undefined ? undefined : this.#paths.get(withoutQuery(path));
    if (bound !== undefined) return this.#take(bound, request, socket, head);
    if (!this.#mayRefuse(path)) return;
    const why = `No socket is bound at the path ${shownText(path ?? "")}`;
    socket.on("error", () => {});
    socket.write(refusalResponse({ status: 404, why }));
    socket.end();
    socket.resume();
  }

  /** Nobody else listens for upgrades, and no other web listener of ours has the path. */
  #mayRefuse(path: string | undefined): boolean {
    const ours = attachments.get(this.#server) ?? [];
    if (this.#server.listenerCount("upgrade") > ours.length || ours[0] !== this) return false;
    return path === undefined || ours.every((one) => one.#paths.get(withoutQuery(path)) === undefined);
  }

  #take(bound: BoundPath, request: HttpRequestLike, socket: UpgradedSocket, head: Uint8Array): void {
    const stream = new NodeStream({ socket, reads: undefined }, describe);
    // A server's time-out is for requests; ours are heartbeats.
    socket.setTimeout?.(0);
    socket.setNoDelay(true);
    const raw: Dial = (handlers) => {
      stream.attach(handlers);
      host.microtask(() => stream.open());
      return stream;
    };
    const accepting: Accepting = {
      scheme: socket.encrypted === true ? "wss" : "ws",
      loopback: isLoopbackServer(this.#server),
      defaults: this.#defaults,
      request: { head: headOf(request), rest: head },
      host,
    };
    offer((attach) => offerStream(bound, attach, accepting), raw, () => socket.destroy());
  }
}

/**
 * A server of `node:https` may ask for certificates without insisting on valid ones: those are not shown.
 * The sockets of Bun's show none at all.
 */
function describeTls(socket: UpgradedSocket & Partial<TlsSocket>): TlsInfo {
  const { servername, authorized } = socket;
  const shows = authorized === true && socket.getPeerCertificate !== undefined;
  const certificate = shows ? presentedBy(socket as TlsSocket) : undefined;
  return {
    protocol: socket.getProtocol?.() ?? "",
    serverName: typeof servername === "string" && servername !== "" ? servername : undefined,
    peerCertificate: certificate === undefined ? undefined : peerCertificate(certificate),
  };
}

function describe(socket: UpgradedSocket): TransportInfo {
  const { localAddress = "0.0.0.0", localPort = 0, remoteAddress = "0.0.0.0", remotePort = 0 } = socket;
  return {
    localAddress: formatTcpEndpoint(localAddress, localPort),
    remoteAddress: formatTcpEndpoint(remoteAddress, remotePort),
    tls: socket.encrypted === true ? describeTls(socket) : undefined,
  };
}

function headOf({ method = "", url = "", rawHeaders }: HttpRequestLike): RequestHead | Refusal {
  const headers = new Headers(REQUEST_SINGLES);
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const failure = headers.add(rawHeaders[i]!, rawHeaders[i + 1]!);
    if (failure === undefined) continue;
    return { status: failure.status, why: `The head of the request is not valid HTTP: ${failure.why}` };
  }
  return { method, target: url, headers: headers.values };
}

function isLoopbackServer(server: HttpServerLike): boolean {
  const address = server.address() as { readonly address?: unknown } | string | null;
  return typeof address === "object" && typeof address?.address === "string" &&
    isLoopbackName(address.address);
}
