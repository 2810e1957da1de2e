/**
 * What a broker tells over HTTP: `/metrics` for Prometheus, `/healthz` for whoever restarts it, `/status` as JSON. Reads only.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { BrokerStatus } from "../src/log/broker/status.ts";
import { formatMetrics, METRICS_TYPE } from "./metrics.ts";
import { CommandError } from "./terminal.ts";

/** Where it listens unless a host is named: on this machine alone. */
const DEFAULT_HOST = "127.0.0.1";
/** Milliseconds for a request's headers. */
const HEADERS_TIMEOUT_MS = 10_000;

/** What the answers are made of. */
export interface HttpSource {
  status(): BrokerStatus;
  /** The broker is about to stop: nobody should begin with it. */
  readonly draining: boolean;
}

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

const TEXT = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json; charset=utf-8";

const PATHS: Readonly<Record<string, (source: HttpSource) => Answer>> = {
  "/metrics": (source) => ({ code: 200, type: METRICS_TYPE, body: formatMetrics(source.status()) }),
  "/status": (source) => ({
    code: 200,
    type: JSON_TYPE,
    body: `${JSON.stringify({ draining: source.draining, ...source.status() }, null, 2)}\n`,
  }),
  "/healthz": healthOf,
};

/** 503: the broker stops, or the store of a topic failed. A full store is no failure: publishers wait, readers go on. */
function healthOf(source: HttpSource): Answer {
  const { topics } = source.status();
  const stopped = topics.filter(({ state }) => state === "stopped").map(({ name }) => name);
  const full = topics.filter(({ state }) => state === "full").map(({ name }) => name);
  const lines = [
    ...source.draining ? ["draining"] : [],
    ...stopped.map((name) => `store stopped: ${name}`),
    ...full.map((name) => `store full: ${name}`),
  ];
  const healthy = !source.draining && stopped.length === 0;
  return {
    code: healthy ? 200 : 503,
    type: TEXT,
    body: `${healthy ? ["ok", ...lines].join("\n") : lines.join("\n")}\n`,
  };
}

/** Whoever may be asked for at an address of this machine alone. */
const LOOPBACK_NAMES = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * Names by which a server is asked for that listens on this machine alone; `undefined`: any. A page of the web that a
 * browser of this machine shows could have its own name point here, and read everything.
 */
function hostsOf(address: string, typed: string): ((host: string) => boolean) | undefined {
  if (address !== "::1" && !/^(?:::ffff:)?127\./.test(address)) return undefined;
  return (host) => {
    const name = host.toLowerCase().replace(/:\d*$/, "");
    return LOOPBACK_NAMES.test(name) || name === typed.toLowerCase();
  };
}

/** What a request for another server is told. */
const MISDIRECTED: Answer = {
  code: 421,
  type: TEXT,
  body: "this server answers only to localhost and loopback addresses\n",
};

function answerTo({ method, url = "/" }: IncomingMessage, source: HttpSource): Answer {
  if (method !== "GET" && method !== "HEAD") {
    return { code: 405, type: TEXT, body: "only GET and HEAD are allowed\n" };
  }
  const path = url.split("?")[0] ?? "";
  const known = Object.hasOwn(PATHS, path) ? PATHS[path] : undefined;
  return known?.(source) ??
    { code: 404, type: TEXT, body: `not found; there are ${Object.keys(PATHS).join(", ")}\n` };
}

/** A server that listens. */
export interface HttpServer {
  /** `http://127.0.0.1:7781`, with the real port. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Listens on `host:port`, or on a port of this machine alone.
 *
 * @throws {CommandError} The address cannot be used.
 */
export async function serveHttp(address: string, source: HttpSource): Promise<HttpServer> {
  const split = address.lastIndexOf(":");
  const host = split < 0 ? DEFAULT_HOST : address.slice(0, split).replace(/^\[(.*)\]$/, "$1");
  const port = Number(address.slice(split + 1));
  const server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS });
  await listen(server, host, port);
  const bound = server.address() as AddressInfo;
  const isOurs = hostsOf(bound.address, host);
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    // Every browser names the host that it asks for.
    const asked = request.headers.host;
    const misdirected = asked !== undefined && isOurs?.(asked) === false;
    send(request, response, misdirected ? MISDIRECTED : answerTo(request, source));
  });
  const shown = host.includes(":") ? `[${host}]` : host;
  return { url: `http://${shown}:${bound.port}`, close: () => close(server) };
}

function send(request: IncomingMessage, response: ServerResponse, { code, type, body }: Answer): void {
  // One answer for each connection: nobody who idles holds up the end.
  const headers = { "content-type": type, "content-length": Buffer.byteLength(body), connection: "close" };
  response.writeHead(code, { ...headers, ...(code === 405 ? { allow: "GET, HEAD" } : {}) });
  response.end(request.method === "HEAD" ? undefined : body);
  request.resume();
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      reject(
        new CommandError(`Cannot listen for HTTP on ${host}:${port}: ${error.message}`, { cause: error }),
      );
    });
    server.listen(port, host, resolve);
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
