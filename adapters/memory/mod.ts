/**
 * Streams within one process: `memory://name`, and pairs without a name. For tests, and for parts of one
 * program that speak ZMTP to each other. Works on any runtime.
 *
 * @module
 */

import { MisuseError } from "../../src/errors.ts";
import type { Accept, Adapter, Dial, Host, Listen, TransportFactory } from "../../src/ports.ts";
import { parseEndpoint } from "../../src/socket/endpoint.ts";
import { createHost } from "../host.ts";
import { refusedStream } from "../system_errors.ts";
import { type MemoryLink, MemoryStream } from "./stream.ts";

/** Options of a memory transport. */
export interface MemoryOptions {
  /** The host that runs deliveries. Default: the runtime's own. A simulator passes its virtual one. */
  readonly host?: Host;
  /** Bytes that may wait at a reader before a writer's memory is lent. Default 65 536. */
  readonly capacityBytes?: number;
}

const CAPACITY_BYTES = 65_536;

/** Returns the two ends of one stream. It opens when both are dialled; each may be dialled once. */
export function memoryPair(options: MemoryOptions = {}): { readonly left: Dial; readonly right: Dial } {
  const link = createLink("memory://pair", options);
  const left = new MemoryStream(link);
  const right = new MemoryStream(link);
  left.join(right);
  return { left: attachTo(left, () => true), right: attachTo(right, () => true) };
}

/**
 * Returns a `memory` transport with names of its own: only endpoints of the same factory find each other.
 * `memory://*` binds a new name.
 */
export function memoryTransport(options: MemoryOptions = {}): TransportFactory {
  const names = new Map<string, Accept>();
  return {
    dial: (address) => {
      checkAddress(address);
      return (handlers) => {
        const stream = new MemoryStream(createLink(address, options));
        stream.attach(handlers);
        const { host } = createLink(address, options);
        host.microtask(() => connect(stream, address, names, options));
        return stream;
      };
    },
    listen: (address) => {
      checkAddress(address);
      return createListen(names, address);
    },
  };
}

function connect(
  client: MemoryStream,
  address: string,
  names: ReadonlyMap<string, Accept>,
  options: MemoryOptions,
): void {
  const accept = names.get(address);
  if (accept === undefined) {
    const refused = new Error(`Nothing listens at ${address}`);
    return client.fail(Object.assign(refused, { code: "ECONNREFUSED" }));
  }
  const server = new MemoryStream(createLink(address, options));
  let refused = false;
  accept(attachTo(server, () => !refused));
  refused = !server.attached;
  if (refused) client.fail(Object.assign(new Error(`${address} refused the stream`), { code: "ECONNRESET" }));
  else server.join(client);
}

function attachTo(stream: MemoryStream, allowed: () => boolean): Dial {
  return (handlers) => {
    stream.attach(handlers);
    if (!allowed()) stream.fail(refusedStream());
    return stream;
  };
}

function createListen(names: Map<string, Accept>, address: string): Listen {
  return (accept) => {
    const name = address === "memory://*" ? freshName(names) : address;
    if (names.has(name)) {
      const inUse = new MisuseError("ERR_ADDRESS_IN_USE", `Cannot bind ${name}: the address is in use`);
      return Promise.reject(inUse);
    }
    names.set(name, accept);
    const close = (): Promise<void> => {
      if (names.get(name) === accept) names.delete(name);
      return Promise.resolve();
    };
    return Promise.resolve({ address: name, close });
  };
}

function freshName(names: ReadonlyMap<string, unknown>): string {
  let number = names.size + 1;
  while (names.has(`memory://${number}`)) number += 1;
  return `memory://${number}`;
}

function checkAddress(address: string): void {
  if (parseEndpoint(address).scheme !== "memory") {
    throw new MisuseError("ERR_ENDPOINT", `Invalid endpoint "${address}": the scheme must be memory`);
  }
}

function createLink(address: string, options: MemoryOptions): MemoryLink {
  return {
    host: options.host ?? sharedHost(),
    address,
    capacityBytes: options.capacityBytes ?? CAPACITY_BYTES,
  };
}

let madeHost: Host | undefined;

function sharedHost(): Host {
  return madeHost ??= createHost();
}

/** An adapter with only the memory transport, whose names the whole process shares. */
export const memoryAdapter: Adapter = {
  name: "memory",
  host: createHost(),
  transports: new Map([["memory", memoryTransport()]]),
};
