/**
 * The server's side of the HTTP upgrade to a WebSocket (RFC 6455 §4.2): reads one request, and switches or
 * refuses with a response of plain text. What is refused also tells the listener why.
 *
 * @module
 */

import { asciiBytes, concat, NO_BYTES, viewOf } from "../../bytes/bytes.ts";
import { PeerError } from "../../errors.ts";
import type { TransportInfo } from "../../ports.ts";
import { next } from "../../state_table.ts";
import { HeadReader, REQUEST_SINGLES, shownText } from "./http_head.ts";
import type { Opening, OpeningStream } from "../opening.ts";
import {
  admit,
  type Admitted,
  checkRequest,
  forwardedFor,
  isPromise,
  parseRequestLine,
  pathOf,
  type Refusal,
  type RequestHead,
  requestOf,
  type UpgradePolicy,
  withoutQuery,
} from "./policy.ts";
import {
  acceptOf,
  UPGRADE_TRANSITIONS,
  type UpgradeInput,
  type UpgradeState,
  WEBSOCKET_VERSION,
  withScheme,
} from "./states.ts";

/** Bytes that may arrive behind the request before it is decided on. A client should send none. */
export const GLUED_BYTES_MAX = 65_536;

/** What a server lets in. */
export interface ServerUpgradeInit {
  readonly scheme: "ws" | "wss";
  /** The endpoint that was bound, for messages. */
  readonly endpoint: string;
  /** The rules of a path (without its query); `undefined` if nothing is bound there. */
  readonly policyOf: (path: string) => UpgradePolicy | undefined;
  /** The request, if a web server has read it (or why it is refused), and what came behind it. */
  readonly request?: { readonly head: RequestHead | Refusal; readonly rest: Uint8Array } | undefined;
}

/** One upgrade, as the server does it. */
export class ServerUpgrade implements Opening {
  readonly #init: ServerUpgradeInit;
  readonly #reader: HeadReader = new HeadReader(REQUEST_SINGLES);
  #state: UpgradeState = "fresh";
  #stream: OpeningStream | undefined;
  #info: TransportInfo | undefined;
  #remoteAddress = "";
  /** What came behind the request. */
  #glued: Uint8Array[] = [];
  #gluedBytes = 0;

  constructor(init: ServerUpgradeInit) {
    this.#init = init;
  }

  start(stream: OpeningStream, info: TransportInfo): void {
    this.#stream = stream;
    this.#info = info;
    this.#remoteAddress = withScheme(info.remoteAddress, this.#init.scheme);
    this.#go("started");
    const { request } = this.#init;
    if (request === undefined) return;
    const { head, rest } = request;
    if ("status" in head) this.#refuse(head);
    else if (this.#keep(rest)) this.#judge(head);
  }

  receive(chunk: Uint8Array): void {
    if (this.#state === "deciding") {
      this.#keep(chunk);
      return;
    }
    if (this.#state !== "reading") return;
    const reader = this.#reader;
    const used = reader.receive(chunk);
    const { failure } = reader;
    if (failure !== undefined) {
      const why = `The head of the request is not valid HTTP: ${failure.why}`;
      return this.#refuse({ status: failure.status, why });
    }
    if (!reader.whole || (used < chunk.length && !this.#keep(viewOf(chunk, used, chunk.length)))) return;
    const line = parseRequestLine(reader.line);
    if ("status" in line) return this.#refuse(line);
    this.#judge({ ...line, headers: reader.headers.values });
  }

  ended(): void {
    if (this.#state === "over") return;
    const when = this.#state === "reading" ? "in the middle of its request" : "before it was decided on";
    this.#fail(`The client ended the connection ${when}`);
  }

  abandoned(): void {
    this.#go("ended");
    this.#glued = [];
  }

  /** Keeps what must wait. Returns whether it may. */
  #keep(chunk: Uint8Array): boolean {
    this.#gluedBytes += chunk.length;
    if (this.#gluedBytes > GLUED_BYTES_MAX) {
      const why = `The client sent more than ${GLUED_BYTES_MAX} bytes before it got a response`;
      this.#refuse({ status: 400, why });
      return false;
    }
    if (chunk.length > 0) this.#glued.push(chunk);
    return true;
  }

  #judge(head: RequestHead): void {
    const invalid = checkRequest(head);
    if (invalid !== undefined) return this.#refuse(invalid);
    const path = withoutQuery(pathOf(head.target)!);
    const policy = this.#init.policyOf(path);
    if (policy === undefined) {
      return this.#refuse({ status: 404, why: `No socket is bound at the path ${shownText(path)}` });
    }
    const admitted = admit(head, policy);
    if ("status" in admitted) return this.#refuse(admitted);
    const { accept, trustProxy } = policy.webSocket;
    if (trustProxy === true) {
      const named = forwardedFor(head.headers);
      if (named !== undefined) this.#remoteAddress = forwardedAddress(this.#init.scheme, named);
    }
    if (accept === undefined) return this.#switch(head, admitted);
    this.#ask(head, admitted, accept);
  }

  #ask(
    head: RequestHead,
    admitted: Admitted,
    accept: NonNullable<UpgradePolicy["webSocket"]["accept"]>,
  ): void {
    this.#go("asked");
    const decide = (allowed: unknown): void => {
      if (this.#state !== "deciding") return;
      if (allowed === true) this.#switch(head, admitted);
      else this.#refuse({ status: 403, why: "The application does not accept the request" });
    };
    const failed = (cause: unknown): void => {
      if (this.#state !== "deciding") return;
      this.#refuse({ status: 500, why: "The application's accept failed" }, cause);
    };
    try {
      const verdict = accept(requestOf(head, this.#remoteAddress));
      if (isPromise(verdict)) verdict.then(decide, failed);
      else decide(verdict);
    } catch (cause) {
      failed(cause);
    }
  }

  #switch(head: RequestHead, { protocol, key }: Admitted): void {
    const stream = this.#stream!;
    const { scheme } = this.#init;
    const { path, host, origin } = requestOf(head, this.#remoteAddress);
    const rest = this.#gluedBytes === 0 ? NO_BYTES : concat(this.#glued, this.#gluedBytes);
    this.#glued = [];
    this.#go("ended");
    stream.write(asciiBytes(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${acceptOf(key)}\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
    ));
    stream.done({
      protocol,
      http: { path, host, origin, protocol },
      localAddress: withScheme(this.#info!.localAddress, scheme) + withoutQuery(path),
      remoteAddress: this.#remoteAddress,
      rest,
    });
  }

  #refuse(refusal: Refusal, cause?: unknown): void {
    this.#stream!.write(refusalResponse(refusal));
    this.#fail(`${refusal.why} (refused with status ${refusal.status})`, cause);
  }

  #fail(why: string, cause?: unknown): void {
    this.#glued = [];
    this.#go("ended");
    this.#stream!.fail(requestError(this.#init.endpoint, this.#remoteAddress, why, cause));
  }

  #go(input: UpgradeInput): void {
    this.#state = next(UPGRADE_TRANSITIONS, this.#state, input);
  }
}

/** What a listener is told of a request that it refused. */
export function requestError(
  endpoint: string,
  remoteAddress: string,
  why: string,
  cause?: unknown,
): PeerError {
  const reason = cause === undefined ? "" : `: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new PeerError(
    "ERR_HTTP_REQUEST",
    `No WebSocket for ${remoteAddress} at ${endpoint}: ${why}${reason}`,
    cause === undefined ? undefined : { cause },
  );
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [400, "Bad Request"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [414, "URI Too Long"],
  [426, "Upgrade Required"],
  [431, "Request Header Fields Too Large"],
  [500, "Internal Server Error"],
  [503, "Service Unavailable"],
  [505, "HTTP Version Not Supported"],
]);

/** The headers that a status demands (RFC 9110 §15.5.6, §15.5.22; RFC 6455 §4.4). */
export function refusalHeaders(status: number): Readonly<Record<string, string>> {
  if (status === 405) return { Allow: "GET" };
  if (status !== 426) return {};
  return { Upgrade: "websocket", "Sec-WebSocket-Version": WEBSOCKET_VERSION };
}

/** A whole response that refuses a request and ends the connection. */
export function refusalResponse({ status, why }: Refusal): Uint8Array {
  const body = `${why.replaceAll("…", "...")}.\n`;
  const connection = status === 426 ? "Upgrade, close" : "close";
  let text = `HTTP/1.1 ${status} ${REASONS.get(status) ?? "Refused"}\r\nConnection: ${connection}\r\n`;
  for (const [name, value] of Object.entries(refusalHeaders(status))) text += `${name}: ${value}\r\n`;
  text += `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  return asciiBytes(text);
}

/** What a proxy calls an address, as an endpoint. Port 0: the proxy did not say. */
export function forwardedAddress(scheme: string, named: string): string {
  const colons = named.split(":").length - 1;
  if (named.startsWith("[")) return `${scheme}://${named}${named.endsWith("]") ? ":0" : ""}`;
  if (colons === 1) return `${scheme}://${named}`;
  return colons === 0 ? `${scheme}://${named}:0` : `${scheme}://[${named}]:0`;
}
