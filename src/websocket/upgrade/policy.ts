/**
 * Whether a request may become a WebSocket: the rules of RFC 6455 §4.2, and the listener's own on hosts,
 * origins and sub-protocols. For upgrades that we do ourselves, and for those that a web server does.
 *
 * @module
 */

import type { WebSocketOptions, WebSocketRequest } from "../../transport_options.ts";
import { isToken, listHas, listItems, shownText } from "./http_head.ts";
import { WEBSOCKET_VERSION } from "./states.ts";

/** A request, of which only the head matters. */
export interface RequestHead {
  readonly method: string;
  /** `HTTP/1.1`; `undefined` if a web server has checked it. */
  readonly version?: string | undefined;
  /** The target as it was sent: `/feed?token=1`. */
  readonly target: string;
  readonly headers: ReadonlyMap<string, string>;
}

/** What a path lets in. */
export interface UpgradePolicy {
  /** The sub-protocols that it supports. */
  readonly protocols: readonly string[];
  readonly webSocket: WebSocketOptions;
  /** Whether it listens on a loopback address only. */
  readonly loopback: boolean;
}

/** Why a request is refused, and the status that says so. */
export interface Refusal {
  readonly status: number;
  /** A sentence without its end, for the client and for the listener's event. Has nothing unprintable. */
  readonly why: string;
}

/** A request that may become a WebSocket, unless the application's `accept` says no. */
export interface Admitted {
  /** The sub-protocol to agree on. */
  readonly protocol: string;
  readonly key: string;
}

/** A page cannot ask for a name with a slash, and writes a dot instead: `ZWS2.0.NULL`. */
function slashed(protocol: string): string {
  return protocol.replace("ZWS2.0.", "ZWS2.0/");
}

/** Splits a request line (RFC 9112 §3). */
export function parseRequestLine(line: string): Omit<RequestHead, "headers"> | Refusal {
  const parts = line.split(" ");
  const [method = "", target = "", version = ""] = parts;
  if (parts.length !== 3 || !isToken(method) || !/^HTTP\/[0-9]\.[0-9]$/.test(version)) {
    return { status: 400, why: `The request line is not HTTP: ${shownText(line)}` };
  }
  return { method, target, version };
}

/**
 * The path of a target, with its query. A proxy may send the whole address (RFC 9112 §3.2.2). `undefined` if
 * it is none.
 */
export function pathOf(target: string): string | undefined {
  const rest = /^https?:\/\/[^/?#]*/i.exec(target)?.[0].length ?? 0;
  const path = target.substring(rest);
  if (path === "" && rest > 0) return "/";
  return path.startsWith("/") && /^[\x21\x22\x24-\x7e]+$/.test(path) ? path : undefined;
}

/** `path` without its query: what sockets bind. */
export function withoutQuery(path: string): string {
  const query = path.indexOf("?");
  return query < 0 ? path : path.substring(0, query);
}

/** What is wrong with a request as such, whatever the path. */
export function checkRequest({ method, version, target, headers }: RequestHead): Refusal | undefined {
  if (version !== undefined && version !== "HTTP/1.1") {
    return { status: 505, why: `The request is ${version}; a WebSocket needs HTTP/1.1` };
  }
  if (method !== "GET") {
    return { status: 405, why: `The method is ${shownText(method)}; a WebSocket needs GET` };
  }
  if (pathOf(target) === undefined) return { status: 400, why: `The path is none: ${shownText(target)}` };
  const host = headers.get("host");
  if (host === undefined || hostNameOf(host) === undefined) {
    return {
      status: 400,
      why: `The header Host is ${host === undefined ? "missing" : `none: ${shownText(host)}`}`,
    };
  }
  const authority = /^https?:\/\/([^/?#]*)/i.exec(target)?.[1];
  if (authority !== undefined && authority.toLowerCase() !== host.toLowerCase()) {
    return { status: 400, why: "The request names two hosts" };
  }
  // What follows would be frames to us and a body to others.
  if (headers.has("transfer-encoding") || (headers.get("content-length") ?? "0") !== "0") {
    return { status: 400, why: "A request for a WebSocket has no body" };
  }
  return undefined;
}

/** Whether a request asks for a WebSocket that the policy allows. */
export function admit(request: RequestHead, policy: UpgradePolicy): Admitted | Refusal {
  const { headers } = request;
  if (!listHas(headers.get("connection"), "upgrade") || !listHas(headers.get("upgrade"), "websocket")) {
    return { status: 426, why: "This is a ZeroMQ socket, which takes WebSockets only (ws:// or wss://)" };
  }
  const version = headers.get("sec-websocket-version");
  if (version !== WEBSOCKET_VERSION) {
    return {
      status: 426,
      why: `The version of WebSocket is ${version === undefined ? "missing" : shownText(version)}; ` +
        `we speak ${WEBSOCKET_VERSION}`,
    };
  }
  const key = headers.get("sec-websocket-key") ?? "";
  // 16 bytes in base64: the last letter before the padding has two bits.
  if (!/^[A-Za-z0-9+/]{21}[AQgw]==$/.test(key)) {
    return { status: 400, why: "The header Sec-WebSocket-Key is missing or no 16 bytes in base64" };
  }
  const refusal = checkHost(request, policy) ?? checkOrigin(request, policy);
  if (refusal !== undefined) return refusal;
  const offered = listItems(headers.get("sec-websocket-protocol"));
  const protocol = offered.find((name) => policy.protocols.includes(slashed(name)));
  if (protocol !== undefined) return { protocol, key };
  const told = offered.length === 0 ? "none" : shownText(offered.join(", "));
  return {
    status: 400,
    why: `The sub-protocols offered are ${told}; this socket speaks ${policy.protocols.join(" and ")}`,
  };
}

/** What `accept` is shown. */
export function requestOf(head: RequestHead, remoteAddress: string): WebSocketRequest {
  return {
    path: pathOf(head.target) ?? "/",
    host: head.headers.get("host") ?? "",
    origin: head.headers.get("origin"),
    headers: head.headers,
    remoteAddress,
  };
}

/** Whether `accept` decides later. What it returns is the application's, and may be anything. */
export function isPromise(verdict: unknown): verdict is PromiseLike<unknown> {
  return typeof (verdict as Partial<PromiseLike<unknown>> | null | undefined)?.then === "function";
}

/** The address that a trusted proxy names: the last one of `X-Forwarded-For`. `undefined` if it is none. */
export function forwardedFor(headers: ReadonlyMap<string, string>): string | undefined {
  const last = listItems(headers.get("x-forwarded-for")).pop();
  // Addresses are letters, digits, dots and colons; a proxy may add brackets and a port.
  return last !== undefined && last.length <= 64 && /^[0-9A-Za-z.:%[\]]+$/.test(last) ? last : undefined;
}

function checkHost({ headers }: RequestHead, { webSocket, loopback }: UpgradePolicy): Refusal | undefined {
  const { allowHosts } = webSocket;
  if (allowHosts === "*" || (allowHosts === undefined && !loopback)) return undefined;
  const name = hostNameOf(headers.get("host")!)!;
  const allowed = allowHosts === undefined
    ? isLoopbackName(name)
    : allowHosts.some((one) => sameName(one, name));
  if (allowed) return undefined;
  const detail = allowHosts === undefined
    ? "a loopback address goes by localhost, 127.0.0.1 and [::1] only"
    : "it is not in allowHosts";
  return { status: 403, why: `The host ${shownText(name)} is not this listener's: ${detail}` };
}

function checkOrigin({ headers }: RequestHead, { webSocket }: UpgradePolicy): Refusal | undefined {
  const { allowOrigins } = webSocket;
  const origin = headers.get("origin");
  if (origin === undefined || allowOrigins === "*") return undefined;
  const own = isOwnOrigin(origin, headers.get("host")!);
  const named = allowOrigins?.some((one) => normalOrigin(one) === normalOrigin(origin)) === true;
  if (named || (own && allowOrigins === undefined)) return undefined;
  const detail = allowOrigins === undefined
    ? "only those from the same host and port may connect, unless allowOrigins names others"
    : "it is not in allowOrigins";
  return { status: 403, why: `A page of ${shownText(origin)} asks: ${detail}` };
}

/** Whether a page of `origin` was loaded from the host and the port that it now asks for a WebSocket. */
function isOwnOrigin(origin: string, host: string): boolean {
  const parts = /^(https?):\/\/(.+)$/i.exec(origin);
  if (parts === null) return false;
  const port = parts[1]!.toLowerCase() === "http" ? ":80" : ":443";
  const withPort = (text: string): string => (/:[0-9]+$/.test(text) ? text : text + port).toLowerCase();
  return withPort(parts[2]!) === withPort(host);
}

function normalOrigin(origin: string): string {
  const text = origin.toLowerCase();
  const bare = text.endsWith("/") ? text.substring(0, text.length - 1) : text;
  return bare.replace(/^(http:\/\/.*):80$/, "$1").replace(/^(https:\/\/.*):443$/, "$1");
}

/** The name in a header `Host`, without port and brackets, in lower case. `undefined` if it has none. */
export function hostNameOf(host: string): string | undefined {
  const parts = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::[0-9]{1,5})?$/i.exec(host);
  return (parts?.[1] ?? parts?.[2])?.toLowerCase();
}

function sameName(allowed: string, name: string): boolean {
  return (hostNameOf(allowed) ?? allowed.toLowerCase()) === name;
}

/** Whether a name always means this machine, whoever resolves it. */
export function isLoopbackName(name: string): boolean {
  return name === "localhost" || name === "::1" || /^127(?:\.[0-9]{1,3}){3}$/.test(name);
}
