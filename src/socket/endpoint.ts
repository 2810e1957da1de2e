/**
 * Parses endpoints, the strings passed to `bind` and `connect`, strictly and without regular expressions.
 *
 * ```
 * tcp://host:port                 host: IPv4 · [IPv6] · [IPv6%scope] · name        port: 1…65535
 * tcp://source:port;host:port     connect only: where the connection leaves from    source port: 0…65535 or *
 * tcp://host:port                 bind: also * and a network interface (lo, eth0)   port: 0…65535 or *
 * ipc:///path/to/socket           a file, at most 107 bytes of UTF-8
 * ipc://@name                     Linux: a name without a file, at most 107 bytes with the @
 * ipc://*                         bind only: a fresh file
 * inproc://name                   at most 256 characters
 * tls://host:port                 hosts and ports as with tcp, without a source
 * ws://host:port/path             connect: the port may be omitted (80, wss 443); the path may have a query
 * wss://host:port/path            bind: * and port 0 as with tcp; without a port, the name of a web listener
 * scheme://anything               any other scheme: its transport reads the rest
 * ```
 *
 * @module
 */

import { encodeUtf8 } from "../bytes/utf8.ts";
import { type EndpointRole, refusal, shown, splitEndpoint } from "./scheme.ts";

export type { EndpointRole } from "./scheme.ts";

/** The kind of a host. A `name` is a host name on connect and a network interface on bind. */
export type HostKind = "any" | "ipv4" | "ipv6" | "name";

/** A host with its port. */
export interface HostPort {
  readonly hostKind: HostKind;
  /** Without brackets; an IPv6 scope is kept, as in `fe80::1%eth0`. `*` for any. */
  readonly host: string;
  /** 0 also stands for `*`: the system chooses. */
  readonly port: number;
}

/** `tcp://…` */
export interface TcpEndpoint extends HostPort {
  readonly kind: "tcp";
  readonly scheme: "tcp";
  readonly text: string;
  /** The local address to connect from, if the endpoint names one. */
  readonly source?: HostPort;
}

/** `tls://…` */
export interface TlsEndpoint extends HostPort {
  readonly kind: "tls";
  readonly scheme: "tls";
  readonly text: string;
}

/** `ws://…` and `wss://…` */
export interface WebSocketEndpoint extends HostPort {
  readonly kind: "ws";
  readonly scheme: "ws" | "wss";
  readonly text: string;
  /** Begins with `/`. */
  readonly path: string;
  /** Bind without a port: the name of a web listener. */
  readonly web?: string;
}

/** `ipc://…` */
export interface IpcEndpoint {
  readonly kind: "ipc";
  readonly scheme: "ipc";
  readonly text: string;
  readonly ipcKind: "path" | "abstract" | "any";
  /** The path, or the abstract name without its `@`. Empty for `*`. */
  readonly name: string;
}

/** `inproc://…` */
export interface InprocEndpoint {
  readonly kind: "inproc";
  readonly scheme: "inproc";
  readonly text: string;
  readonly name: string;
}

/** An endpoint of any other scheme. */
export interface OtherEndpoint {
  readonly kind: "other";
  readonly scheme: string;
  readonly text: string;
  /** What follows `://`, never empty. */
  readonly rest: string;
}

/** A parsed endpoint. Narrow by `kind`. */
export type Endpoint =
  | TcpEndpoint
  | TlsEndpoint
  | WebSocketEndpoint
  | IpcEndpoint
  | InprocEndpoint
  | OtherEndpoint;

/**
 * Parses an endpoint. Without a `role`, forms that are valid on either side are accepted.
 *
 * @throws {MisuseError} `ERR_ENDPOINT`; the message names the part and what is allowed there.
 */
export function parseEndpoint(text: string, role?: EndpointRole): Endpoint {
  const { scheme, rest } = splitEndpoint(text);
  if (scheme === "tcp") return parseTcp(text, rest, role);
  if (scheme === "tls") {
    return { kind: "tls", scheme, text, ...parseHostPort(text, rest, role ?? "bind") };
  }
  if (scheme === "ws" || scheme === "wss") return parseWebSocket(text, scheme, rest, role ?? "bind");
  if (scheme === "ipc") return parseIpc(text, rest, role);
  if (scheme === "inproc") return { kind: "inproc", scheme, text, name: rest };
  return { kind: "other", scheme, text, rest };
}

/** Like {@link parseEndpoint}, but refuses any scheme except `tcp`. */
export function parseTcpEndpoint(text: string, role?: EndpointRole): TcpEndpoint {
  const endpoint = parseEndpoint(text, role);
  if (endpoint.kind !== "tcp") throw refusal(text, "the scheme must be tcp");
  return endpoint;
}

/** Like {@link parseEndpoint}, but refuses any scheme except `tls`. */
export function parseTlsEndpoint(text: string, role?: EndpointRole): TlsEndpoint {
  const endpoint = parseEndpoint(text, role);
  if (endpoint.kind !== "tls") throw refusal(text, "the scheme must be tls");
  return endpoint;
}

/** Like {@link parseEndpoint}, but refuses any scheme except `ws` and `wss`. */
export function parseWebSocketEndpoint(text: string, role?: EndpointRole): WebSocketEndpoint {
  const endpoint = parseEndpoint(text, role);
  if (endpoint.kind !== "ws") throw refusal(text, "the scheme must be ws or wss");
  return endpoint;
}

/** Like {@link parseEndpoint}, but refuses any scheme except `ipc`. */
export function parseIpcEndpoint(text: string, role?: EndpointRole): IpcEndpoint {
  const endpoint = parseEndpoint(text, role);
  if (endpoint.kind !== "ipc") throw refusal(text, "the scheme must be ipc");
  return endpoint;
}

/**
 * Formats `tcp://host:port`, with brackets around IPv6. An IPv4 peer of a dual-stack listener, which the
 * system shows as `::ffff:1.2.3.4`, is written as plain IPv4.
 */
export function formatTcpEndpoint(host: string, port: number): string {
  if (!host.includes(":")) return `tcp://${host}:${port}`;
  const mapped = host.slice(0, MAPPED_PREFIX.length).toLowerCase() === MAPPED_PREFIX
    ? host.slice(MAPPED_PREFIX.length)
    : "";
  return isIpv4(mapped) ? `tcp://${mapped}:${port}` : `tcp://[${host}]:${port}`;
}

/** Whether `text` is an IPv4 address in four decimal parts without leading zeros. */
export function isIpv4(text: string): boolean {
  if (text.length < 7 || text.length > 15) return false;
  const parts = text.split(".");
  return parts.length === 4 && parts.every(isOctet);
}

/** Whether `text` is an IPv6 address, with or without a `%scope`, without brackets. */
export function isIpv6(text: string): boolean {
  const percent = text.indexOf("%");
  const address = percent < 0 ? text : text.slice(0, percent);
  if (percent >= 0 && !isScope(text.slice(percent + 1))) return false;
  // 45 characters: eight groups of four, or six of them and a full IPv4 address.
  if (address.length < 2 || address.length > 45) return false;
  const gap = address.indexOf("::");
  if (gap < 0) return countGroups(address, true) === 8;
  if (address.indexOf("::", gap + 1) >= 0) return false;
  const before = countGroups(address.slice(0, gap), false);
  const after = countGroups(address.slice(gap + 2), true);
  return before >= 0 && after >= 0 && before + after <= 7;
}

function parseTcp(text: string, rest: string, role: EndpointRole | undefined): TcpEndpoint {
  const semicolon = rest.indexOf(";");
  if (semicolon < 0) {
    return { kind: "tcp", scheme: "tcp", text, ...parseHostPort(text, rest, role ?? "bind") };
  }
  if (role === "bind") throw refusal(text, "a source address (source;target) is allowed on connect only");
  if (rest.indexOf(";", semicolon + 1) >= 0) throw refusal(text, "at most one ; is allowed");
  const source = parseHostPort(text, rest.slice(0, semicolon), "bind");
  const target = parseHostPort(text, rest.slice(semicolon + 1), "connect");
  return { kind: "tcp", scheme: "tcp", text, ...target, source };
}

/** RFC 6455 §3: `ws://host[:port][/path][?query]`, and no fragment. */
function parseWebSocket(
  text: string,
  scheme: "ws" | "wss",
  rest: string,
  role: EndpointRole,
): WebSocketEndpoint {
  const end = rest.search(/[/?#]/);
  const authority = end < 0 ? rest : rest.slice(0, end);
  const path = end < 0 ? "/" : rest.slice(end);
  if (authority.includes("@")) throw refusal(text, "a user name is not allowed; set headers instead");
  if (path.includes("#")) throw refusal(text, "a fragment (#) is not allowed");
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code <= 0x20 || code > 0x7e) {
      throw refusal(text, "spaces and letters like ü in a path must be escaped (%20)");
    }
  }
  const head = { kind: "ws", scheme, text, path: path.startsWith("/") ? path : `/${path}` } as const;
  // A port follows the last colon, unless that is inside the brackets of an IPv6 address.
  if (authority.lastIndexOf(":") > authority.lastIndexOf("]")) {
    return { ...head, ...parseHostPort(text, authority, role) };
  }
  if (role === "connect") {
    return { ...head, ...parseHostPort(text, `${authority}:${scheme === "ws" ? 80 : 443}`, role) };
  }
  if (authority.startsWith("[")) throw refusal(text, "the port is missing, as in [::1]:8080");
  const { host, hostKind } = parseHost(text, authority, role);
  if (hostKind !== "name") throw refusal(text, "the port is missing, as in host:8080");
  return { ...head, hostKind, host, port: 0, web: host };
}

function parseHostPort(text: string, part: string, role: EndpointRole): HostPort {
  const bracket = part.startsWith("[") ? part.indexOf("]") : -1;
  if (part.startsWith("[") && bracket < 0) throw refusal(text, "the [ of the IPv6 address has no ]");
  const colon = bracket < 0 ? part.indexOf(":") : bracket + 1;
  if (colon < 0 || colon === part.length) throw refusal(text, "the port is missing, as in host:5555");
  if (part[colon] !== ":") throw refusal(text, "host and port must be joined by a :");
  const port = parsePort(text, part.slice(colon + 1), role, bracket >= 0);
  if (bracket < 0) return { ...parseHost(text, part.slice(0, colon), role), port };
  const host = part.slice(1, bracket);
  if (!isIpv6(host)) throw refusal(text, "the host in brackets must be an IPv6 address, as in [::1]");
  return { hostKind: "ipv6", host, port };
}

function parseHost(text: string, host: string, role: EndpointRole): { hostKind: HostKind; host: string } {
  if (host === "") {
    throw refusal(text, `the host is missing${role === "bind" ? "; * stands for every interface" : ""}`);
  }
  if (host === "*") {
    if (role === "connect") throw refusal(text, "the host * is allowed on bind only");
    return { hostKind: "any", host };
  }
  if (isIpv4(host)) return { hostKind: "ipv4", host };
  checkHostName(text, host);
  return { hostKind: "name", host };
}

function checkHostName(text: string, host: string): void {
  if (host.length > HOST_LENGTH_MAX) {
    throw refusal(text, `the host has ${host.length} characters; at most ${HOST_LENGTH_MAX} are allowed`);
  }
  for (let i = 0; i < host.length; i++) {
    if (isHostCharacter(host.charCodeAt(i))) continue;
    const hint = host.charCodeAt(i) > 0x7e ? "; write an international name in its xn-- form" : "";
    throw refusal(text, `the host may contain letters, digits, ., - and _ only${hint}`);
  }
  const labels = (host.endsWith(".") ? host.slice(0, -1) : host).split(".");
  if (labels.some((label) => label === "" || label.length > 63)) {
    throw refusal(text, "each part of the host must have 1 to 63 characters");
  }
  // A last part of digits can only be meant as an IPv4 address, which this is not.
  if (isDigits(labels[labels.length - 1] ?? "")) {
    throw refusal(text, "the host must be an IPv4 address with four parts from 0 to 255, as in 127.0.0.1");
  }
}

function parsePort(text: string, port: string, role: EndpointRole, bracketed: boolean): number {
  const allowed = role === "bind" ? "0 to 65535 or *" : "1 to 65535";
  if (port === "*" && role === "bind") return 0;
  if (port.includes(":") && !bracketed) {
    throw refusal(text, "an IPv6 address must be in brackets, as in [::1]");
  }
  if (port === "") throw refusal(text, `the port is missing; allowed is ${allowed}`);
  const number = port.length <= 5 && isDigits(port) ? Number(port) : NaN;
  if (number <= 65535 && (number > 0 || role === "bind")) return number;
  throw refusal(text, `the port is ${shown(port)}; allowed is ${allowed}`);
}

function parseIpc(text: string, rest: string, role: EndpointRole | undefined): IpcEndpoint {
  if (rest === "*") {
    if (role === "connect") throw refusal(text, "ipc://* is allowed on bind only");
    return { kind: "ipc", scheme: "ipc", text, ipcKind: "any", name: "" };
  }
  const bytes = encodeUtf8(rest).length;
  if (bytes > IPC_BYTES_MAX) {
    throw refusal(text, `the path has ${bytes} bytes; the system allows at most ${IPC_BYTES_MAX}`);
  }
  if (!rest.startsWith("@")) return { kind: "ipc", scheme: "ipc", text, ipcKind: "path", name: rest };
  if (rest === "@") throw refusal(text, "a name must follow the @");
  return { kind: "ipc", scheme: "ipc", text, ipcKind: "abstract", name: rest.slice(1) };
}

/** Returns the number of 16-bit groups in `text`, or -1 if it is invalid. Empty text has none. */
function countGroups(text: string, ipv4Allowed: boolean): number {
  if (text === "") return 0;
  const groups = text.split(":");
  let count = 0;
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i] ?? "";
    if (isHexGroup(group)) count += 1;
    // The last 32 bits may be written as an IPv4 address (RFC 4291 §2.2).
    else if (ipv4Allowed && i === groups.length - 1 && isIpv4(group)) count += 2;
    else return -1;
  }
  return count;
}

function isHexGroup(group: string): boolean {
  if (group.length < 1 || group.length > 4) return false;
  for (let i = 0; i < group.length; i++) {
    const code = group.charCodeAt(i);
    const lower = code | 0x20;
    if (!isDigit(code) && (lower < 0x61 || lower > 0x66)) return false;
  }
  return true;
}

function isScope(scope: string): boolean {
  if (scope === "" || scope.length > SCOPE_LENGTH_MAX) return false;
  for (let i = 0; i < scope.length; i++) {
    if (!isHostCharacter(scope.charCodeAt(i))) return false;
  }
  return true;
}

function isOctet(text: string): boolean {
  // A leading zero means octal to some systems and decimal to others, so it is refused.
  return text.length <= 3 && isDigits(text) && Number(text) <= 255 && (text === "0" || !text.startsWith("0"));
}

function isDigits(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (!isDigit(text.charCodeAt(i))) return false;
  }
  return text !== "";
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isHostCharacter(code: number): boolean {
  const lower = code | 0x20;
  return isDigit(code) || (lower >= 0x61 && lower <= 0x7a) || code === 0x2d || code === 0x2e || code === 0x5f;
}

/** The longest name that DNS allows. */
const HOST_LENGTH_MAX = 253;
/** `sun_path` has 108 bytes on Linux, one of which is the NUL at the end or at the front. */
const IPC_BYTES_MAX = 107;
/** Linux interface names have at most 15 characters; other systems allow more. */
const SCOPE_LENGTH_MAX = 32;
const MAPPED_PREFIX = "::ffff:";
