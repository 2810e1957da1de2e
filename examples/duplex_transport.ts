/**
 * A transport of one's own: `pipe://name` over a pair of streams within the program.
 *
 * `overStream` alone is what makes any Duplex of `node:stream` carry ZMTP: a TLS socket, a serial port, an SSH channel,
 * a child's standard input and output. The rest is how two ends find each other, which differs for each of them.
 */

import { Duplex } from "node:stream";
import { type Accept, type Dial, MisuseError, type TransportFactory } from "../mod.ts";

/** Attaches to a stream. */
export function overStream(stream: Duplex, address: string): Dial {
  return (handlers) => {
    let opened = false;
    let lent = false;
    let closing = false;
    let cause: unknown;
    stream.on("error", (error) => cause = error);
    stream.on("close", () => handlers.close(cause));
    // Nothing may be reported before this function has returned, and nothing before `open`.
    queueMicrotask(() => {
      if (stream.destroyed) return;
      opened = true;
      handlers.open({ localAddress: address, remoteAddress: address });
      stream.on("end", () => closing || handlers.end());
      stream.on("data", (chunk: Uint8Array) => closing || handlers.data(chunk));
    });
    return {
      write(chunk) {
        if (closing || !stream.writable) return false;
        // The stream uses the chunk's memory until it calls back.
        lent = true;
        stream.write(chunk, (error) => {
          lent = false;
          if (!error) handlers.drain();
        });
        return false;
      },
      setPaused(paused) {
        if (paused && !closing) stream.pause();
        else stream.resume();
        return true;
      },
      close(mode) {
        closing = true;
        if (mode === "abort" || (!opened && !lent)) stream.destroy();
        else stream.end().resume();
      },
    };
  };
}

/** `pipe://name`: names are the factory's own. */
export function pipeTransport(): TransportFactory {
  const names = new Map<string, Accept>();
  return {
    dial(address) {
      checkScheme(address);
      return (handlers) => {
        const accept = names.get(address);
        if (accept === undefined) {
          return overStream(broken(`Nobody listens at ${address}`), address)(handlers);
        }
        const [near, far] = pipe();
        const transport = overStream(near, address)(handlers);
        offer(far, address, accept);
        return transport;
      };
    },
    listen(address) {
      checkScheme(address);
      return (accept) => {
        if (names.has(address)) {
          const inUse = new MisuseError(
            "ERR_ADDRESS_IN_USE",
            `Cannot bind ${address}: somebody listens there`,
          );
          return Promise.reject(inUse);
        }
        names.set(address, accept);
        return Promise.resolve({
          address,
          close: () => Promise.resolve(void (names.get(address) === accept && names.delete(address))),
        });
      };
    },
  };
}

function checkScheme(address: string): void {
  if (address.startsWith("pipe://")) return;
  throw new MisuseError("ERR_ENDPOINT", `Invalid endpoint "${address}": the scheme must be pipe`);
}

/** Who does not attach to a stream while it is offered has refused it. */
function offer(stream: Duplex, address: string, accept: Accept): void {
  accept((handlers) => overStream(stream.destroyed ? broken("It was refused") : stream, address)(handlers));
  if (stream.listenerCount("close") === 0) stream.destroy();
}

function broken(why: string): Duplex {
  return new Duplex().destroy(new Error(why));
}

/** Two ends of one stream. */
function pipe(): readonly [PipeEnd, PipeEnd] {
  const near = new PipeEnd();
  const far = new PipeEnd();
  near.peer = far;
  far.peer = near;
  return [near, far];
}

class PipeEnd extends Duplex {
  peer: PipeEnd | undefined;
  #taken: (() => void) | undefined;

  override _write(chunk: Uint8Array, _encoding: string, taken: () => void): void {
    // A copy, because the writer's memory is its own again after `taken`.
    if (this.peer!.push(new Uint8Array(chunk))) taken();
    else this.#taken = taken;
  }

  override _read(): void {
    const { peer } = this;
    const taken = peer!.#taken;
    peer!.#taken = undefined;
    taken?.();
  }

  override _final(done: () => void): void {
    this.peer!.push(null);
    done();
  }

  override _destroy(cause: Error | null, done: (cause: Error | null) => void): void {
    const inOrder = this.readableEnded && this.writableFinished;
    if (!inOrder) this.peer?.destroy(new Error("The peer closed the stream"));
    done(cause);
  }
}
