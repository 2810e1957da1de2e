/**
 * Finds commands in bytes whose messages must wait. While a pipe is full, PING and PONG are still handled on
 * arrival, ahead of the waiting messages; commands that were handled here are skipped when the bytes are
 * decoded.
 *
 * @module
 */

import type { PeerError } from "../errors.ts";
import { FLAG_COMMAND, FLAG_LONG, FLAG_MORE } from "./wire.ts";
import { readSize } from "./frame_decoder.ts";

/** Longer commands keep their place among the messages: their size alone must not make us allocate. */
const COMMAND_BYTES_MAX = 65_536;

/** Scans pending bytes from a frame boundary on. Keeps no message bodies. */
export class CommandScanner {
  /** Commands found since the last {@link reset} and not decoded yet. */
  found = 0;
  readonly #header: Uint8Array = new Uint8Array(9);
  #headerBytes = 0;
  #left = 0;
  #body: Uint8Array | undefined;
  #filled = 0;
  /** Set at a frame that the decoder will refuse or a command that is too long: the rest is not scanned. */
  #blind = false;

  /** Starts again at a frame boundary. */
  reset(): void {
    this.found = 0;
    this.#headerBytes = 0;
    this.#left = 0;
    this.#body = undefined;
    this.#blind = false;
  }

  /** Scans `chunk` and passes on each whole command's body. One that is refused is left to the decoder. */
  scan(chunk: Uint8Array, command: (body: Uint8Array) => PeerError | undefined): void {
    let at = 0;
    while (at < chunk.length && !this.#blind) {
      if (this.#left === 0 && this.#body === undefined) {
        at = this.#headerBytes === 0 ? walkMessages(chunk, at) : at;
        at = this.#scanHeader(chunk, at);
        if (this.#left > 0 || this.#body === undefined) continue;
      }
      const take = Math.min(this.#left, chunk.length - at);
      this.#body?.set(chunk.subarray(at, at + take), this.#filled);
      this.#filled += take;
      this.#left -= take;
      at += take;
      if (this.#left === 0 && this.#body !== undefined) {
        const body = this.#body;
        this.#body = undefined;
        if (command(body) === undefined) this.found++;
        else this.#blind = true;
      }
    }
  }

  #scanHeader(chunk: Uint8Array, from: number): number {
    let at = from;
    const header = this.#header;
    while (at < chunk.length) {
      header[this.#headerBytes++] = chunk[at++]!;
      const long = (header[0]! & FLAG_LONG) !== 0;
      if (this.#headerBytes < (long ? 9 : 2)) continue;
      this.#headerBytes = 0;
      const size = long ? readSize(header, 1) : header[1]!;
      const flags = header[0]!;
      const isCommand = (flags & FLAG_COMMAND) !== 0;
      const illegal = flags > (FLAG_MORE | FLAG_LONG | FLAG_COMMAND) ||
        (isCommand && (flags & FLAG_MORE) !== 0);
      if (illegal || size === Infinity || (isCommand && size > COMMAND_BYTES_MAX)) {
        this.#blind = true;
        return at;
      }
      this.#left = size;
      this.#filled = 0;
      if (isCommand) this.#body = new Uint8Array(size);
      return at;
    }
    return at;
  }
}

/** Skips whole short message frames, which are most of what waits; stops before anything else. */
function walkMessages(chunk: Uint8Array, from: number): number {
  const end = chunk.length;
  let at = from;
  while (at + 1 < end && chunk[at]! <= FLAG_MORE) {
    const next = at + 2 + chunk[at + 1]!;
    if (next > end) break;
    at = next;
  }
  return at;
}
