/**
 * Reads the command frames of a handshake, one at a time and within tight bounds: nothing is proven yet.
 *
 * @module
 */

import { PeerError } from "../errors.ts";
import { readSize } from "../zmtp/frame_decoder.ts";
import { FLAG_COMMAND, FLAG_LONG, FLAG_MORE } from "../zmtp/wire.ts";

/** An incremental reader of handshake commands that holds at most one. */
export class HandshakeReader {
  error: PeerError | undefined;
  /** The body of a whole command, after a {@link push} that completed it. */
  command: Uint8Array | undefined;
  readonly #commandBytesMax: number;
  readonly #header: Uint8Array = new Uint8Array(9);
  #headerBytes = 0;
  #body: Uint8Array | undefined;
  #filled = 0;

  constructor(commandBytesMax: number) {
    this.#commandBytesMax = commandBytesMax;
  }

  /** Reads `chunk` from `from` to the end of one command at most, and returns the offset reached. */
  push(chunk: Uint8Array, from: number): number {
    let at = from;
    this.command = undefined;
    if (this.#body === undefined) at = this.#pushHeader(chunk, at);
    const body = this.#body;
    if (body === undefined) return at;
    const take = Math.min(body.length - this.#filled, chunk.length - at);
    body.set(chunk.subarray(at, at + take), this.#filled);
    this.#filled += take;
    if (this.#filled === body.length) {
      this.command = body;
      this.#body = undefined;
      this.#headerBytes = 0;
    }
    return at + take;
  }

  #pushHeader(chunk: Uint8Array, from: number): number {
    let at = from;
    const header = this.#header;
    while (at < chunk.length && this.error === undefined) {
      header[this.#headerBytes++] = chunk[at++]!;
      const flags = header[0]!;
      if (flags > (FLAG_COMMAND | FLAG_LONG) || (flags & FLAG_COMMAND) === 0 || (flags & FLAG_MORE) !== 0) {
        this.error = new PeerError(
          "ERR_PEER_FRAME",
          `Cannot shake hands with peer: a frame with flags 0x${
            flags.toString(16)
          } where a command is expected`,
        );
        return at;
      }
      const long = (flags & FLAG_LONG) !== 0;
      if (this.#headerBytes < (long ? 9 : 2)) continue;
      const size = long ? readSize(header, 1) : header[1]!;
      if (size > this.#commandBytesMax) {
        this.error = new PeerError(
          "ERR_PEER_FRAME_SIZE",
          `Cannot shake hands with peer: a command beyond the limit of ${this.#commandBytesMax} bytes`,
        );
        return at;
      }
      this.#body = new Uint8Array(size);
      this.#filled = 0;
      return at;
    }
    return at;
  }
}
