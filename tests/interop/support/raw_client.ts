/**
 * A TCP client that writes whatever it is told, and the bytes of ZMTP to tell it. Everything is built by hand from
 * RFC 37, so that no mistake of the codec can hide in it.
 *
 * @module
 */

import { connect, type Socket as Stream } from "node:net";
import { within } from "./deadline.ts";

/** Joins byte strings; texts are ASCII. */
export function bytesOf(...parts: readonly (Uint8Array | readonly number[] | string)[]): Uint8Array {
  return Buffer.concat(
    parts.map((part) => typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part)),
  );
}

/** The 64 bytes of a greeting. */
export function greetingBytes(
  options: { readonly minor?: number; readonly mechanism?: string } = {},
): Uint8Array {
  const { minor = 1, mechanism = "NULL" } = options;
  return bytesOf(
    [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, minor],
    mechanism.padEnd(20, "\0"),
    new Uint8Array(32),
  );
}

/** A frame of any kind: `flags` are 1 MORE, 2 LONG, 4 COMMAND; LONG is added where the size needs it. */
export function frameBytes(flags: number, body: Uint8Array | string): Uint8Array {
  return bytesOf(frameHeader(flags, body.length), body);
}

/** The header alone, of a frame whose body may never come. */
export function frameHeader(flags: number, size: number | bigint): Uint8Array {
  if (size < 256 && (flags & 2) === 0) return bytesOf([flags, Number(size)]);
  const header = new Uint8Array(9);
  header[0] = flags | 2;
  new DataView(header.buffer).setBigUint64(1, BigInt(size));
  return header;
}

/** A command frame. */
export function commandBytes(name: string, body: Uint8Array | readonly number[] | string = ""): Uint8Array {
  return frameBytes(4, bytesOf([name.length], name, body));
}

/** One metadata property; `claimed` is the length that it states for its value. */
export function propertyBytes(name: string, value: string, claimed: number = value.length): Uint8Array {
  const size = new Uint8Array(4);
  new DataView(size.buffer).setUint32(0, claimed);
  return bytesOf([name.length], name, size, value);
}

/** Greeting and READY: everything that a peer of type `type` says before its first message. */
export function handshakeBytes(type: string, options: { readonly minor?: number } = {}): Uint8Array {
  const properties = bytesOf(propertyBytes("Socket-Type", type), propertyBytes("Identity", ""));
  return bytesOf(greetingBytes(options), commandBytes("READY", properties));
}

/** See the module. */
export class RawClient {
  /** Bytes that came so far. */
  receivedBytes = 0;
  /** The first of them, one character each. */
  receivedStart = "";
  /** Resolves when the connection is gone, however. */
  readonly closed: Promise<void>;
  readonly #stream: Stream;
  /** Writes that the system has not taken. */
  readonly #writes: Set<(taken: boolean) => void> = new Set();

  private constructor(stream: Stream) {
    this.#stream = stream;
    stream.setNoDelay(true);
    stream.on("data", (chunk) => {
      this.receivedBytes += chunk.length;
      if (this.receivedStart.length < 1_000) this.receivedStart += chunk.toString("latin1");
    });
    // A reset is one of the ways in which a server may close.
    stream.on("error", () => {});
    this.closed = new Promise((resolve) => {
      stream.on("close", () => {
        for (const give of this.#writes) give(false);
        resolve();
      });
    });
  }

  /** Connects to the port of `endpoint`. */
  static async open(endpoint: string): Promise<RawClient> {
    const port = Number(/:([0-9]+)(?:\/|$)/.exec(endpoint)![1]);
    const stream = connect({ port, host: "127.0.0.1" });
    const client = new RawClient(stream);
    const opened = new Promise<void>((resolve, reject) => {
      stream.on("connect", () => resolve());
      stream.on("close", () => reject(new Error("closed before it was open")));
    });
    await within(opened, `a connection to ${endpoint}`);
    return client;
  }

  /** Writes, and resolves when the system has taken the bytes; false: the connection is gone. */
  write(bytes: Uint8Array): Promise<boolean> {
    if (this.#stream.destroyed) return Promise.resolve(false);
    return new Promise((resolve) => {
      // Not a race with `closed`, which would remember every write until the end.
      this.#writes.add(resolve);
      this.#stream.write(bytes, (error) => {
        this.#writes.delete(resolve);
        resolve(!error);
      });
    });
  }

  /** Stops to read, as a peer does that sends only. */
  stopReading(): void {
    this.#stream.pause();
  }

  /** Says that nothing more comes. */
  end(): void {
    this.#stream.end();
  }

  /** Goes away at once. */
  destroy(): void {
    this.#stream.destroy();
  }
}
