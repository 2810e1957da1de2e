/**
 * What sockets share: the runtime's host and transports, the inproc names, the bounds on memory.
 *
 * @module
 */

import { platform } from "#platform";
import { MisuseError } from "../errors.ts";
import type { Adapter, Host, TransportFactory } from "../ports.ts";
import { Runtime } from "../session/runtime.ts";
import { callFault, type CallOptions, isPlainObject, wholeNumber } from "./call_options.ts";
import { showAs } from "../inspect.ts";

/** Options of a {@link Context}. */
export interface ContextOptions {
  /** Time, chance and turns in place of the runtime's. Then `transports` are all there are: tcp and ipc run in real time. */
  readonly host?: Host;
  /** Transports by scheme, besides or in place of the runtime's tcp and ipc. */
  readonly transports?: Readonly<Record<string, TransportFactory>>;
  /**
   * Bytes that wait undecoded over all connections, half-received messages included. At the bound connections are paused,
   * and a peer that stops in the middle of a message loses its connection (`ERR_PEER_PENDING`). Default 256 MiB.
   */
  readonly pendingTotalBytesMax?: number;
  /**
   * Bytes that wait to be sent over all connections. At the bound a peer counts as full when as much waits for it as its
   * share, which is the bound divided by the peers for which anything waits. Default 1 GiB.
   */
  readonly queuedTotalBytesMax?: number;
  /**
   * Bytes that the topics of all subscribers take, 1 KiB and the topic's length for each. At the bound the peer that holds
   * most loses its connection (`ERR_PEER_SUBSCRIPTIONS`). Default 1 GiB.
   */
  readonly subscriptionsTotalBytesMax?: number;
}

const CONTEXT_OPTIONS: CallOptions<keyof ContextOptions> = {
  host: { allowed: "a Host", allows: (value) => typeof value === "object" && value !== null },
  transports: { allowed: "a plain object of transports by scheme", allows: isPlainObject },
  pendingTotalBytesMax: wholeNumber("bytes", 1),
  queuedTotalBytesMax: wholeNumber("bytes", 1),
  subscriptionsTotalBytesMax: wholeNumber("bytes", 1),
};

/** A place for sockets. Sockets of one context reach each other over `inproc://`. */
export class Context {
  /** @internal */
  readonly runtime: Runtime;
  readonly #transports: Map<string, TransportFactory>;
  /** Schemes of the runtime's own transports, which are fetched when the first endpoint needs them. */
  readonly #schemes: readonly string[];
  readonly #sockets: Set<{ close(): void }> = new Set();
  readonly #whenEmpty: (() => void)[] = [];
  #adapter: Promise<Adapter> | undefined;
  #closed = false;

  constructor(options: ContextOptions = {}) {
    const fault = callFault("a Context", options, CONTEXT_OPTIONS);
    if (fault !== undefined) throw fault;
    const { host, transports = {}, ...limits } = options;
    this.runtime = new Runtime(host ?? platform.createHost(), limits);
    this.#transports = new Map(Object.entries(transports));
    this.#schemes = host === undefined ? platform.schemes : [];
  }

  /** Whether {@link close} was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Adds a transport: endpoints `scheme://…` are its own from now on.
   *
   * @throws {MisuseError} `ERR_ENDPOINT`: the scheme is not a lower-case name, or is `inproc`.
   */
  register(scheme: string, transport: TransportFactory): void {
    if (!/^[a-z][a-z0-9+.-]*$/.test(scheme) || scheme === "inproc") {
      throw new MisuseError("ERR_ENDPOINT", `Cannot register transport: "${scheme}" cannot be its scheme`);
    }
    this.#transports.set(scheme, transport);
  }

  /** Closes every socket of this context; new ones are refused. */
  close(): void {
    this.#closed = true;
    for (const socket of [...this.#sockets]) socket.close();
  }

  /** What `JSON.stringify` shows of a context; `console.log` shows it in a line. */
  toJSON(): Readonly<Record<string, unknown>> {
    return { sockets: this.#sockets.size, transports: this.#schemesKnown(), closed: this.#closed };
  }

  /** As {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Closes every socket and log and waits until all are gone, sockets each at most its linger time. For
   * `await using`.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    if (this.#sockets.size > 0) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
  }

  /** @internal A transport that is here already, or a promise of it. */
  transport(scheme: string): TransportFactory | Promise<TransportFactory> {
    const here = this.#transports.get(scheme);
    if (here !== undefined) return here;
    if (!this.#schemes.includes(scheme)) {
      const known = this.#schemesKnown().join(", ");
      throw new MisuseError("ERR_ENDPOINT", `Unknown transport "${scheme}": this context has ${known}`);
    }
    this.#adapter ??= platform.loadAdapter();
    return this.#adapter.then((adapter) => {
      for (const [name, factory] of adapter.transports) {
        if (!this.#transports.has(name)) this.#transports.set(name, factory);
      }
      return this.#transports.get(scheme)!;
    });
  }

  /** Each once: when the adapter is loaded, its schemes are transports like any other. */
  #schemesKnown(): string[] {
    return [...new Set(["inproc", ...this.#schemes, ...this.#transports.keys()])];
  }

  /** @internal A socket lives here. */
  add(socket: { close(): void }): void {
    if (this.#closed) throw new MisuseError("ERR_CLOSED", "The context is closed");
    this.#sockets.add(socket);
  }

  /** @internal A socket was closed and holds nothing any more. */
  remove(socket: { close(): void }): void {
    this.#sockets.delete(socket);
    this.runtime.keepAlive.settle();
    if (this.#sockets.size === 0) { for (const tell of this.#whenEmpty.splice(0)) tell(); }
  }
}

showAs(Context.prototype, "Context", (context) => context.toJSON());

let defaultContext: Context | undefined;

/** The context of sockets that name none. Made when the first one asks: nothing may happen when a module is loaded. */
export function sharedContext(): Context {
  return defaultContext ??= new Context();
}
