/**
 * One end of a stream of the test link.
 *
 * @module
 */

import { copyOf } from "../src/bytes/bytes.ts";
import { type PartialWriter, partialWriter } from "../src/bytes/partial_writer.ts";
import type { Host, Transport, TransportHandlers } from "../src/ports.ts";
import type { SeededRandom } from "./random.ts";

/** What all streams of one link share. */
export interface LinkSettings {
  readonly host: Host;
  readonly bufferBytes: number;
  readonly delayTurnsMax: number;
  /** Called for each connection that is cut. */
  readonly cut: () => void;
}

/** Joins both ends of a stream: each opens once it has handlers. */
export function joinEnds(near: TestEnd, far: TestEnd): void {
  near.join(far);
  far.join(near);
}

/** One end. Everything that it reports comes from a turn of its own. */
export class TestEnd implements Transport {
  readonly #settings: LinkSettings;
  readonly #random: SeededRandom;
  readonly #address: string;
  readonly #reset: Error;
  readonly #writer: PartialWriter = partialWriter((chunk, offset, length) =>
    this.#take(chunk, offset, length)
  );
  #handlers: TransportHandlers | undefined = undefined;
  #peer: TestEnd | undefined = undefined;
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  /** Bytes until the cut. */
  #leftBytes = Infinity;
  #paused = false;
  #opened = false;
  #closing: "no" | "flush" | "abort" = "no";
  #closed = false;
  #inputEnded = false;
  #outputEnded = false;
  #cause: unknown = undefined;
  #stepping = false;

  /** `reset` is the cause when the peer or the link ends the stream. */
  constructor(settings: LinkSettings, random: SeededRandom, address: string, reset: Error) {
    this.#settings = settings;
    this.#random = random;
    this.#address = address;
    this.#reset = reset;
  }

  attach(handlers: TransportHandlers): this {
    this.#handlers = handlers;
    this.#wake();
    return this;
  }

  join(peer: TestEnd): void {
    this.#peer = peer;
    if (this.#closing === "abort") peer.lose(this.#reset);
    this.#wake();
  }

  /** Cuts the connection when so many bytes have left here. */
  cutAfter(bytes: number): void {
    this.#leftBytes = bytes;
  }

  /** The stream is lost. */
  lose(cause: unknown): void {
    if (this.#closing === "abort") return;
    this.#cause = cause;
    this.#stop();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#closing !== "no") return false;
    return this.#writer.write(chunk);
  }

  setPaused(paused: boolean): boolean {
    this.#paused = paused && this.#closing === "no";
    this.#wake();
    return true;
  }

  close(mode: "flush" | "abort"): void {
    if (this.#closing === "abort") return;
    if (mode === "abort") return this.#stop();
    this.#closing = "flush";
    this.#paused = false;
    this.#outputEnded = true;
    this.#wake();
    if (this.#peer !== undefined) this.#peer.#wake();
  }

  #stop(): void {
    this.#closing = "abort";
    this.#inbox = [];
    this.#writer.release();
    this.#peer?.lose(this.#reset);
    this.#wake();
  }

  /** Takes what there is room for, and often less. */
  #take(chunk: Uint8Array, offset: number, length: number): number {
    const peer = this.#peer;
    if (peer === undefined || this.#closing === "abort") return -1;
    const room = this.#settings.bufferBytes - peer.#inboxBytes;
    if (room <= 0) return 0;
    const taken = Math.min(length, room, this.#random.upTo(this.#settings.bufferBytes), this.#leftBytes);
    this.#leftBytes -= taken;
    peer.#inbox.push(copyOf(chunk.subarray(offset, offset + taken)));
    peer.#inboxBytes += taken;
    peer.#wake();
    if (this.#leftBytes > 0) return taken;
    this.#leftBytes = Infinity;
    this.#settings.cut();
    this.lose(this.#reset);
    return -1;
  }

  /** Does whatever is due, some turns from now. */
  #wake(): void {
    if (this.#stepping || this.#closed || this.#handlers === undefined) return;
    this.#stepping = true;
    this.#wait(this.#random.upTo(this.#settings.delayTurnsMax));
  }

  #wait(turns: number): void {
    this.#settings.host.turn(() => {
      if (turns > 1) return this.#wait(turns - 1);
      this.#stepping = false;
      this.#step(this.#handlers as TransportHandlers);
    });
  }

  /** Each report may close the stream, so each looks again whether it is due. */
  #step(handlers: TransportHandlers): void {
    if (this.#closing !== "abort" && this.#peer !== undefined) this.#exchange(handlers, this.#peer);
    const inOrder = this.#closing === "flush" && this.#inputEnded;
    if (this.#closed || (this.#closing !== "abort" && !inOrder)) return;
    this.#closed = true;
    handlers.close(this.#cause);
  }

  #exchange(handlers: TransportHandlers, peer: TestEnd): void {
    if (!this.#opened) {
      this.#opened = true;
      handlers.open({ localAddress: this.#address, remoteAddress: this.#address });
    }
    if (this.#closing !== "abort" && this.#writer.resume()) handlers.drain();
    for (let chunk = this.#next(); chunk !== undefined; chunk = this.#next()) {
      if (this.#closing === "no") handlers.data(chunk);
    }
    if (peer.#writer.lent) peer.#wake();
    if (!peer.#outputEnded || this.#inputEnded || this.#paused || this.#inbox.length > 0) return;
    this.#inputEnded = true;
    if (this.#closing === "no") handlers.end();
  }

  #next(): Uint8Array | undefined {
    if (this.#paused || this.#closing === "abort") return undefined;
    const chunk = this.#inbox.shift();
    if (chunk !== undefined) this.#inboxBytes -= chunk.length;
    return chunk;
  }
}
