/**
 * A transport over any pair of WHATWG byte streams: `WebTransport`, `WebSocketStream`, a `Deno.Conn`, a
 * `TransformStream` of one's own.
 *
 * @module
 */

import { copyOf } from "../../src/bytes/bytes.ts";
import type { Dial, Transport, TransportHandlers, TransportInfo } from "../../src/ports.ts";
import { host } from "../shared_host.ts";
import { isPromise, type StreamAddresses, usedStream } from "./from_duplex.ts";
import { failedDial } from "./offer.ts";
import { type Closing, OneStream } from "./one_stream.ts";

/** The part of a `ReadableStream` of bytes that is used. */
export interface ReadableBytes {
  getReader(): BytesReader;
}

/** The part of a `ReadableStreamDefaultReader` that is used. */
export interface BytesReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(reason?: unknown): Promise<unknown>;
}

/** The part of a `WritableStream` of bytes that is used. */
export interface WritableBytes {
  getWriter(): BytesWriter;
}

/** The part of a `WritableStreamDefaultWriter` that is used. */
export interface BytesWriter {
  readonly closed: Promise<unknown>;
  write(chunk: Uint8Array): Promise<unknown>;
  close(): Promise<unknown>;
  abort(reason?: unknown): Promise<unknown>;
}

/** A pair of byte streams. */
export interface BytePair {
  readonly readable: ReadableBytes;
  readonly writable: WritableBytes;
}

/** Options of {@link fromStreams}. */
export interface StreamsOptions extends StreamAddresses {
  /**
   * Ends our direction, where closing `writable` would end both: `() => connection.closeWrite()`. Default:
   * closes `writable`.
   */
  readonly closeWrite?: () => unknown;
  /**
   * Releases what is below both streams, at once: `() => connection.close()`. Called when the stream is
   * aborted, and last of all when it has ended in order. Default: nothing.
   */
  readonly abort?: () => unknown;
  /**
   * Whether each direction lives on when the other has ended. Default true. `false` is right for pairs that
   * cannot do that, such as those of `Duplex.toWeb` and a `Deno.Conn`: what fails in one direction after the
   * end of the other is part of that end, and no cause.
   */
  readonly halfClose?: boolean;
}

/** Larger chunks are written in parts of so many bytes, each of which is copied. */
const PART_BYTES = 65_536;

/**
 * Returns a `Dial` over a pair of byte streams, or over a promise of one. It may be called once, because it
 * locks both.
 *
 * Every write is lent until the stream has taken the last part of it. Pausing means that nothing is read.
 *
 * @example
 * ```ts
 * import { fromStreams } from "hawser/transport";
 *
 * const there = new TransformStream<Uint8Array, Uint8Array>();
 * const back = new TransformStream<Uint8Array, Uint8Array>();
 * const addresses = { localAddress: "pair://near", remoteAddress: "pair://far" };
 * const near = fromStreams({ readable: back.readable, writable: there.writable }, addresses);
 * const far = fromStreams({ readable: there.readable, writable: back.writable }, addresses);
 * ```
 */
export function fromStreams(pair: BytePair | PromiseLike<BytePair>, options: StreamsOptions): Dial {
  let used = false;
  return (handlers) => {
    if (used) return failedDial(usedStream())(handlers);
    used = true;
    const transport = new StreamsTransport(handlers, options);
    if (isPromise(pair)) pair.then((ready) => transport.adopt(ready), (cause) => transport.fail(cause));
    else host.microtask(() => transport.adopt(pair));
    return transport;
  };
}

class StreamsTransport implements Transport {
  readonly #report: OneStream;
  readonly #info: TransportInfo;
  readonly #options: StreamsOptions;
  #reader: BytesReader | undefined = undefined;
  #writer: BytesWriter | undefined = undefined;
  #paused = false;
  #reading = false;
  /** What a read brought after the pause. */
  #held: Uint8Array | undefined = undefined;
  /** The lent memory, and how much of it the stream has taken. */
  #lent: readonly Uint8Array[] = NOTHING;
  #lentIndex = 0;
  #lentOffset = 0;
  #outputEnding = false;
  #outputEnded = false;
  #over = false;

  constructor(handlers: TransportHandlers, options: StreamsOptions) {
    this.#report = new OneStream(handlers);
    this.#info = { localAddress: options.localAddress, remoteAddress: options.remoteAddress };
    this.#options = options;
  }

  adopt(pair: BytePair): void {
    try {
      this.#reader = pair.readable.getReader();
      this.#writer = pair.writable.getWriter();
    } catch (cause) {
      return this.fail(cause);
    }
    // A failure while nothing is written is met by the next write; some pairs tell it before the last read.
    this.#writer.closed.then(nothing, nothing);
    if (this.#report.closing === "abort") return this.#release();
    this.#report.open(this.#info);
    this.#readNext();
  }

  /** The stream is lost, or could not be opened. */
  fail(cause: unknown): void {
    if (this.#over) return;
    const halfOver = this.#report.ended || this.#outputEnded;
    const inOrder = this.#options.halfClose === false && halfOver && this.#lent === NOTHING;
    if (!inOrder) this.#report.failed(cause, "The stream failed without saying why");
    this.#finish();
  }

  write(chunk: Uint8Array): boolean {
    return this.writev([chunk]);
  }

  writev(chunks: readonly Uint8Array[]): boolean {
    if (this.#report.closing !== "no" || this.#over) return false;
    this.#lent = chunks;
    this.#lentIndex = 0;
    this.#lentOffset = 0;
    this.#writePart();
    return false;
  }

  setPaused(paused: boolean): boolean {
    if (this.#report.closing !== "no") return true;
    this.#paused = paused;
    this.#readNext();
    return true;
  }

  close(mode: Exclude<Closing, "no">): void {
    const report = this.#report;
    if (report.closed || report.closing === "abort" || report.closing === mode) return;
    report.closing = mode;
    if (mode === "abort") return this.#finish();
    this.#paused = false;
    this.#endOutput();
    this.#readNext();
  }

  /** Reads, unless a read is in flight or none is wanted. */
  #readNext(): void {
    const reader = this.#reader;
    if (reader === undefined || this.#over || this.#paused) return;
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.#report.data(held);
    if (this.#reading || this.#paused || this.#over || this.#report.ended) return;
    this.#reading = true;
    reader.read().then(this.#onRead, this.#onFailure);
  }

  readonly #onRead = ({ done, value }: { done: boolean; value?: Uint8Array | undefined }): void => {
    this.#reading = false;
    if (this.#over) return;
    if (done) {
      this.#report.end();
      return this.#endInOrder();
    }
    if (this.#paused) this.#held = value;
    else if (value !== undefined) this.#report.data(value);
    this.#readNext();
  };

  readonly #onFailure = (cause: unknown): void => this.fail(cause);

  #writePart(): void {
    while (this.#lentIndex < this.#lent.length && this.#lentOffset === this.#lent[this.#lentIndex]!.length) {
      this.#lentIndex += 1;
      this.#lentOffset = 0;
    }
    const chunk = this.#lent[this.#lentIndex];
    if (chunk === undefined) {
      this.#lent = NOTHING;
      return this.#report.drain();
    }
    const to = Math.min(chunk.length, this.#lentOffset + PART_BYTES);
    // A copy: streams may pass on the very memory that they were given.
    const part = copyOf(chunk.subarray(this.#lentOffset, to));
    this.#lentOffset = to;
    this.#writer!.write(part).then(this.#onWritten, this.#onFailure);
  }

  readonly #onWritten = (): void => {
    if (!this.#over) this.#writePart();
  };

  /** The core flushes only when nothing is lent, so every write has settled. */
  #endOutput(): void {
    const { closeWrite } = this.#options;
    const writer = this.#writer;
    if (this.#outputEnding || writer === undefined) return;
    this.#outputEnding = true;
    const ended = closeWrite === undefined ? writer.close() : Promise.resolve().then(closeWrite);
    ended.then(() => {
      this.#outputEnded = true;
      this.#endInOrder();
    }, this.#onFailure);
  }

  #endInOrder(): void {
    if (this.#report.closing === "flush" && this.#outputEnded && this.#report.ended) this.#finish();
  }

  /** Everything that was written is a copy, so no lent memory is in use, whatever write is still pending. */
  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#lent = NOTHING;
    this.#release();
    host.microtask(() => this.#report.close());
  }

  #release(): void {
    const reason = new Error("The stream was closed");
    try {
      Promise.resolve(this.#options.abort?.()).then(nothing, nothing);
    } catch {
      // What cannot be released is gone already.
    }
    this.#writer?.abort(reason).then(nothing, nothing);
    this.#reader?.cancel(reason).then(nothing, nothing);
  }
}

const NOTHING: readonly Uint8Array[] = [];

function nothing(): void {}
