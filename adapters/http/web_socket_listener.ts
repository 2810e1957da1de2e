/**
 * Sockets behind a web server that serves other requests as well.
 *
 * @module
 */

import { MisuseError } from "../../src/errors.ts";
import { parseWebSocketEndpoint } from "../../src/socket/endpoint.ts";
import { isWebSocketOptions } from "../../src/socket/transport_checks.ts";
import type { WebSocketOptions } from "../../src/transport_options.ts";
import { listHas } from "../../src/websocket/upgrade/http_head.ts";
import { isLoopbackName, withoutQuery } from "../../src/websocket/upgrade/policy.ts";
import { formatTcpEndpoint } from "../../src/socket/endpoint.ts";
import { withScheme } from "../../src/websocket/upgrade/states.ts";
import type { BoundPath, BoundPaths } from "../websocket/bound_paths.ts";
import { closeWebListener, openWebListener } from "../websocket/web_listeners.ts";
import { bunHandlers, BunLink } from "./bun_link.ts";
import { DenoLink } from "./deno_link.ts";
import { upgradeNatively } from "./native_upgrade.ts";
import { Attachment } from "./node_server.ts";
import type {
  BunHandlers,
  BunServerLike,
  DenoInfoLike,
  FetchRequestLike,
  HttpServerLike,
  ResponseLike,
  ServeGlobals,
} from "./types.ts";

/** Options of {@link webSocketListener}. A socket's own `webSocket` options come before these. */
export interface WebSocketListenerOptions
  extends Pick<WebSocketOptions, "allowOrigins" | "allowHosts" | "accept" | "trustProxy"> {
  /** The name by which sockets bind: `ws://name/path`. Default `"web"`. */
  readonly name?: string;
  /**
   * `Bun.serve`: the largest message, in bytes, that its server takes. It holds one whole before a socket's
   * own limit is asked. Default 16 777 216.
   */
  readonly messageBytesMax?: number;
}

const NAME = "web";
const MESSAGE_BYTES_MAX = 16_777_216;

/**
 * Makes a web listener: a name under which sockets bind paths of a web server. ZeroMQ over WebSocket (RFC 45)
 * and ordinary requests then share its port.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { Publisher } from "hawser";
 * import { webSocketListener } from "hawser/http";
 *
 * const web = webSocketListener({ allowOrigins: ["https://example.org"] });
 * const server = createServer((_request, response) => response.end("a page"));
 * web.attach(server);
 * const publisher = new Publisher();
 * await publisher.bind("ws://web/feed");
 * // server.listen(8080);
 * publisher.close();
 * web.close();
 * ```
 *
 * @throws {MisuseError} `ERR_OPTION` for an option that is unknown or not allowed, `ERR_ADDRESS_IN_USE` if
 * there is a web listener of that name in this process.
 */
export function webSocketListener(options: WebSocketListenerOptions = {}): WebSocketListener {
  return new WebSocketListener(options);
}

/** See {@link webSocketListener}. */
export class WebSocketListener {
  /** The name by which sockets bind. */
  readonly name: string;
  readonly #defaults: WebSocketOptions;
  readonly #messageBytesMax: number;
  readonly #paths: BoundPaths;
  #attachments: Attachment[] = [];
  #closed = false;

  constructor({ name = NAME, messageBytesMax = MESSAGE_BYTES_MAX, ...defaults }: WebSocketListenerOptions) {
    checkOptions(name, messageBytesMax, defaults);
    this.name = name;
    this.#messageBytesMax = messageBytesMax;
    this.#defaults = defaults;
    this.#paths = openWebListener(name);
  }

  /**
   * Takes the WebSockets of a server of `node:http` or `node:https`, on any runtime. A path that no socket is
   * bound to is left to the server's other "upgrade" listeners; if there are none, it is refused with 404.
   * Attaching to the same server again changes nothing.
   *
   * @throws {MisuseError} `ERR_CLOSED` if the web listener is closed.
   */
  attach(server: HttpServerLike): void {
    if (this.#closed) {
      throw new MisuseError("ERR_CLOSED", `The web listener "${this.name}" is closed: make another one`);
    }
    if (this.#attachments.some((one) => one.isOf(server))) return;
    this.#attachments.push(new Attachment(server, this.#paths, this.#defaults));
  }

  /**
   * Responds to a request of `Bun.serve` or `Deno.serve` for a WebSocket at a path that a socket is bound to.
   * Returns `undefined` for every other request, so that the rest of the program follows a `??`. Pass what
   * the runtime passes as the second argument: Bun cannot switch without it, and Deno tells the peer's
   * address by it.
   *
   * ```ts ignore
   * Bun.serve({
   *   fetch: (request, server) => web.fetch(request, server) ?? new Response("a page"),
   *   websocket: web.bunHandlers,
   * });
   * Deno.serve((request, info) => web.fetch(request, info) ?? new Response("a page"));
   * ```
   *
   * @throws {MisuseError} `ERR_STATE` if the runtime has neither.
   */
  fetch(
    request: FetchRequestLike,
    server?: BunServerLike | DenoInfoLike,
  ): ResponseLike | Promise<ResponseLike> | undefined {
    const headers = new Map<string, string>();
    request.headers.forEach((value, key) => headers.set(key.toLowerCase(), value));
    if (!listHas(headers.get("upgrade"), "websocket")) return undefined;
    const target = targetOf(request.url);
    const bound = this.#closed ? undefined : this.#paths.get(withoutQuery(target));
    if (bound === undefined) return undefined;
    const head = { method: request.method, target, headers };
    if (server !== undefined && "upgrade" in server) {
      return this.#fetchOnBun(bound, { request, head, server });
    }
    return this.#fetchOnDeno(bound, { request, head, info: server });
  }

  /** The option `websocket` of `Bun.serve`. */
  get bunHandlers(): BunHandlers {
    return bunHandlers(this.#messageBytesMax);
  }

  /** Takes no more WebSockets. Those that are open live on, and the name is free again. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const attachment of this.#attachments) attachment.detach();
    this.#attachments = [];
    closeWebListener(this.name, this.#paths);
  }

  /** The same as {@link WebSocketListener.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #fetchOnBun(
    bound: BoundPath,
    { request, head, server }: Served & { readonly server: BunServerLike },
  ): ResponseLike | Promise<ResponseLike> {
    const peer = server.requestIP(request);
    const link = new BunLink(this.#messageBytesMax);
    return upgradeNatively(bound, {
      head,
      remoteAddress: peer === null ? UNKNOWN : withScheme(formatTcpEndpoint(peer.address, peer.port), "ws"),
      loopback: isLoopbackName(server.hostname ?? ""),
      defaults: this.#defaults,
      link,
      upgrade: (protocol) => {
        const switched = server.upgrade(request, {
          data: link,
          headers: { "Sec-WebSocket-Protocol": protocol },
        });
        if (!switched) throw new Error("server.upgrade returned false: is websocket: web.bunHandlers set?");
        const { Response } = globalThis as unknown as ServeGlobals;
        return { native: undefined, response: new Response(null, { status: 101 }) };
      },
    });
  }

  #fetchOnDeno(
    bound: BoundPath,
    { request, head, info }: Served & { readonly info: DenoInfoLike | undefined },
  ): ResponseLike | Promise<ResponseLike> {
    const { Deno } = globalThis as unknown as ServeGlobals;
    if (Deno?.upgradeWebSocket === undefined) {
      throw new MisuseError(
        "ERR_STATE",
        "fetch is for Bun.serve, which must pass its server, and Deno.serve; on Node, use attach(server)",
      );
    }
    const upgradeWebSocket = Deno.upgradeWebSocket;
    const { hostname, port = 0 } = (info?.remoteAddr ?? {}) as { hostname?: string; port?: number };
    return upgradeNatively(bound, {
      head,
      remoteAddress: hostname === undefined ? UNKNOWN : withScheme(formatTcpEndpoint(hostname, port), "ws"),
      // Where the server listens is not told; a peer on this machine may have come by its loopback address.
      loopback: hostname === undefined || isLoopbackName(hostname),
      defaults: this.#defaults,
      link: new DenoLink(),
      upgrade: (protocol) => {
        const { socket, response } = upgradeWebSocket(request, { idleTimeout: 0 });
        // Deno's own option for it knows only lists with a blank behind each comma, which libzmq leaves out.
        response.headers.set("Sec-WebSocket-Protocol", protocol);
        return { native: socket, response };
      },
    });
  }
}

interface Served {
  readonly request: FetchRequestLike;
  readonly head: { readonly method: string; readonly target: string; readonly headers: Map<string, string> };
}

/** The address of a peer that the runtime does not tell. */
const UNKNOWN = "ws://0.0.0.0:0";

/** The path and the query of a whole address. */
function targetOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const end = url.indexOf("#");
  return start < 0 ? "/" : url.substring(start, end < 0 ? url.length : end);
}

function checkOptions(name: string, messageBytesMax: number, defaults: WebSocketOptions): void {
  const bad = (what: string): MisuseError =>
    new MisuseError("ERR_OPTION", `Cannot make a web listener: ${what}`);
  if (!isListenerName(name)) {
    throw bad(`the name ${JSON.stringify(name)} is not allowed; it may have letters, digits, ., - and _`);
  }
  if (!Number.isSafeInteger(messageBytesMax) || messageBytesMax < 1 || messageBytesMax >= 2 ** 31) {
    throw bad("messageBytesMax must be a number from 1 to 2 147 483 647");
  }
  const { allowOrigins, allowHosts, accept, trustProxy, ...unknown } = defaults;
  const names = Object.keys(unknown);
  if (names.length > 0) {
    throw bad(
      `unknown option ${
        names[0]
      }; known are name, allowOrigins, allowHosts, accept, trustProxy, messageBytesMax`,
    );
  }
  for (const [option, value] of Object.entries({ allowOrigins, allowHosts, accept, trustProxy })) {
    if (!isWebSocketOptions({ [option]: value })) throw bad(`the value of ${option} is not allowed`);
  }
}

function isListenerName(name: string): boolean {
  try {
    return typeof name === "string" && parseWebSocketEndpoint(`ws://${name}/`, "bind").web === name;
  } catch {
    return false;
  }
}
