/**
 * The checks of the options that sockets hand to their transports.
 *
 * @module
 */

import { isPlainObject } from "../arguments.ts";
import type { TlsOptions, WebSocketOptions } from "../transport_options.ts";
import type { TransportOptionRows } from "./options.ts";

type Checks<Options> = Readonly<Record<keyof Options, (value: unknown) => boolean>>;

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
const isPem = (value: unknown): boolean => isText(value) || (value instanceof Uint8Array && value.length > 0);
const isFlag = (value: unknown): boolean => typeof value === "boolean";
const isList = (value: unknown): boolean => value === "*" || (Array.isArray(value) && value.every(isText));

const TLS_CHECKS: Checks<TlsOptions> = {
  certificate: isPem,
  certificateFile: isText,
  key: isPem,
  keyFile: isText,
  keyPassphrase: (value) => typeof value === "string",
  authorities: (value) => isPem(value) || (Array.isArray(value) && value.length > 0 && value.every(isPem)),
  authoritiesFile: isText,
  serverName: isText,
  clientCertificates: (value) => value === "none" || value === "request" || value === "require",
  allowSelfSigned: isFlag,
};

const WEB_SOCKET_CHECKS: Checks<WebSocketOptions> = {
  allowOrigins: isList,
  allowHosts: isList,
  accept: (value) => typeof value === "function",
  trustProxy: isFlag,
  headers: isHeaders,
  pingIntervalMs: (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31,
};

/** Whether each field is known and allowed, and none is given both as content and as a file. */
export function isTlsOptions(value: unknown): value is TlsOptions {
  return hasOnly(value, TLS_CHECKS) &&
    ["certificate", "key", "authorities"].every((name) =>
      value[name] === undefined || value[`${name}File`] === undefined
    );
}

/** Whether each field is known and allowed. */
export function isWebSocketOptions(value: unknown): value is WebSocketOptions {
  return hasOnly(value, WEB_SOCKET_CHECKS);
}

/** What platforms whose transports use them allow, besides `null`, as the options of that name. */
export const TRANSPORT_OPTIONS: TransportOptionRows = {
  tls: {
    allows: isTlsOptions,
    allowed: `an object with ${Object.keys(TLS_CHECKS).join(", ")}; nothing both as content and as a file`,
  },
  webSocket: {
    allows: isWebSocketOptions,
    allowed: `an object with ${Object.keys(WEB_SOCKET_CHECKS).join(", ")}`,
  },
};

function hasOnly<Options>(value: unknown, checks: Checks<Options>): value is Record<string, unknown> {
  return isPlainObject(value) &&
    Object.entries(value).every(([name, field]) =>
      field === undefined || (Object.hasOwn(checks, name) && checks[name as keyof Options](field))
    );
}

/**
 * RFC 9110 §5: names are tokens; values have no line ends, which would begin another header. What the upgrade
 * itself sends is not for the application to say.
 */
function isHeaders(value: unknown): boolean {
  return isPlainObject(value) &&
    Object.entries(value).every(([name, text]) =>
      /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) && !OWN_HEADERS.test(name) && typeof text === "string" &&
      /^[\t\x20-\x7e]*$/.test(text)
    );
}

const OWN_HEADERS = /^(?:host|connection|upgrade|content-length|transfer-encoding|sec-websocket-.*)$/i;
