/**
 * A transport over any `Duplex` of `node:stream`: a socket, a TLS socket, a serial port, an SSH channel, a
 * child's standard input and output.
 *
 * @module
 */

import { copyOf } from "../../src/bytes/bytes.ts";
import type { Dial, Transport, TransportHandlers, TransportInfo } from "../../src/ports.ts";
import { host } from "../shared_host.ts";
import { failedDial } from "./offer.ts";
import { type Closing, OneStream } from "./one_stream.ts";

/** The part of a `Duplex` of `node:stream` that is used. */
export interface DuplexStream {
  readonly destroyed: boolean;
  /** A socket that is still connecting is waited for. */
  readonly connecting?: boolean;
  /** Its writes are in bytes. `undefined` for a stream that reports nothing. */
  readonly errored?: unknown;
  write(chunk: Uint8Array, written: (error?: Error | null) => void): unknown;
  cork?(): unknown;
  uncork?(): unknown;
  end(): unknown;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
  // deno-lint-ignore no-explicit-any -- what each event passes is declared differently by each kind of stream
  on(event: string, listener: (...values: any[]) => void): unknown;
  ref?(): unknown;
  unref?(): unknown;
}

/** What is told of a stream. */
export interface StreamAddresses {
  /** This end, as an endpoint (`serial://ttyS0`). */
  readonly localAddress: string;
  /** The other end. */
  readonly remoteAddress: string;
}

/** Options of {@link fromDuplex}. */
export interface DuplexOptions extends StreamAddresses {
  /**
   * Whether to give the stream copies. Default true. `false` saves them, and is right only for a stream that
   * no longer uses a chunk once its write has called back: sockets, but not a `PassThrough`, which hands the
   * chunk itself to its reader.
   */
  readonly copy?: boolean;
}

/**
 * Returns a `Dial` over a Duplex, or over a promise of one that is ready, which can be used once. A factory's
 * `dial` makes a new stream for each attempt: `(handlers) => fromDuplex(open(), addresses)(handlers)`.
 *
 * A flush ends the stream and discards what still arrives; an abort destroys it. What the stream reports as
 * an error, and a close without an end, is the cause of the transport's close.
 *
 * @example
 * ```ts
 * import { connect } from "node:net";
 * import { fromDuplex, type TransportHandlers } from "hawser/transport";
 *
 * const addresses = { localAddress: "unix://client", remoteAddress: "unix:///run/app.sock" };
 * const dial = (handlers: TransportHandlers) => fromDuplex(connect("/run/app.sock"), addresses)(handlers);
 * ```
 */
export function fromDuplex<Stream extends DuplexStream>(
  stream: Stream | PromiseLike<Stream>,
  options: DuplexOptions,
): Dial {
  let used = false;
  return (handlers) => {
    if (used) return failedDial(usedStream())(handlers);
    used = true;
    const transport = new DuplexTransport(handlers, options);
    if (isPromise(stream)) {
      stream.then((ready) => transport.adopt(ready), (cause) => transport.refuse(cause));
    } else transport.adopt(stream);
    return transport;
  };
}

/** The cause of a close when one stream is dialled twice. */
export function usedStream(): Error {
  return new Error("This stream was used already: a transport makes a new one for each attempt to connect");
}

/** Whether `value` is a promise, of whatever kind. */
export function isPromise<T extends object>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { readonly then?: unknown }).then === "function";
}

class DuplexTransport implements Transport {
  readonly #report: OneStream;
  readonly #info: TransportInfo;
  readonly #copy: boolean;
  #stream: DuplexStream | undefined = undefined;
  #referenced = true;
  #writing = false;
  #insideWrite = false;
  #finished = false;
  #gone = false;

  constructor(handlers: TransportHandlers, { localAddress, remoteAddress, copy = true }: DuplexOptions) {
    this.#report = new OneStream(handlers);
    this.#info = { localAddress, remoteAddress };
    this.#copy = copy;
  }

  adopt(stream: DuplexStream): void {
    if (this.#report.closing === "abort") return void stream.destroy();
    this.#stream = stream;
    if (!this.#referenced) stream.unref?.();
    stream.on("error", (cause: unknown) => this.#failed(cause));
    stream.on("close", () => this.#closed());
    stream.on("finish", () => {
      this.#finished = true;
      this.#endInOrder();
    });
    if (stream.connecting === true) stream.on("connect", () => this.#open(stream));
    else host.microtask(() => this.#open(stream));
  }

  /** There is no stream. */
  refuse(cause: unknown): void {
    this.#report.failed(cause, "The stream could not be opened");
    this.#gone = true;
    this.#settle();
  }

  write(chunk: Uint8Array): boolean {
    return this.#write((stream, written) => stream.write(this.#own(chunk), written));
  }

  writev(chunks: readonly Uint8Array[]): boolean {
    return this.#write((stream, written) => {
      const last = chunks.length - 1;
      stream.cork?.();
      for (let i = 0; i < last; i++) stream.write(this.#own(chunks[i]!), nothing);
      stream.write(this.#own(chunks[last]!), written);
      stream.uncork?.();
    });
  }

  setPaused(paused: boolean): boolean {
    if (this.#report.closing !== "no") return true;
    if (paused) this.#stream?.pause();
    else this.#stream?.resume();
    return true;
  }

  setReferenced(on: boolean): void {
    this.#referenced = on;
    if (on) this.#stream?.ref?.();
    else this.#stream?.unref?.();
  }

  close(mode: Exclude<Closing, "no">): void {
    const report = this.#report;
    if (report.closed || report.closing === "abort" || report.closing === mode) return;
    report.closing = mode;
    const stream = this.#stream;
    if (stream === undefined) return this.refuse(undefined);
    if (mode === "abort") return this.#destroy(stream);
    stream.end();
    // A paused stream would never come to the peer's end.
    stream.resume();
    this.#endInOrder();
  }

  #open(stream: DuplexStream): void {
    if (stream.destroyed) return this.#closed();
    this.#report.open(this.#info);
    // The handler may have closed the stream, or paused it, which a listener for "data" must not undo.
    if (this.#report.closing === "abort") return;
    stream.on("end", () => {
      this.#report.end();
      this.#endInOrder();
    });
    stream.on("data", (chunk: Uint8Array) => this.#report.data(chunk));
  }

  #own(chunk: Uint8Array): Uint8Array {
    return this.#copy ? copyOf(chunk) : chunk;
  }

  #write(call: (stream: DuplexStream, written: (error?: Error | null) => void) => void): boolean {
    const stream = this.#stream;
    if (stream === undefined || this.#report.closing !== "no" || this.#gone) return false;
    this.#writing = true;
    this.#insideWrite = true;
    try {
      call(stream, this.#written);
    } catch (cause) {
      this.#writing = false;
      this.#failed(cause);
    }
    this.#insideWrite = false;
    return !this.#writing && !stream.destroyed;
  }

  /** The callback of a write. One that comes at once says that the chunk was taken. */
  readonly #written = (error?: Error | null): void => {
    if (!this.#writing) return;
    this.#writing = false;
    if (error) this.#failed(error);
    else if (!this.#insideWrite) this.#report.drain();
    if (this.#gone) this.#settle();
  };

  #failed(cause: unknown): void {
    this.#report.failed(cause, "The stream failed without saying why");
    if (this.#stream !== undefined) this.#destroy(this.#stream);
  }

  #destroy(stream: DuplexStream): void {
    stream.destroy();
    // A stream need not tell that it has closed.
    host.turn(() => host.turn(() => stream.destroyed && this.#closed()));
  }

  /** A stream that both sides have ended need not close by itself. */
  #endInOrder(): void {
    if (this.#report.closing !== "flush" || !this.#finished || !this.#report.ended) return;
    if (this.#stream !== undefined && !this.#gone) this.#destroy(this.#stream);
  }

  #closed(): void {
    if (this.#gone) return;
    this.#gone = true;
    const { errored } = this.#stream as DuplexStream;
    if (errored !== undefined && errored !== null) this.#report.failed(errored, "");
    else if (!this.#report.ended) this.#report.failed(undefined, "The peer closed the stream before its end");
    this.#settle();
  }

  /** Memory that was lent is still in use until its write has called back. */
  #settle(): void {
    if (this.#writing && !this.#copy) return;
    host.microtask(() => this.#report.close());
  }
}

function nothing(): void {}
