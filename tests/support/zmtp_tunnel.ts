/**
 * Bytes over a transport that carries nothing but ZMTP, such as ws: one message per write, behind a greeting and a READY.
 * So the compliance suite, which writes what it likes, runs over it.
 *
 * @module
 */

import { concat, readU53, viewOf } from "../../src/bytes/bytes.ts";
import type {
  Attach,
  Dial,
  Transport,
  TransportFactory,
  TransportHandlers,
  TransportInfo,
} from "../../src/ports.ts";
import { encodeCommandFrame, encodeReady } from "../../src/zmtp/commands.ts";
import { frameHeaderBytes, writeFrameHeader } from "../../src/zmtp/frame_encoder.ts";
import { encodeGreeting } from "../../src/zmtp/greeting.ts";
import { encodeMetadata } from "../../src/zmtp/metadata.ts";

const GREETING_BYTES = 64;
const FLAG_LONG = 2;
const FLAG_COMMAND = 4;

/** A transport of any bytes over `factory`, one of ZMTP. */
export function zmtpTunnel(factory: TransportFactory): TransportFactory {
  const tunnel = (dial: Dial): Dial => (handlers) => new Tunnel(dial, handlers);
  return {
    dial: (address, options) => tunnel(factory.dial(address, options)),
    listen: (address, options) => {
      const listen = factory.listen(address, options);
      return (accept, failed) => listen((attach: Attach) => accept(tunnel(attach)), failed);
    },
  };
}

/** One stream. It opens when the peer's READY is there. */
class Tunnel implements Transport {
  readonly #handlers: TransportHandlers;
  readonly #raw: Transport;
  readonly writev?: (chunks: readonly Uint8Array[]) => boolean;
  #info: TransportInfo | undefined;
  #open = false;
  /** What has not been read: the beginning of a greeting, a header or a command. */
  #kept = new Uint8Array(0);
  #greeted = false;
  #ready = false;
  #bodyLeft = 0;
  #blocked = false;

  constructor(dial: Dial, handlers: TransportHandlers) {
    this.#handlers = handlers;
    const raw = dial({
      open: (info) => {
        this.#info = info;
        const ready = encodeReady(encodeMetadata([["Socket-Type", text("PAIR")]]));
        const hello = concat([
          encodeGreeting({ mechanism: "NULL", asServer: false }),
          encodeCommandFrame(ready),
        ]);
        this.#blocked = !raw.write(hello);
      },
      data: (chunk) => this.#read(chunk),
      drain: () => {
        if (this.#open) return handlers.drain();
        this.#blocked = false;
        this.#review();
      },
      end: () => handlers.end(),
      close: (cause) => handlers.close(cause),
    });
    this.#raw = raw;
    if (raw.writev !== undefined) {
      this.writev = (chunks) => {
        const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
        return raw.writev!([header(bytes), ...chunks]);
      };
    }
  }

  write(chunk: Uint8Array): boolean {
    // In one piece, so that it is all taken or all lent.
    return this.#raw.write(concat([header(chunk.length), chunk]));
  }

  setPaused(paused: boolean): boolean {
    return this.#raw.setPaused(paused);
  }

  pull(): boolean {
    return this.#raw.pull?.() ?? false;
  }

  close(mode: "flush" | "abort"): void {
    this.#raw.close(mode);
  }

  setReferenced(on: boolean): void {
    this.#raw.setReferenced?.(on);
  }

  #read(chunk: Uint8Array): void {
    let bytes = this.#kept.length === 0 ? chunk : concat([this.#kept, chunk]);
    for (let used = this.#step(bytes); used > 0; used = this.#step(bytes)) {
      bytes = viewOf(bytes, used, bytes.length);
    }
    this.#kept = Uint8Array.from(bytes);
  }

  /** Reads the next unit from the beginning of `bytes`, and returns its length, or 0: it is not all there. */
  #step(bytes: Uint8Array): number {
    if (bytes.length === 0) return 0;
    if (!this.#greeted) {
      this.#greeted = bytes.length >= GREETING_BYTES;
      return this.#greeted ? GREETING_BYTES : 0;
    }
    if (this.#bodyLeft > 0) {
      const part = Math.min(this.#bodyLeft, bytes.length);
      this.#bodyLeft -= part;
      this.#handlers.data(viewOf(bytes, 0, part));
      return part;
    }
    const flags = bytes[0]!;
    const headerBytes = (flags & FLAG_LONG) !== 0 ? 9 : 2;
    if (bytes.length < headerBytes) return 0;
    const size = headerBytes === 9 ? readU53(bytes, 1) : bytes[1]!;
    if ((flags & FLAG_COMMAND) === 0) {
      this.#bodyLeft = size;
      return headerBytes;
    }
    if (bytes.length < headerBytes + size) return 0;
    this.#ready = true;
    this.#review();
    return headerBytes + size;
  }

  #review(): void {
    if (this.#open || this.#blocked || !this.#ready) return;
    this.#open = true;
    this.#handlers.open(this.#info!);
  }
}

function header(bytes: number): Uint8Array {
  const head = new Uint8Array(frameHeaderBytes(bytes));
  writeFrameHeader(head, 0, 0, bytes);
  return head;
}

function text(ascii: string): Uint8Array {
  return Uint8Array.from(ascii, (letter) => letter.charCodeAt(0));
}
