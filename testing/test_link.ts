/**
 * A transport for tests of programs: streams in memory that take a few bytes at a time, come late, and are
 * cut. What works over it works over a bad network.
 *
 * @module
 */

import { failedDial, offer } from "../adapters/kit/offer.ts";
import { createHost } from "../adapters/host.ts";
import { MisuseError } from "../src/errors.ts";
import type { Accept, Host, TransportFactory } from "../src/ports.ts";
import { SeededRandom } from "./random.ts";
import { joinEnds, type LinkSettings, TestEnd } from "./test_link_end.ts";

/** Options of {@link testLink}. */
export interface TestLinkOptions {
  /** Makes the same link again. Default: by chance, and printed, so that a failure can be repeated. */
  readonly seed?: number;
  /** The scheme of its endpoints. Default `"test"`. With `"tcp"` a program's own endpoints go over it. */
  readonly scheme?: string;
  /** Bytes that may be in transit in each direction: a writer has to wait all the time. Default 64. */
  readonly bufferBytes?: number;
  /** Turns of the event loop that bytes take, at most. Default 3. */
  readonly delayTurnsMax?: number;
  /** Bytes until a connection is cut, on average, counted in one of its directions. 0: never. Default 0. */
  readonly cutBytesMean?: number;
  /** Share of connection attempts that are refused, from 0 to 1. Default 0. */
  readonly refuseChance?: number;
  /** The host that runs deliveries. Default: the runtime's own. */
  readonly host?: Host;
}

/** A transport, and what it did. */
export interface TestLink extends TransportFactory {
  readonly seed: number;
  /** Connections that were cut so far. */
  readonly cuts: number;
  /** Attempts that were refused so far. */
  readonly refusals: number;
}

/**
 * Returns a transport whose names are its own: only sockets of contexts that were given this very object find
 * each other. What it does to the n-th connection follows from the seed; where the program's messages fall in
 * time, it does not control. `test://*` binds a new name.
 *
 * @example
 * ```ts
 * import { Context, Pull, Push } from "hawser";
 * import { testLink } from "hawser/testing";
 *
 * const link = testLink({ seed: 7, cutBytesMean: 50_000 });
 * const context = new Context({ transports: { test: link } });
 * const pull = new Pull({ context });
 * const push = new Push({ context });
 * await pull.bind("test://work");
 * push.connect("test://work");
 * await push.send("hello");
 * console.log(new TextDecoder().decode((await pull.receive())[0])); // hello
 * context.close();
 * ```
 */
export function testLink(options: TestLinkOptions = {}): TestLink {
  return new Link(options);
}

class Link implements TestLink {
  readonly seed: number;
  cuts = 0;
  refusals = 0;
  readonly #scheme: string;
  readonly #refuseChance: number;
  readonly #cutBytesMean: number;
  readonly #settings: LinkSettings;
  readonly #random: SeededRandom;
  readonly #names: Map<string, Accept> = new Map();
  #fresh = 0;

  constructor(options: TestLinkOptions) {
    const { scheme = "test", bufferBytes = 64, delayTurnsMax = 3, cutBytesMean = 0, refuseChance = 0 } =
      options;
    const host = options.host ?? createHost();
    this.seed = options.seed ?? chosenSeed(host);
    if (options.seed === undefined) say(`testLink({ seed: ${this.seed} }) makes this test link again`);
    this.#scheme = scheme;
    this.#refuseChance = refuseChance;
    this.#cutBytesMean = cutBytesMean;
    this.#random = new SeededRandom(this.seed);
    this.#settings = { host, bufferBytes, delayTurnsMax, cut: () => void this.cuts++ };
  }

  dial(address: string): ReturnType<TransportFactory["dial"]> {
    this.#check(address);
    return (handlers) => {
      const random = this.#random.fork();
      const accept = this.#names.get(address);
      if (accept === undefined) {
        return failedDial(this.#error("ECONNREFUSED", `nothing listens at ${address}`))(handlers);
      }
      if (random.chance(this.#refuseChance)) {
        this.refusals += 1;
        return failedDial(this.#error("ECONNREFUSED", `${address} refused the connection`))(handlers);
      }
      const why = this.#error("ECONNRESET", `the connection to ${address} was cut`);
      const near = new TestEnd(this.#settings, random.fork(), address, why);
      const far = new TestEnd(this.#settings, random.fork(), address, why);
      if (this.#cutBytesMean > 0) {
        (random.chance(0.5) ? near : far).cutAfter(random.around(this.#cutBytesMean));
      }
      const transport = near.attach(handlers);
      this.#settings.host.microtask(() => {
        offer(accept, (handlers) => far.attach(handlers), () => near.lose(why));
        joinEnds(near, far);
      });
      return transport;
    };
  }

  listen(address: string): ReturnType<TransportFactory["listen"]> {
    this.#check(address);
    return (accept) => {
      const bound = address.endsWith("*") ? this.#freshName(address) : address;
      if (this.#names.has(bound)) {
        return Promise.reject(
          new MisuseError("ERR_ADDRESS_IN_USE", `Cannot bind ${bound}: the address is in use`),
        );
      }
      this.#names.set(bound, accept);
      const close = (): Promise<void> => {
        if (this.#names.get(bound) === accept) this.#names.delete(bound);
        return Promise.resolve();
      };
      return Promise.resolve({ address: bound, close });
    };
  }

  #freshName(address: string): string {
    let name: string;
    do name = `${address.substring(0, address.length - 1)}${++this.#fresh}`; while (this.#names.has(name));
    return name;
  }

  #check(address: string): void {
    if (address.startsWith(`${this.#scheme}://`)) return;
    throw new MisuseError(
      "ERR_ENDPOINT",
      `Invalid endpoint "${address}": the scheme must be ${this.#scheme}`,
    );
  }

  #error(code: string, what: string): Error {
    return Object.assign(new Error(`Test link with seed ${this.seed}: ${what}`), { code });
  }
}

function chosenSeed(host: Host): number {
  const bytes = new Uint8Array(4);
  host.random(bytes);
  return new DataView(bytes.buffer).getUint32(0);
}

function say(line: string): void {
  const { console } = globalThis as { readonly console?: { log(line: string): void } };
  console?.log(line);
}
