/**
 * Names, listeners and connections of a simulated world: the scheme `sim://name`.
 *
 * @module
 */

import { MisuseError } from "../../src/errors.ts";
import type { Accept, Dial, Listen, Listener, StreamOptions, TransportFactory } from "../../src/ports.ts";
import type { EventLoop } from "./event_loop.ts";
import { Link, systemError } from "./link.ts";
import type { LinkEnd } from "./link_end.ts";
import type { Random } from "./random.ts";
import type { LinkOptions } from "./world_options.ts";

export interface NetworkInit {
  readonly loop: EventLoop;
  readonly random: Random;
  readonly options: LinkOptions;
  readonly violate: (message: string) => never;
}

interface Listening {
  readonly address: string;
  readonly accept: Accept;
  readonly failed: (cause: unknown) => void;
  referenced: boolean;
}

/** What the systems themselves wait, roughly, when nobody answers. */
const SYSTEM_CONNECT_TIMEOUT_MS = 120_000;
const ADDRESS = /^sim:\/\/([a-z0-9][a-z0-9._-]*|\*)$/;

export class Network implements TransportFactory {
  readonly #init: NetworkInit;
  readonly #listening: Map<string, Listening> = new Map();
  readonly #links: Link[] = [];
  #names = 0;
  #options: LinkOptions;
  /** Sees each link before its first end is dialled, to configure it or to plan its faults. */
  onLink: ((link: Link) => void) | undefined = undefined;

  constructor(init: NetworkInit) {
    this.#init = init;
    this.#options = init.options;
  }

  /** Every link there ever was, oldest first. */
  get links(): readonly Link[] {
    return this.#links;
  }

  /** Addresses in use. */
  get addresses(): readonly string[] {
    return [...this.#listening.keys()];
  }

  /** Changes what links made from now on are like. */
  configure(options: Partial<LinkOptions>): void {
    this.#options = { ...this.#options, ...options };
  }

  /** Whether a stream or listener would keep a process alive. */
  get referenced(): boolean {
    return [...this.#listening.values()].some((listening) => listening.referenced) ||
      this.#links.some((link) => link.client.referenced || link.server.referenced);
  }

  dial(address: string, options: StreamOptions): Dial {
    if (parseName(address) === "*") throw badAddress(address);
    return (handlers) => {
      const link = this.#newLink((link, end) => this.#attached(link, end, { address, options }));
      return link.dialClient(handlers);
    };
  }

  listen(address: string, _options: StreamOptions): Listen {
    parseName(address);
    return (accept, failed) => {
      const name = parseName(address);
      const bound = name === "*" ? `sim://any-${++this.#names}` : address;
      if (this.#listening.has(bound)) {
        return Promise.reject(
          new MisuseError("ERR_ADDRESS_IN_USE", `Cannot listen on ${bound}: it is in use`),
        );
      }
      const listening: Listening = { address: bound, accept, failed, referenced: true };
      this.#listening.set(bound, listening);
      return Promise.resolve(this.#listener(listening));
    };
  }

  /** A connection without names: both ends are dialled by the test, and open by themselves. */
  link(options: Partial<LinkOptions> = {}): Link {
    return this.#newLink(undefined, options);
  }

  /** Tells the listener at `address` that accepting failed, as when a process has no file descriptors left. */
  failAccept(address: string, cause: unknown): void {
    const listening = this.#listening.get(address);
    if (listening === undefined) throw new RangeError(`Cannot fail an accept: nobody listens on ${address}`);
    this.#init.loop.io(0, `accept fails at ${address}`, () => listening.failed(cause));
  }

  /** The links that still live. */
  describe(): string {
    const alive = this.#links.filter((link) => !link.closed);
    return alive.map((link) => link.describe()).join("\n");
  }

  #newLink(
    attached: ((link: Link, end: LinkEnd) => void) | undefined,
    options: Partial<LinkOptions> = {},
  ): Link {
    const { loop, random, violate } = this.#init;
    const link = new Link({
      id: this.#links.length + 1,
      loop,
      random,
      violate,
      options: { ...this.#options, ...options },
      ...(attached === undefined ? {} : { attached }),
    });
    this.#links.push(link);
    this.onLink?.(link);
    return link;
  }

  #listener(listening: Listening): Listener {
    return {
      address: listening.address,
      close: () => {
        if (this.#listening.get(listening.address) === listening) this.#listening.delete(listening.address);
        return Promise.resolve();
      },
      setReferenced: (on) => {
        listening.referenced = on;
      },
    };
  }

  #attached(
    link: Link,
    end: LinkEnd,
    target: { readonly address: string; readonly options: StreamOptions },
  ): void {
    if (end === link.server) return end.opened(link.infoOf(end, target.address));
    const { loop, random } = this.#init;
    if (random.chance(link.options.blackholeChance)) {
      const limitMs = target.options.connectTimeoutMs || SYSTEM_CONNECT_TIMEOUT_MS;
      loop.io(limitMs, `#${link.id} times out`, () => link.refuse(systemError("ETIMEDOUT")));
      return;
    }
    const refused = random.chance(link.options.refuseChance);
    loop.io(link.toServer.latencyMs, `#${link.id} connects`, () => {
      if (link.broken) return;
      const listening = this.#listening.get(target.address);
      if (refused || listening === undefined) return link.refuse(systemError("ECONNREFUSED"));
      // Whether the dialler hears first or the listener is anybody's guess.
      const opens = (): void => link.client.opened(link.infoOf(link.client, target.address));
      const accepts = (): void => this.#accept(link, listening);
      for (const next of random.shuffle([opens, accepts])) next();
    });
  }

  #accept(link: Link, listening: Listening): void {
    this.#init.loop.io(0, `#${link.id} accepted`, () => {
      if (this.#listening.get(listening.address) === listening) listening.accept(link.dialServer);
      else link.cut();
    });
  }
}

function parseName(address: string): string {
  const name = ADDRESS.exec(address)?.[1];
  if (name === undefined) throw badAddress(address);
  return name;
}

function badAddress(address: string): MisuseError {
  return new MisuseError("ERR_ENDPOINT", `Cannot use "${address}": a simulated endpoint is sim://name`);
}
