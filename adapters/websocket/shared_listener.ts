/**
 * A listener of our own that sockets share by path: `ws://127.0.0.1:8080/a` and `ws://127.0.0.1:8080/b`. It
 * exists while a socket is bound to it.
 *
 * @module
 */

import type { Accept, Attach, Host, Listener, StreamOptions, TransportFactory } from "../../src/ports.ts";
import type { WebSocketEndpoint } from "../../src/socket/endpoint.ts";
import { hostNameOf, isLoopbackName } from "../../src/websocket/upgrade/policy.ts";
import { withScheme } from "../../src/websocket/upgrade/states.ts";
import { type BoundPath, BoundPaths, inUse, offerStream } from "./bound_paths.ts";
import { Peeks } from "./peeks.ts";
import { renamed } from "./renamed.ts";
import { sameTls } from "./same_tls.ts";

/** Where a listener listens, and over what. */
export interface SharedPlace {
  readonly scheme: "ws" | "wss";
  readonly inner: TransportFactory;
  /** The endpoint of `inner`: `tcp://127.0.0.1:8080`. */
  readonly innerAddress: string;
  readonly host: Host;
}

/** The path and the callbacks of a socket that wants to be bound. */
export interface BindRequest {
  readonly endpoint: WebSocketEndpoint;
  readonly options: StreamOptions;
  readonly accept: Accept;
  readonly failed: (cause: unknown) => void;
}

/** See the module. */
export class SharedListener {
  /** Resolves when the listener is gone. */
  readonly closed: Promise<void>;
  readonly #place: SharedPlace;
  readonly #paths: BoundPaths = new BoundPaths();
  /** Those who want it to keep the process alive. */
  readonly #referenced: Set<BoundPath> = new Set();
  readonly #peeks: Peeks;
  readonly #listening: Promise<Listener>;
  #listener: Listener | undefined;
  /** The options of TLS that all of its sockets have. */
  #tls: StreamOptions["tls"];
  #closing = false;
  #reportClosed: () => void = () => {};

  /** Starts listening with the options of the first socket. */
  constructor(place: SharedPlace, { endpoint, options }: BindRequest) {
    const { scheme, inner, innerAddress, host } = place;
    this.#place = place;
    this.#tls = options.tls;
    this.closed = new Promise((resolve) => this.#reportClosed = resolve);
    this.#peeks = new Peeks(endpoint.text, options.handshakeTimeoutMs ?? 0, {
      found: (path, raw) => {
        const bound = (path === undefined ? undefined : this.#paths.get(path)) ?? this.#paths.first;
        if (bound !== undefined) offerStream(bound, raw, { scheme, loopback: this.#isLoopback(), host });
      },
      failed: (error) => this.#paths.first?.failed(error),
    }, host);
    this.#listening = inner.listen(innerAddress, options)(
      (attach) => this.#accept(attach),
      (cause) => this.#paths.first?.failed(cause),
    );
  }

  /** Whether it is about to be gone: nobody may join it any longer. */
  get closing(): boolean {
    return this.#closing;
  }

  /** The endpoint that `inner` has bound. */
  get address(): string | undefined {
    return this.#listener?.address;
  }

  /** Binds a socket to its path. */
  async bind({ endpoint, options, accept, failed }: BindRequest): Promise<Listener> {
    const { text, path } = endpoint;
    const bound: BoundPath = { path, endpoint: text, options, accept, failed };
    if (options.tls !== undefined && !sameTls(this.#tls, options.tls)) {
      throw inUse(text, "the sockets there have other options of TLS");
    }
    this.#paths.add(bound);
    try {
      this.#listener = await this.#listening;
    } catch (cause) {
      this.#paths.delete(bound);
      this.#closing = true;
      this.#reportClosed();
      throw renamed(cause, this.#place.innerAddress, text);
    }
    bound.endpoint = withScheme(this.#listener.address, this.#place.scheme) + path;
    return this.#listenerOf(bound);
  }

  #listenerOf(bound: BoundPath): Listener {
    const inner = this.#listener!;
    let closing: Promise<void> | undefined;
    return {
      address: bound.endpoint,
      close: () => closing ??= this.#unbind(bound),
      setReferenced: (on) => {
        if (on) this.#referenced.add(bound);
        else this.#referenced.delete(bound);
        inner.setReferenced?.(this.#referenced.size > 0);
      },
      renew: async (options) => {
        try {
          await inner.renew?.(options);
        } catch (cause) {
          throw renamed(cause, inner.address, bound.endpoint);
        }
        this.#tls = options.tls;
      },
    };
  }

  async #unbind(bound: BoundPath): Promise<void> {
    this.#paths.delete(bound);
    this.#referenced.delete(bound);
    if (this.#paths.size > 0) return;
    this.#closing = true;
    this.#peeks.close();
    await this.#listener!.close();
    this.#reportClosed();
  }

  #accept(attach: Attach): void {
    const { scheme, host } = this.#place;
    const { first, size } = this.#paths;
    if (first === undefined) return;
    // One socket alone has the stream from its beginning, so its own limits and deadline hold for all of it.
    if (size === 1) offerStream(first, attach, { scheme, loopback: this.#isLoopback(), host });
    else this.#peeks.take(attach);
  }

  /** Whether only this machine can reach it. */
  #isLoopback(): boolean {
    const address = this.#listener?.address ?? this.#place.innerAddress;
    const name = hostNameOf(address.substring(address.indexOf("://") + 3));
    return name !== undefined && isLoopbackName(name);
  }
}
