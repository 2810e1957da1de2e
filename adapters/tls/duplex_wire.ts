/**
 * A `Duplex` of `node:stream` over a transport, for `node:tls` to run over. The transport is paused while the
 * `Duplex` has no room.
 *
 * @module
 */

import type { Dial, Transport, TransportHandlers, TransportInfo } from "../../src/ports.ts";
import { builtin } from "../builtin.ts";
import type { Wire } from "./stream.ts";
import type { NodeDuplex } from "./types.ts";

const HIGH_WATER_MARK = 65_536;

/** See the module. */
export class DuplexWire implements Wire {
  readonly stream: NodeDuplex;
  readonly #transport: Transport;
  #info: TransportInfo | undefined = undefined;
  /** What is written before the transport is open. */
  #early: Uint8Array | undefined = undefined;
  /** To be called when the chunk that was written last is taken. */
  #written: (() => void) | undefined = undefined;
  #broken: (cause: unknown) => void = () => {};
  /** Whether nothing is to be read, and whether the `Duplex` has no room. */
  #paused = false;
  #full = false;
  #flushed = false;
  #closed = false;

  /** Starts the transport. */
  constructor(dial: Dial) {
    this.stream = new (builtin("node:stream").Duplex)({
      allowHalfOpen: true,
      emitClose: true,
      highWaterMark: HIGH_WATER_MARK,
      read: () => this.#read(),
      write: (chunk, _encoding, done) => this.#write(chunk, done),
      final: (done) => {
        this.#flush();
        done();
      },
      destroy: (cause, done) => {
        this.#transport.close("abort");
        done(cause);
      },
    });
    // Who broke it is told by `watch`.
    this.stream.on("error", () => {});
    this.#transport = dial(this.#handlers());
  }

  describe(): TransportInfo {
    return this.#info ?? { localAddress: "tcp://0.0.0.0:0", remoteAddress: "tcp://0.0.0.0:0" };
  }

  watch(broken: (cause: unknown) => void): void {
    this.#broken = broken;
  }

  destroy(): void {
    this.stream.destroy();
    this.#transport.close("abort");
  }

  /** `node:tls` on Deno reads its stream to the end, so pausing happens here. */
  setPaused(paused: boolean): void {
    this.#paused = paused;
    if (this.#info !== undefined) this.#transport.setPaused(paused || this.#full);
  }

  setReferenced(on: boolean): void {
    this.#transport.setReferenced?.(on);
  }

  #handlers(): TransportHandlers {
    return {
      open: (info) => {
        this.#info = info;
        const early = this.#early;
        this.#early = undefined;
        if (early !== undefined) this.#handOver(early);
        if (this.#flushed) this.#transport.close("flush");
      },
      data: (chunk) => {
        if (this.stream.push(chunk)) return;
        this.#full = true;
        this.#transport.setPaused(true);
      },
      drain: () => this.#taken(),
      end: () => void this.stream.push(null),
      close: (cause) => {
        this.#closed = true;
        if (cause !== undefined) this.#broken(cause);
        else if (!this.#flushed) this.stream.destroy();
        // After a flush what the peer sends is discarded here, and so is its end.
        else this.stream.push(null);
        this.#taken();
      },
    };
  }

  #read(): void {
    if (!this.#full) return;
    this.#full = false;
    if (!this.#paused) this.#transport.setPaused(false);
  }

  #write(chunk: Uint8Array, done: () => void): void {
    this.#written = done;
    if (this.#closed) return this.#taken();
    if (this.#info === undefined) this.#early = chunk;
    else this.#handOver(chunk);
  }

  #handOver(chunk: Uint8Array): void {
    if (this.#transport.write(chunk)) this.#taken();
  }

  #taken(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  #flush(): void {
    this.#flushed = true;
    if (this.#info !== undefined) this.#transport.close("flush");
  }
}
