/**
 * ZeroMQ over WebSocket (ZWS 2.0) on any transport of bytes: `ws://` over `tcp://`, `wss://` over `tls://`.
 *
 * @module
 */

import { MisuseError } from "../../src/errors.ts";
import type { Dial, Host, Listen, Listener, StreamOptions, TransportFactory } from "../../src/ports.ts";
import { parseWebSocketEndpoint, type WebSocketEndpoint } from "../../src/socket/endpoint.ts";
import { bridgeStream } from "../../src/websocket/stream_bridge.ts";
import { ClientUpgrade } from "../../src/websocket/upgrade/client.ts";
import { bridgeSetup } from "./bound_paths.ts";
import { renamed } from "./renamed.ts";
import { type BindRequest, SharedListener, type SharedPlace } from "./shared_listener.ts";
import { bindWebPath } from "./web_listeners.ts";

/** The scheme of the bytes below. */
const INNER = { ws: "tcp", wss: "tls" } as const;

/**
 * Returns the transport of a scheme, over `inner`, which gets endpoints `tcp://host:port` for `ws` and
 * `tls://host:port` for `wss`. Sockets that use the same transport share a port by path.
 */
export function webSocketTransport(
  scheme: "ws" | "wss",
  inner: TransportFactory,
  host: Host,
): TransportFactory {
  const listeners = new SharedListeners();
  return {
    dial: (address, options) => {
      const endpoint = parse(address, scheme, "connect");
      const place = innerAddress(endpoint, options);
      const raw = inner.dial(place, options);
      const telling: Dial = (handlers) =>
        raw({ ...handlers, close: (cause) => handlers.close(renamed(cause, place, endpoint.text)) });
      return dialWebSocket(endpoint, telling, options, host);
    },
    listen: (address, options) => {
      const endpoint = parse(address, scheme, "bind");
      if (endpoint.path.includes("?")) {
        throw refusal(address, "a query (?) is for connect only: sockets are found by the path alone");
      }
      if (endpoint.web !== undefined) return listenAtWeb(endpoint, endpoint.web, options);
      const place = { scheme, inner, innerAddress: innerAddress(endpoint, options), host };
      // The scheme below finds fault with its own part of the endpoint now, and not only when it is bound.
      inner.listen(place.innerAddress, options);
      return (accept, failed) => listeners.bind(place, { endpoint, options, accept, failed });
    },
  };
}

function dialWebSocket(endpoint: WebSocketEndpoint, raw: Dial, options: StreamOptions, host: Host): Dial {
  const { text, path, port } = endpoint;
  const setup = bridgeSetup("client", options, host);
  let tokens = false;
  return (handlers) => {
    const upgrade = new ClientUpgrade({
      endpoint: text,
      scheme: endpoint.scheme,
      host: endpoint.host,
      port,
      path,
      mechanism: options.mechanism,
      tokens,
      // The next attempt uses the other names.
      malformed: () => tokens = !tokens,
      headers: options.webSocket?.headers,
      random: (into) => host.random(into),
    });
    return bridgeStream(raw, upgrade, setup)(handlers);
  };
}

function listenAtWeb(endpoint: WebSocketEndpoint, name: string, options: StreamOptions): Listen {
  if (endpoint.scheme === "wss") {
    throw refusal(
      endpoint.text,
      `bind ws://${name}${endpoint.path}; whether clients use wss is up to the web server`,
    );
  }
  return (accept, failed) => bindWebPath(name, { endpoint, options, accept, failed });
}

/** The listeners of one transport. */
class SharedListeners {
  readonly #all: Set<SharedListener> = new Set();
  /** By the endpoint below as it was asked for; also those that are about to listen there. */
  readonly #asked: Map<string, SharedListener> = new Map();

  /** Binds a socket to the listener of its host and port, which is made if there is none. */
  async bind(place: SharedPlace, request: BindRequest): Promise<Listener> {
    const { innerAddress } = place;
    for (let found = this.#find(innerAddress); found !== undefined; found = this.#find(innerAddress)) {
      if (!found.closing) return await found.bind(request);
      await found.closed;
    }
    const listener = new SharedListener(place, request);
    this.#all.add(listener);
    // Port 0 is a new one each time.
    if (request.endpoint.port !== 0) this.#asked.set(innerAddress, listener);
    void listener.closed.then(() => {
      this.#all.delete(listener);
      if (this.#asked.get(innerAddress) === listener) this.#asked.delete(innerAddress);
    });
    return await listener.bind(request);
  }

  #find(innerAddress: string): SharedListener | undefined {
    const asked = this.#asked.get(innerAddress);
    if (asked !== undefined) return asked;
    for (const listener of this.#all) if (listener.address === innerAddress) return listener;
    return undefined;
  }
}

function parse(address: string, scheme: "ws" | "wss", role: "bind" | "connect"): WebSocketEndpoint {
  const endpoint = parseWebSocketEndpoint(address, role);
  if (endpoint.scheme !== scheme) throw refusal(address, `the scheme must be ${scheme}`);
  return endpoint;
}

function innerAddress({ scheme, hostKind, host, port }: WebSocketEndpoint, options: StreamOptions): string {
  let name = hostKind === "ipv6" ? `[${host}]` : host;
  // As it is told once it is bound: sockets that share a port may write either.
  if (hostKind === "any") name = options.ipv6 === true ? "[::]" : "0.0.0.0";
  return `${INNER[scheme]}://${name}:${port}`;
}

function refusal(address: string, why: string): MisuseError {
  return new MisuseError("ERR_ENDPOINT", `Invalid endpoint ${JSON.stringify(address)}: ${why}`);
}
