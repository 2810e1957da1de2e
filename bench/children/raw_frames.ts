/**
 * What the raw baselines share: a batch of ZMTP frames made once, and a reader that walks frames and counts them.
 * With a plain socket of the runtime they tell what its usual reads allow, not what is possible: whoever reads more at
 * a time can be faster.
 *
 * @module
 */

/** Where a plain socket is fastest: with 64 KiB a write, bodies of that size reach a third of this rate. */
const BATCH_BYTES = 524288;
const SHORT_BODY_BYTES_MAX = 255;
const FLAG_LONG = 2;

/** As many whole frames as fit into half a mebibyte, at least one. */
export function encodeBatch(bodyBytes: number): Uint8Array {
  const headerBytes = bodyBytes > SHORT_BODY_BYTES_MAX ? 9 : 2;
  const frameBytes = headerBytes + bodyBytes;
  const frames = Math.max(1, Math.floor(BATCH_BYTES / frameBytes));
  const batch = new Uint8Array(frames * frameBytes).fill(104);
  const view = new DataView(batch.buffer);
  for (let at = 0; at < batch.length; at += frameBytes) {
    if (headerBytes === 2) {
      batch[at] = 0;
      batch[at + 1] = bodyBytes;
    } else {
      batch[at] = FLAG_LONG;
      view.setBigUint64(at + 1, BigInt(bodyBytes));
    }
  }
  return batch;
}

/** One frame. */
export function encodeFrame(bodyBytes: number): Uint8Array {
  const frameBytes = bodyBytes + (bodyBytes > SHORT_BODY_BYTES_MAX ? 9 : 2);
  return encodeBatch(bodyBytes).slice(0, frameBytes);
}

/** Walks headers, whatever the borders of the chunks, and skips bodies. */
export class FrameCounter {
  messages = 0;
  bytes = 0;
  /** Body bytes of the frame that began in an earlier chunk. */
  #rest = 0;
  readonly #header = new Uint8Array(9);
  #headerBytes = 0;

  read(chunk: Uint8Array): void {
    const end = chunk.length;
    let at = 0;
    let messages = 0;
    let bytes = 0;
    if (this.#headerBytes > 0) at = this.#joinHeader(chunk);
    if (this.#rest > 0) {
      const taken = Math.min(this.#rest, end - at);
      this.#rest -= taken;
      at += taken;
    }
    while (at < end) {
      const long = (chunk[at]! & FLAG_LONG) !== 0;
      if (end - at < (long ? 9 : 2)) {
        this.#header.set(chunk.subarray(at));
        this.#headerBytes = end - at;
        break;
      }
      const size = long ? sizeOf(chunk, at) : chunk[at + 1]!;
      at += (long ? 9 : 2) + size;
      messages++;
      bytes += size;
    }
    if (at > end) this.#rest = at - end;
    this.messages += messages;
    this.bytes += bytes;
  }

  /** Completes a header that was cut by a chunk's border; answers where its body begins. */
  #joinHeader(chunk: Uint8Array): number {
    const header = this.#header;
    let at = 0;
    while (at < chunk.length) {
      header[this.#headerBytes++] = chunk[at++]!;
      const long = (header[0]! & FLAG_LONG) !== 0;
      if (this.#headerBytes < (long ? 9 : 2)) continue;
      this.#rest = long ? sizeOf(header, 0) : header[1]!;
      this.messages++;
      this.bytes += this.#rest;
      this.#headerBytes = 0;
      break;
    }
    return at;
  }
}

function sizeOf(bytes: Uint8Array, at: number): number {
  return ((bytes[at + 5]! << 24) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 8) | bytes[at + 8]!) >>> 0;
}

/** `tcp://host:port`, `tls://host:port` or `ipc://path`, taken apart. */
export type Place = { readonly host: string; readonly port: number } | { readonly path: string };

export function parseEndpoint(endpoint: string): Place {
  if (endpoint.startsWith("ipc://")) return { path: endpoint.slice(6) };
  const colon = endpoint.lastIndexOf(":");
  return { host: endpoint.slice("tcp://".length, colon), port: Number(endpoint.slice(colon + 1)) };
}
