/**
 * ws and wss over the `WebSocket` that the platform has. A page can dial, and cannot listen.
 *
 * @module
 */

import { MisuseError } from "../../src/errors.ts";
import type { Dial, Host, Listen, StreamOptions, TransportFactory } from "../../src/ports.ts";
import { bridgeLink } from "../../src/websocket/link_bridge.ts";
import { createStandardHost, STANDARD_CLOCKS } from "../standard_host.ts";
import { openSocket } from "./socket_link.ts";
import { openStream } from "./stream_link.ts";
import { webGlobals, type WebUrl } from "./types.ts";

/** Makes the transport of `ws://` and `wss://`. */
export function webTransport(): TransportFactory {
  const host = createStandardHost(STANDARD_CLOCKS);
  return { dial: (address, options) => dial(address, options, host), listen };
}

function dial(address: string, options: StreamOptions, host: Host): Dial {
  const { pathname, search, host: name } = parse(address);
  if (options.webSocket?.headers !== undefined) {
    throw new MisuseError(
      "ERR_OPTION",
      `Cannot connect to "${address}" with headers: a page cannot set them. Send a token as the query of ` +
        `the endpoint, or in the "metadata" of the socket`,
    );
  }
  const place = {
    address,
    protocols: protocolsOf(options.mechanism ?? "NULL"),
    http: { path: pathname + search, host: name, origin: webGlobals.location?.origin },
    host,
  };
  const open = webGlobals.WebSocketStream === undefined ? openSocket(place) : openStream(place);
  return bridgeLink(open, {
    role: "client",
    frameBytesMax: options.frameBytesMax ?? Number.MAX_SAFE_INTEGER,
    pingIntervalMs: options.webSocket?.pingIntervalMs ?? PING_INTERVAL_MS,
    host,
  });
}

/** Reads an endpoint with the standard's own parser, which the `WebSocket` will use, too. */
function parse(address: string): WebUrl {
  let url: WebUrl | undefined;
  try {
    url = new webGlobals.URL(address);
  } catch {
    // It is told below.
  }
  if (url === undefined || url.hostname === "*" || url.username !== "" || url.hash !== "") {
    throw new MisuseError(
      "ERR_ENDPOINT",
      `Invalid endpoint ${
        JSON.stringify(address)
      }: allowed is ws://host:port/path?query or wss://…, without ` +
        `a user name and a fragment (#)`,
    );
  }
  return url;
}

/**
 * What a page can ask for. The names of RFC 45, `ZWS2.0/NULL`, have a slash, which a `WebSocket` refuses:
 * hawser knows them with a dot. Other servers, like libzmq, know the bare `ZWS2.0`, which has no handshake.
 */
function protocolsOf(mechanism: string): string[] {
  const named = `ZWS2.0.${mechanism}`;
  return mechanism === "NULL" ? [named, "ZWS2.0"] : [named];
}

function listen(address: string): Listen {
  return () =>
    Promise.reject(
      new MisuseError("ERR_ADDRESS", `Cannot bind to "${address}": a browser cannot listen, only connect`),
    );
}

/** Proxies end connections that are silent for a minute. Only some runtimes let us send PINGs. */
const PING_INTERVAL_MS = 25_000;
