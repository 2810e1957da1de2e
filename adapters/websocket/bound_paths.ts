/**
 * The sockets that share a listener, by path: one of our own (shared_listener.ts), or a web server's
 * (web_listeners.ts).
 *
 * @module
 */

import { MisuseError } from "../../src/errors.ts";
import type { Accept, Dial, Host, StreamOptions } from "../../src/ports.ts";
import type { WebSocketOptions } from "../../src/transport_options.ts";
import type { BridgeSetup } from "../../src/websocket/bridge_setup.ts";
import { bridgeStream } from "../../src/websocket/stream_bridge.ts";
import type { UpgradePolicy } from "../../src/websocket/upgrade/policy.ts";
import { ServerUpgrade, type ServerUpgradeInit } from "../../src/websocket/upgrade/server.ts";
import { protocolsOf } from "../../src/websocket/upgrade/states.ts";

/** A socket that is bound to a path. */
export interface BoundPath {
  /** Without a query. */
  readonly path: string;
  /** Its endpoint, as it is told to the socket. */
  endpoint: string;
  readonly options: StreamOptions;
  readonly accept: Accept;
  readonly failed: (cause: unknown) => void;
}

/** Milliseconds between PINGs. Proxies cut a connection that is silent for a minute. */
const PING_INTERVAL_MS = 25_000;

/** What a bridge needs to know of the socket's options. */
export function bridgeSetup(role: BridgeSetup["role"], options: StreamOptions, host: Host): BridgeSetup {
  return {
    role,
    frameBytesMax: options.frameBytesMax ?? Number.MAX_SAFE_INTEGER,
    pingIntervalMs: options.webSocket?.pingIntervalMs ?? PING_INTERVAL_MS,
    host,
  };
}

/** See the module. */
export class BoundPaths {
  readonly #paths: Map<string, BoundPath> = new Map();

  get size(): number {
    return this.#paths.size;
  }

  /** The one that was bound first, and still is. */
  get first(): BoundPath | undefined {
    for (const bound of this.#paths.values()) return bound;
    return undefined;
  }

  get(path: string): BoundPath | undefined {
    return this.#paths.get(path);
  }

  has(bound: BoundPath): boolean {
    return this.#paths.get(bound.path) === bound;
  }

  /** @throws {MisuseError} `ERR_ADDRESS_IN_USE` if a socket is bound there. */
  add(bound: BoundPath): void {
    if (this.#paths.has(bound.path)) throw inUse(bound.endpoint, "a socket is bound to this path");
    this.#paths.set(bound.path, bound);
  }

  delete(bound: BoundPath): void {
    if (this.has(bound)) this.#paths.delete(bound.path);
  }
}

/** The error of a bind that finds somebody else there. */
export function inUse(endpoint: string, why: string): MisuseError {
  return new MisuseError("ERR_ADDRESS_IN_USE", `Cannot bind ${endpoint}: the address is in use: ${why}`);
}

/** What a bound path lets in. `defaults` are those of a web listener. */
export function policyOf(
  { options }: BoundPath,
  loopback: boolean,
  defaults: WebSocketOptions = {},
): UpgradePolicy {
  return {
    protocols: protocolsOf(options.mechanism),
    webSocket: { ...defaults, ...options.webSocket },
    loopback,
  };
}

/** What accepting needs to know of the listener. */
export interface Accepting {
  readonly scheme: "ws" | "wss";
  readonly loopback: boolean;
  readonly defaults?: WebSocketOptions;
  readonly request?: ServerUpgradeInit["request"];
  readonly host: Host;
}

/**
 * Offers `raw`, a stream that a client opened, to the socket that is bound to a path. The stream becomes a
 * WebSocket there: what is wrong with its request is an event of that socket.
 */
export function offerStream(bound: BoundPath, raw: Dial, accepting: Accepting): void {
  const { scheme, loopback, defaults, request, host } = accepting;
  bound.accept((handlers) => {
    const upgrade = new ServerUpgrade({
      scheme,
      endpoint: bound.endpoint,
      policyOf: (path) => path === bound.path ? policyOf(bound, loopback, defaults) : undefined,
      request,
    });
    return bridgeStream(raw, upgrade, bridgeSetup("server", bound.options, host))(handlers);
  });
}
