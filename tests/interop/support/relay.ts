/**
 * A TCP relay between two sockets that reads along: it counts the commands that pass in each direction, and can stop
 * passing anything on without closing, as a network does that loses everything.
 *
 * @module
 */

import { connect, createServer, type Server, type Socket as Stream } from "node:net";

const GREETING_BYTES = 64;
const FLAG_LONG = 2;
const FLAG_COMMAND = 4;

/** Finds the commands in one direction of a ZMTP 3 connection. Frames are read as RFC 37 draws them, by hand. */
export class CommandCounter {
  readonly counts: Map<string, number> = new Map();
  #skip = GREETING_BYTES;
  #buffer: Uint8Array = new Uint8Array(0);

  push(chunk: Uint8Array): void {
    let bytes = new Uint8Array(this.#buffer.length + chunk.length);
    bytes.set(this.#buffer);
    bytes.set(chunk, this.#buffer.length);
    for (;;) {
      const skipped = Math.min(this.#skip, bytes.length);
      this.#skip -= skipped;
      bytes = bytes.subarray(skipped);
      const headerBytes = (bytes[0]! & FLAG_LONG) !== 0 ? 9 : 2;
      if (bytes.length < headerBytes) break;
      const size = headerBytes === 2
        ? bytes[1]!
        : Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(1));
      if ((bytes[0]! & FLAG_COMMAND) !== 0) {
        if (bytes.length < headerBytes + size) break;
        const nameBytes = bytes[headerBytes]!;
        this.#count(bytes.subarray(headerBytes + 1, headerBytes + 1 + nameBytes));
      }
      this.#skip = headerBytes + size;
    }
    this.#buffer = bytes;
  }

  of(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  #count(name: Uint8Array): void {
    const text = String.fromCharCode(...name);
    this.counts.set(text, (this.counts.get(text) ?? 0) + 1);
  }
}

/** How slow a relay is towards the endpoint behind it. */
export interface Slowness {
  readonly bytesPerMs: number;
  /** Whether it reads all that there is to read and passes it on later, or leaves it to the kernel. */
  readonly readsAll: boolean;
}

const SLOW_TICK_MS = 10;

/** See the module. */
export class Relay {
  /** Commands towards the endpoint behind the relay, of all connections so far. */
  readonly inward: CommandCounter = new CommandCounter();
  /** Commands from there. */
  readonly outward: CommandCounter = new CommandCounter();
  readonly #server: Server;
  readonly #streams: Set<Stream> = new Set();
  readonly #port: number;
  readonly #slowness: Slowness | undefined;
  #frozen = false;

  private constructor(server: Server, port: number, slowness: Slowness | undefined) {
    this.#server = server;
    this.#port = port;
    this.#slowness = slowness;
    server.on("connection", (stream) => this.#join(stream));
  }

  /** A relay to `target`, a `tcp://` endpoint. It carries one connection, so that what it counts is clear. */
  static async open(target: string, slowness?: Slowness): Promise<Relay> {
    const server = createServer();
    const relay = new Relay(server, Number(target.slice(target.lastIndexOf(":") + 1)), slowness);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  /** Connect here instead. */
  get endpoint(): string {
    return `tcp://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  /** From now on nothing passes, and nothing closes. */
  freeze(): void {
    this.#frozen = true;
  }

  close(): Promise<void> {
    for (const stream of this.#streams) stream.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #join(near: Stream): void {
    const far = connect(this.#port, "127.0.0.1");
    this.#pass(near, far, this.inward, this.#slowness);
    this.#pass(far, near, this.outward);
  }

  #pass(from: Stream, to: Stream, counter: CommandCounter, slowness?: Slowness): void {
    this.#streams.add(from);
    from.setNoDelay(true);
    const write = slowness === undefined ? to.write.bind(to) : slowly(from, to, slowness);
    from.on("data", (chunk: Uint8Array) => {
      if (this.#frozen) return;
      counter.push(chunk);
      write(chunk);
    });
    from.on("error", () => {});
    from.on("close", () => {
      if (!this.#frozen) to.destroy();
    });
  }
}

/** Passes on what `from` reads at a rate of its own. */
function slowly(from: Stream, to: Stream, { bytesPerMs, readsAll }: Slowness): (chunk: Uint8Array) => void {
  const queue: Uint8Array[] = [];
  const tick = setInterval(() => {
    let left = bytesPerMs * SLOW_TICK_MS;
    for (let chunk = queue.shift(); chunk !== undefined; chunk = queue.shift()) {
      to.write(chunk.subarray(0, left));
      if (chunk.length > left) queue.unshift(chunk.subarray(left));
      left -= Math.min(left, chunk.length);
      if (left === 0) break;
    }
    if (queue.length === 0) from.resume();
  }, SLOW_TICK_MS);
  from.on("close", () => clearInterval(tick));
  return (chunk) => {
    queue.push(chunk);
    if (!readsAll) from.pause();
  };
}
