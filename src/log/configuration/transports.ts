/**
 * What a configuration says of `tls://`, `ws://` and `wss://`. Programs hand the same to `startBroker` and
 * `connectLog` as options of their own, in which a certificate may also be text.
 *
 * @module
 */

import type { TlsOptions, WebSocketOptions } from "../../transport_options.ts";
import { checkGiven, type Fields, flagField, msField, textField, textsField } from "./fields.ts";

const isFile = (text: string): boolean => text !== "" && !text.includes("\0");
const isHost = (text: string): boolean => /^[A-Za-z0-9.:_-]+$/.test(text);
const CLIENT_CERTIFICATES: readonly string[] = ["none", "request", "require"];

/** The options of TLS that a configuration can hold: of a broker that listens, and of clients. */
export const TLS_FIELDS: Fields = {
  certificateFile: textField(
    "PEM file of our certificate, of a broker or a client",
    "the path of a file",
    isFile,
  ),
  keyFile: textField("PEM file of its private key", "the path of a file", isFile),
  authoritiesFile: textField(
    "PEM file of the authorities that may vouch for the other side, instead of the runtime's",
    "the path of a file",
    isFile,
  ),
  serverName: textField(
    "name that the broker's certificate must be for, if not the endpoint's host",
    "a host name",
    isHost,
  ),
  clientCertificates: textField(
    "whether clients of the broker present a certificate",
    '"none", "request" or "require"',
    (text) => CLIENT_CERTIFICATES.includes(text),
    "none",
  ),
  allowSelfSigned: flagField(
    "whether clients accept a certificate that only vouches for itself (development)",
    false,
  ),
};

/** The options of WebSockets that a configuration can hold. */
export const WEB_SOCKET_FIELDS: Fields = {
  allowOrigins: textsField(
    "pages that may connect to the broker, such as https://example.org; *: all",
    "a list of origins, or *",
    (text) => text === "*" || /^[a-z][a-z0-9+.-]*:\/\/[\w.:[\]-]+$/.test(text),
    [],
  ),
  allowHosts: textsField(
    "names that clients may use for the broker; *: all. None: all, or on a loopback address only its own",
    "a list of host names, or *",
    (text) => text === "*" || isHost(text),
    [],
  ),
  trustProxy: flagField("whether a client's address is the last entry of X-Forwarded-For", false),
  pingIntervalMs: msField("milliseconds between two WebSocket PINGs; 0: none", 25_000, 0),
};

/** Checks the group `tls`. `undefined`: nothing of it was given. @throws {MisuseError} `ERR_OPTION` */
export function checkTls(input: unknown): TlsOptions | undefined {
  return input === undefined ? undefined : checkGiven("a configuration", TLS_FIELDS, input, "tls.");
}

/** Checks the group `webSocket`. `undefined`: nothing of it was given. @throws {MisuseError} `ERR_OPTION` */
export function checkWebSocket(input: unknown): WebSocketOptions | undefined {
  if (input === undefined) return undefined;
  const { allowOrigins, allowHosts, ...rest } = checkGiven(
    "a configuration",
    WEB_SOCKET_FIELDS,
    input,
    "webSocket.",
  ) as Readonly<Record<string, readonly string[]>>;
  return { ...rest, ...listOf("allowOrigins", allowOrigins), ...listOf("allowHosts", allowHosts) };
}

/** In a list, `*` stands for everything; an empty one is the default. */
function listOf(name: string, list: readonly string[] = []): Record<string, unknown> {
  if (list.length === 0) return {};
  return { [name]: list.includes("*") ? "*" : list };
}
