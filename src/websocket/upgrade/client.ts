/**
 * The client's side of the HTTP upgrade to a WebSocket (RFC 6455 §4.1): one request, and the checks of the
 * response. Whatever is not a WebSocket of ours ends with an error that says what to do about it.
 *
 * @module
 */

import { encodeBase64 } from "../../bytes/base64.ts";
import { asciiBytes, NO_BYTES, printableText, viewOf } from "../../bytes/bytes.ts";
import { PeerError } from "../../errors.ts";
import type { Host, TransportInfo } from "../../ports.ts";
import { next } from "../../state_table.ts";
import type { HttpInfo } from "../../transport_options.ts";
import { HeadReader, listHas, listItems, RESPONSE_SINGLES, shownText } from "./http_head.ts";
import type { Opening, OpeningStream } from "../opening.ts";
import {
  acceptOf,
  protocolsOf,
  UPGRADE_TRANSITIONS,
  type UpgradeInput,
  type UpgradeState,
  WEBSOCKET_VERSION,
  withScheme,
} from "./states.ts";

/** What a client asks for. */
export interface ClientUpgradeInit {
  /** The endpoint as the application wrote it, for messages. */
  readonly endpoint: string;
  readonly scheme: "ws" | "wss";
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** With its query. */
  readonly path: string;
  /** The security mechanism of the socket. Default `NULL`. */
  readonly mechanism?: string | undefined;
  /**
   * Offer sub-protocols without a slash, `ZWS2.0.NULL`: RFC 6455 §4.1 allows none, RFC 45 has one, and many
   * servers refuse the request for it. Default false.
   */
  readonly tokens?: boolean | undefined;
  /** The server refused the request as malformed, status 400. */
  readonly malformed?: (() => void) | undefined;
  /** Headers of the application. Those that the upgrade itself sends are left out. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** For the key. */
  readonly random: Host["random"];
}

/** Headers that belong to the upgrade itself, in lower case. */
const OWN_HEADERS = /^(?:host|connection|upgrade|content-length|transfer-encoding|sec-websocket-.*)$/;

const KEY_BYTES = 16;

/** One upgrade, as the client does it. */
export class ClientUpgrade implements Opening {
  readonly #init: ClientUpgradeInit;
  readonly #protocols: readonly string[];
  readonly #reader: HeadReader = new HeadReader(RESPONSE_SINGLES);
  readonly #key: string;
  #state: UpgradeState = "fresh";
  #stream: OpeningStream | undefined;
  #info: TransportInfo | undefined;

  constructor(init: ClientUpgradeInit) {
    this.#init = init;
    const protocols = protocolsOf(init.mechanism);
    this.#protocols = init.tokens === true ? protocols.map((name) => name.replace("/", ".")) : protocols;
    const key = new Uint8Array(KEY_BYTES);
    init.random(key);
    this.#key = encodeBase64(key);
  }

  start(stream: OpeningStream, info: TransportInfo): void {
    this.#stream = stream;
    this.#info = info;
    this.#go("started");
    stream.write(asciiBytes(this.#request()));
  }

  receive(chunk: Uint8Array): void {
    if (this.#state !== "reading") return;
    const reader = this.#reader;
    const used = reader.receive(chunk);
    const rest = used === chunk.length ? NO_BYTES : viewOf(chunk, used, chunk.length);
    if (reader.failure !== undefined) {
      const first = reader.hasLine ? "" : `; it sent ${printableText(chunk, FOREIGN_BYTES_SHOWN)}`;
      const remedy = this.#init.scheme === "ws"
        ? "perhaps it is no WebSocket server, or it requires wss://"
        : "perhaps it is no WebSocket server";
      return this.#fail(`its response is not HTTP: ${reader.failure.why}${first}. Check the port; ${remedy}`);
    }
    // Who speaks first and is no HTTP server, such as SSH, may never end its head.
    if (reader.hasLine && !isStatusLine(reader.line)) {
      return this.#fail(`its response is not HTTP/1.1: ${shownText(reader.line)}. Check the port`);
    }
    if (reader.whole) this.#judge(rest);
  }

  ended(): void {
    if (this.#state !== "reading") return;
    const part = this.#reader.hasLine ? "in the middle of its response" : "without a response";
    this.#fail(
      `it ended the connection ${part}. Perhaps a proxy cut it, or the server takes no requests for ` +
        `${this.#init.scheme === "ws" ? "ws://; try wss://" : "wss://"}`,
    );
  }

  abandoned(): void {
    this.#go("ended");
  }

  #request(): string {
    const { path, headers = {} } = this.#init;
    let text = `GET ${path} HTTP/1.1\r\nHost: ${this.#host()}\r\nUpgrade: websocket\r\n` +
      `Connection: Upgrade\r\nSec-WebSocket-Key: ${this.#key}\r\n` +
      `Sec-WebSocket-Version: ${WEBSOCKET_VERSION}\r\n` +
      `Sec-WebSocket-Protocol: ${this.#protocols.join(", ")}\r\n`;
    for (const [name, value] of Object.entries(headers)) {
      if (!OWN_HEADERS.test(name.toLowerCase())) text += `${name}: ${value}\r\n`;
    }
    return `${text}\r\n`;
  }

  /** RFC 9110 §7.2: without the port if it is the scheme's own. A scope means nothing to the other side. */
  #host(): string {
    const { scheme, host, port } = this.#init;
    const name = host.includes(":") ? `[${host.split("%")[0]!}]` : host;
    return port === (scheme === "ws" ? 80 : 443) ? name : `${name}:${port}`;
  }

  #judge(rest: Uint8Array): void {
    const { line, headers: { values } } = this.#reader;
    const status = Number(line.substring(STATUS_AT, STATUS_AT + 3));
    if (status !== 101) return this.#refused(status, rest);
    if (!listHas(values.get("upgrade"), "websocket") || !listHas(values.get("connection"), "upgrade")) {
      return this.#fail("it switches to something else than a WebSocket (status 101)");
    }
    if (values.get("sec-websocket-accept") !== acceptOf(this.#key)) {
      return this.#fail(
        "its Sec-WebSocket-Accept does not belong to our key: a cache or proxy in between replied for it",
      );
    }
    if (values.has("sec-websocket-extensions")) {
      return this.#fail(
        `it uses an extension that was not offered: ${shownText(values.get("sec-websocket-extensions")!)}`,
      );
    }
    const protocol = values.get("sec-websocket-protocol");
    if (protocol === undefined || !this.#protocols.includes(protocol)) return this.#foreign(protocol);
    const { scheme, path } = this.#init;
    const { localAddress, remoteAddress } = this.#info!;
    const http: HttpInfo = { path, host: this.#host(), origin: undefined, protocol };
    this.#go("ended");
    this.#stream!.done({
      protocol,
      http,
      localAddress: withScheme(localAddress, scheme),
      remoteAddress: withScheme(remoteAddress, scheme),
      rest,
    });
  }

  #foreign(protocol: string | undefined): void {
    const offered = this.#protocols.join(", ");
    if (protocol === undefined) {
      return this.#fail(
        `it opened a WebSocket without a sub-protocol; we offered ${offered}. It is no ZeroMQ socket`,
      );
    }
    this.#fail(
      `it chose the sub-protocol ${
        shownText(protocol)
      }; we offered ${offered}. Check the mechanism on both sides`,
    );
  }

  #refused(status: number, body: Uint8Array): void {
    if (status === 400) this.#init.malformed?.();
    const { line, headers: { values } } = this.#reader;
    const reason = shownText(line.substring(STATUS_AT));
    const location = values.get("location");
    const remedy = status >= 300 && status < 400 && location !== undefined
      ? `It redirects to ${shownText(location)}: connect there`
      : REMEDIES.get(status) ?? familyRemedy(status);
    const version = values.get("sec-websocket-version");
    const wanted = version === undefined || listItems(version).includes(WEBSOCKET_VERSION)
      ? ""
      : `; it wants version ${shownText(version)}`;
    this.#fail(`it responded ${reason}${wanted}. ${remedy}${said(values.get("content-type"), body)}`);
  }

  #fail(why: string): void {
    this.#go("ended");
    this.#stream!.fail(
      new PeerError("ERR_HTTP_RESPONSE", `Cannot open a WebSocket at ${this.#init.endpoint}: ${why}`),
    );
  }

  #go(input: UpgradeInput): void {
    this.#state = next(UPGRADE_TRANSITIONS, this.#state, input);
  }
}

/** RFC 9112 §4: the reason is for people, and may be missing. */
function isStatusLine(line: string): boolean {
  return /^HTTP\/1\.1 [1-5][0-9][0-9](?: |$)/.test(line);
}

const STATUS_AT = "HTTP/1.1 ".length;

/** What to do about a status. */
const REMEDIES: ReadonlyMap<number, string> = new Map([
  [200, "An ordinary web server or page is there: check host, port and path"],
  [400, "It finds the request malformed, or speaks no ZeroMQ: check the port and the mechanism"],
  [401, "It wants to know who we are: set webSocket.headers, such as Authorization"],
  [403, "It does not admit us: check webSocket.headers here, and allowOrigins, allowHosts and accept there"],
  [404, "Nothing is bound at this path: check the path"],
  [405, "It takes no GET at this path: check the path"],
  [407, "A proxy wants to know who we are: set webSocket.headers, such as Proxy-Authorization"],
  [426, "It saw no request for a WebSocket that it can serve: a proxy may have removed the header Upgrade"],
  [429, "It has too many requests: it is tried again"],
  [431, "The request is too large for it: set fewer or shorter webSocket.headers"],
  [502, "A proxy cannot reach the server behind it: check that server"],
  [503, "It is overloaded or not started yet: it is tried again"],
  [504, "A proxy got no response from the server behind it: check that server"],
]);

function familyRemedy(status: number): string {
  if (status < 200) return "It sends a provisional response, which no WebSocket server does";
  if (status < 300) return REMEDIES.get(200)!;
  if (status < 400) return "It redirects elsewhere, and does not say where to";
  return status < 500 ? REMEDIES.get(400)! : "The server failed: see its log";
}

/** How many bytes of a foreign server are shown in a message. */
const FOREIGN_BYTES_SHOWN = 60;
const BODY_BYTES_SHOWN = 200;

/** What a plain text that came with the response says. */
function said(contentType: string | undefined, body: Uint8Array): string {
  if (contentType === undefined || !contentType.toLowerCase().startsWith("text/plain")) return "";
  const text = printableText(body, BODY_BYTES_SHOWN).replaceAll("\\x0d", "").replaceAll("\\x0a", " ").trim();
  return text === "" ? "" : `. It says: ${text}`;
}
