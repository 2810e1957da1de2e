/** A factory whose names are its own: what each test of a kit transport needs, and nothing else. */

import { failedDial, offer } from "../../adapters/kit/offer.ts";
import { MisuseError } from "../../src/errors.ts";
import type { Accept, Dial, TransportFactory } from "../../src/ports.ts";

/** Both ends of a new stream; `refuse` closes it when nobody attaches to the far one. */
export interface Ends {
  readonly near: Dial;
  readonly far: Dial;
  readonly refuse: () => void;
}

/** A transport of streams that `connect` makes. */
export function namedTransport(scheme: string, connect: (address: string) => Ends): TransportFactory {
  const names = new Map<string, Accept>();
  const check = (address: string): void => {
    if (!address.startsWith(`${scheme}://`)) {
      throw new MisuseError("ERR_ENDPOINT", `"${address}" is not ${scheme}`);
    }
  };
  return {
    dial: (address) => {
      check(address);
      return (handlers) => {
        const accept = names.get(address);
        if (accept === undefined) return failedDial(new Error(`nobody listens at ${address}`))(handlers);
        const { near, far, refuse } = connect(address);
        const transport = near(handlers);
        offer(accept, far, refuse);
        return transport;
      };
    },
    listen: (address) => {
      check(address);
      return (accept) => {
        if (names.has(address)) {
          return Promise.reject(new MisuseError("ERR_ADDRESS_IN_USE", `${address} is in use`));
        }
        names.set(address, accept);
        const close = () => Promise.resolve(void (names.get(address) === accept && names.delete(address)));
        return Promise.resolve({ address, close });
      };
    },
  };
}
