/**
 * A transport of one's own: `pipe://name` over a pair of Duplex streams within the program.
 *
 * `fromDuplex` alone is what makes any Duplex of `node:stream` carry ZMTP: a serial port, an SSH channel, a child's
 * standard input and output. The rest is how two ends find each other, which differs for each of them.
 */

import { Duplex } from "node:stream";
import {
  type Accept,
  failedDial,
  fromDuplex,
  MisuseError,
  offer,
  type TransportFactory,
} from "../adapters/kit/mod.ts";

/** `pipe://name`: names are the factory's own. */
export function pipeTransport(): TransportFactory {
  const names = new Map<string, Accept>();
  return {
    dial: (address) => {
      checkScheme(address);
      const ends = { localAddress: address, remoteAddress: address };
      return (handlers) => {
        const accept = names.get(address);
        if (accept === undefined) return failedDial(new Error(`Nobody listens at ${address}`))(handlers);
        const [near, far] = pipe();
        const transport = fromDuplex(near, ends)(handlers);
        offer(accept, fromDuplex(far, ends), () => far.destroy());
        return transport;
      };
    },
    listen: (address) => {
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
        const close = () => Promise.resolve(void (names.get(address) === accept && names.delete(address)));
        return Promise.resolve({ address, close });
      };
    },
  };
}

function checkScheme(address: string): void {
  if (address.startsWith("pipe://")) return;
  throw new MisuseError("ERR_ENDPOINT", `Invalid endpoint "${address}": the scheme must be pipe`);
}

/** Two ends of one stream. */
function pipe(): readonly [PipeEnd, PipeEnd] {
  const near = new PipeEnd();
  const far = new PipeEnd();
  near.peer = far;
  far.peer = near;
  return [near, far];
}

/** One end. It hands its reader the chunks that it was given, which is why `fromDuplex` copies them. */
class PipeEnd extends Duplex {
  peer: PipeEnd | undefined;
  #taken: (() => void) | undefined;

  override _write(chunk: Uint8Array, _encoding: string, taken: () => void): void {
    if (this.peer!.push(chunk)) taken();
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
