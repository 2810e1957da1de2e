/**
 * Reads the head of an HTTP request or response (RFC 9112): the start line and the headers, and nothing after
 * them. Strict where readers differ, because a proxy in front of us that reads it in another way could be
 * tricked: no folded lines, no bare CR or LF, no blank before a colon, no second header that must be one.
 *
 * @module
 */

import { asciiText, viewOf } from "../../bytes/bytes.ts";
import { next, type Table } from "../../state_table.ts";

/** A head may have this many bytes with all its line ends. */
export const HEAD_BYTES_MAX = 16_384;
/** One line of it, without its end. */
export const LINE_BYTES_MAX = 8_192;
/** And this many headers. */
export const HEADERS_MAX = 100;

/** Why a head is refused, and the status that says so to a client. */
export interface HeadFailure {
  readonly status: number;
  /** Goes after "the head has" or "its head is": a plain phrase. */
  readonly why: string;
}

/**
 * How much of a head was read. `start`: the start line comes. `headers`: a header or the empty line comes.
 */
type HeadState = "start" | "headers" | "whole" | "failed";
type HeadInput = "line" | "empty" | "failed";

const HEAD_TRANSITIONS: Table<HeadState, HeadInput> = {
  start: { line: "headers", empty: "failed", failed: "failed" },
  headers: { line: "headers", empty: "whole", failed: "failed" },
  whole: {},
  failed: {},
};

/** The headers that a request may have once at most. */
export const REQUEST_SINGLES: ReadonlySet<string> = new Set([
  "host",
  "origin",
  "content-length",
  "sec-websocket-key",
  "sec-websocket-version",
]);

/** The headers that a response may have once at most. */
export const RESPONSE_SINGLES: ReadonlySet<string> = new Set([
  "content-length",
  "sec-websocket-accept",
  "sec-websocket-protocol",
]);

/** Headers by name in lower case. Values of a repeated one are joined by `, `. */
export class Headers {
  readonly values: Map<string, string> = new Map();
  readonly #singles: ReadonlySet<string>;
  #count = 0;

  constructor(singles: ReadonlySet<string>) {
    this.#singles = singles;
  }

  /** Adds a header as it was sent. Returns why it is refused. */
  add(name: string, value: string): HeadFailure | undefined {
    this.#count += 1;
    if (this.#count > HEADERS_MAX) return { status: 431, why: `more than ${HEADERS_MAX} headers` };
    const key = name.toLowerCase();
    const before = this.values.get(key);
    if (before !== undefined && this.#singles.has(key)) return { status: 400, why: `two headers ${name}` };
    this.values.set(key, before === undefined ? value : `${before}, ${value}`);
    return undefined;
  }
}

const CR = 0x0d;
const LF = 0x0a;
const TAB = 0x09;
const SPACE = 0x20;
const COLON = 0x3a;

/** The reader of one head. Memory grows with what has arrived, never with what is announced. */
export class HeadReader {
  /** The start line, once it was read. */
  line = "";
  readonly headers: Headers;
  /** Why the head is refused. Nothing more is read then. */
  failure: HeadFailure | undefined;
  #state: HeadState = "start";
  #buffer: Uint8Array = new Uint8Array(256);
  #filled = 0;
  #headBytes = 0;
  #sawCr = false;

  /** `singles`: the headers that may come once at most. */
  constructor(singles: ReadonlySet<string>) {
    this.headers = new Headers(singles);
  }

  /** Whether the head is whole. */
  get whole(): boolean {
    return this.#state === "whole";
  }

  /** Whether the start line was read. */
  get hasLine(): boolean {
    return this.#state === "headers" || this.#state === "whole";
  }

  /** Reads a chunk up to the end of the head, and returns how many of its bytes that took. */
  receive(chunk: Uint8Array): number {
    let at = 0;
    while (at < chunk.length && this.#state !== "whole" && this.#state !== "failed") {
      this.#take(chunk[at]!);
      at += 1;
    }
    return at;
  }

  #take(byte: number): void {
    this.#headBytes += 1;
    if (this.#headBytes > HEAD_BYTES_MAX) {
      return this.#fail(431, `more than ${HEAD_BYTES_MAX} bytes`);
    }
    if (this.#sawCr) {
      if (byte !== LF) return this.#fail(400, "a CR without LF");
      this.#sawCr = false;
      return this.#endLine();
    }
    if (byte === CR) {
      this.#sawCr = true;
      return;
    }
    if (byte === LF) return this.#fail(400, "an LF without CR");
    if ((byte < SPACE && byte !== TAB) || byte === 0x7f) {
      const first = this.#headBytes === 1 ? "it does not begin as HTTP does" : "a control character";
      return this.#fail(400, first);
    }
    if (this.#state === "start" && (byte > 0x7f || byte === TAB)) {
      return this.#fail(
        400,
        this.#headBytes === 1
          ? "it does not begin as HTTP does"
          : "a start line with bytes that are not ASCII",
      );
    }
    this.#append(byte);
  }

  #append(byte: number): void {
    if (this.#filled === LINE_BYTES_MAX) {
      const isStart = this.#state === "start";
      return this.#fail(isStart ? 414 : 431, `a line of more than ${LINE_BYTES_MAX} bytes`);
    }
    if (this.#filled === this.#buffer.length) {
      const grown = new Uint8Array(Math.min(LINE_BYTES_MAX, this.#filled * 2));
      grown.set(this.#buffer);
      this.#buffer = grown;
    }
    this.#buffer[this.#filled] = byte;
    this.#filled += 1;
  }

  #endLine(): void {
    if (this.#filled === 0) {
      if (this.#state === "start") return this.#fail(400, "an empty start line");
      this.#go("empty");
      return;
    }
    const line = viewOf(this.#buffer, 0, this.#filled);
    this.#filled = 0;
    if (this.#state === "start") {
      this.line = asciiText(line);
      return this.#go("line");
    }
    const failure = addLine(this.headers, line);
    if (failure !== undefined) this.#fail(failure.status, failure.why);
  }

  #fail(status: number, why: string): void {
    this.failure = { status, why };
    this.#go("failed");
  }

  #go(input: HeadInput): void {
    this.#state = next(HEAD_TRANSITIONS, this.#state, input);
  }
}

function addLine(headers: Headers, line: Uint8Array): HeadFailure | undefined {
  if (line[0] === SPACE || line[0] === TAB) return { status: 400, why: "a folded header" };
  const colon = line.indexOf(COLON);
  if (colon < 0) return { status: 400, why: "a header without a colon" };
  const name = asciiText(viewOf(line, 0, colon));
  if (!isToken(name)) return { status: 400, why: "a header whose name is none" };
  let start = colon + 1;
  let end = line.length;
  while (start < end && isBlank(line[start]!)) start += 1;
  while (end > start && isBlank(line[end - 1]!)) end -= 1;
  return headers.add(name, asciiText(viewOf(line, start, end)));
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** RFC 9110 §5.6.2 */
export function isToken(text: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text);
}

/** Whether a comma-separated list has `token`, in any case (RFC 9110 §5.6.1). */
export function listHas(list: string | undefined, token: string): boolean {
  return listItems(list).some((item) => item.toLowerCase() === token);
}

/** The items of a comma-separated list, without blanks and without empty ones. */
export function listItems(list: string | undefined): string[] {
  return (list ?? "").split(",").map((item) => item.trim()).filter((item) => item !== "");
}

/** Text of a peer as a message shows it: printable ASCII, and not too long. */
export function shownText(text: string, lengthMax = 120): string {
  const part = text.length > lengthMax ? `${text.substring(0, lengthMax)}…` : text;
  return part.replace(
    /[^\x20-\x7e…]|\\/g,
    (letter) => `\\x${letter.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
