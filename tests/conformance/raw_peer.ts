/**
 * A peer made of bytes: what it says is written out, and what it hears is kept as it came.
 *
 * @module
 */

import { asciiBytes, concat } from "../../src/bytes/bytes.ts";
import type { Dial, Transport } from "../../src/ports.ts";
import { encodeCommandFrame, encodeReady } from "../../src/zmtp/commands.ts";
import { encodeFrame } from "../../src/zmtp/frame_encoder.ts";
import { encodeGreeting } from "../../src/zmtp/greeting.ts";
import { encodeMetadata } from "../../src/zmtp/metadata.ts";
import { FLAG_COMMAND, FLAG_MORE } from "../../src/zmtp/wire.ts";
import type { World } from "../support/world.ts";

/** A greeting of ZMTP 3.`minor`. */
export function greeting(minor = 1, mechanism = "NULL"): Uint8Array {
  return encodeGreeting({ mechanism, asServer: false, minor });
}

/** A READY command's frame. */
export function ready(socketType: string, identity?: Uint8Array): Uint8Array {
  const properties: [string, Uint8Array][] = [["Socket-Type", asciiBytes(socketType)]];
  if (identity !== undefined) properties.push(["Identity", identity]);
  return encodeCommandFrame(encodeReady(encodeMetadata(properties)));
}

/** A message's frames. */
export function message(...frames: (string | Uint8Array)[]): Uint8Array {
  return concat(
    frames.map((frame, index) =>
      encodeFrame(
        index < frames.length - 1 ? FLAG_MORE : 0,
        typeof frame === "string" ? asciiBytes(frame) : frame,
      )
    ),
  );
}

/** A command's frame. `data` follows the name. */
export function command(name: string, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  return encodeFrame(FLAG_COMMAND, concat([Uint8Array.of(name.length), asciiBytes(name), data]));
}

/** See the module. */
export class RawPeer {
  readonly heard: Uint8Array[] = [];
  opened = false;
  ended = false;
  closed = false;
  readonly #world: World;
  readonly #transport: Transport;
  #queue: Uint8Array[] = [];

  constructor(world: World, dial: Dial) {
    this.#world = world;
    this.#transport = dial({
      open: () => {
        this.opened = true;
        this.#flush();
      },
      data: (chunk) => void this.heard.push(chunk.slice()),
      drain: () => {},
      end: () => {
        this.ended = true;
        this.#transport.close("flush");
      },
      close: () => void (this.closed = true),
    });
  }

  /** Connects to a socket that is bound in the world. */
  static connect(world: World, address: string): RawPeer {
    return new RawPeer(world, world.network.dial(address, {}));
  }

  /** Says something, now or when the stream is open. The world must be driven for it to arrive. */
  say(...bytes: Uint8Array[]): this {
    this.#queue.push(...bytes);
    this.#flush();
    return this;
  }

  /** Finishes, or breaks the stream. */
  leave(mode: "flush" | "abort" = "flush"): void {
    this.#transport.close(mode);
  }

  /** Everything that was heard so far. */
  get bytes(): Uint8Array {
    return concat(this.heard);
  }

  /** What was heard behind the greeting and READY: frames as flags and body, in text. */
  get frames(): string[] {
    const { bytes } = this;
    const frames: string[] = [];
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 64; at + 2 <= bytes.length;) {
      const flags = bytes[at]!;
      const long = (flags & 2) !== 0;
      const size = long ? Number(view.getBigUint64(at + 1)) : bytes[at + 1]!;
      at += long ? 9 : 2;
      const text = String.fromCharCode(...bytes.subarray(at, at + size));
      frames.push(`${flags} ${text}`);
      at += size;
    }
    return frames.slice(1);
  }

  /** Drives until something holds of this peer. */
  async until(holds: (peer: this) => boolean, waitingFor: string): Promise<void> {
    await this.#world.drive(() => holds(this), { waitingFor });
  }

  #flush(): void {
    if (!this.opened || this.closed) return;
    for (const bytes of this.#queue.splice(0)) if (bytes.length > 0) this.#transport.write(bytes);
  }
}
