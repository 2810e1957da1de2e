/**
 * What sockets share: the runtime's host and transports, the inproc names, the bounds on memory.
 *
 * @module
 */

import { platform } from "#platform";
import { MisuseError } from "../errors.ts";
import type { Adapter, Host, TransportFactory } from "../ports.ts";
import type { Features } from "./features.ts";
import { Runtime } from "../session/runtime.ts";
import { callFault, type CallOptions, wholeNumber } from "./call_options.ts";
import { isPlainObject } from "../arguments.ts";
import type { TransportOptionRows } from "./options.ts";
import { type EndpointRole, splitEndpoint } from "./scheme.ts";
import { showAs, showLines } from "../inspect.ts";

/** Options of a {@link Context}. */
export interface ContextOptions {
  /**
   * Clock, randomness and event-loop turns to use instead of the runtime's. The context then has only inproc
   * and `transports`, because tcp and ipc run in real time.
   */
  readonly host?: Host;
  /** Transports by scheme, in addition to the runtime's tcp and ipc or replacing them. */
  readonly transports?: Readonly<Record<string, TransportFactory>>;
  /**
   * In a browser, what sockets of this context can do besides connecting, which a page need not load
   * otherwise: `{ inproc }` for `inproc://`, `{ listening }` for `bind` over transports that can listen. Both
   * are exported by `hawser`. Node, Deno and Bun have them anyway.
   */
  readonly features?: Features;
  /**
   * Undecoded bytes held over all connections, partly received messages included. At the bound, connections
   * are paused, and a peer that stops partway through a message loses its connection (`ERR_PEER_PENDING`).
   * Default 256 MiB.
   */
  readonly pendingTotalBytesMax?: number;
  /**
   * Bytes waiting to be sent over all connections. At the bound, a peer counts as full once its share waits
   * for it: the bound divided by the number of peers for which anything waits. Default 1 GiB.
   */
  readonly queuedTotalBytesMax?: number;
  /**
   * Bytes received over all connections that the application has not read. At the bound, nothing more is
   * decoded from a peer whose share is unread, as at its own mark: the bound divided by the number of peers
   * of which anything is unread. Default 1 GiB.
   */
  readonly receivedTotalBytesMax?: number;
  /**
   * Bytes taken by the topics of all subscribers: for each, its length and 1 KiB. At the bound, the peer that
   * holds the most loses its connection (`ERR_PEER_SUBSCRIPTIONS`). Default 1 GiB.
   */
  readonly subscriptionsTotalBytesMax?: number;
}

const CONTEXT_OPTIONS: CallOptions<keyof ContextOptions> = {
  host: { allowed: "a Host", allows: (value) => typeof value === "object" && value !== null },
  transports: { allowed: "a plain object of transports by scheme", allows: isPlainObject },
  features: { allowed: "a plain object with listening, inproc", allows: isPlainObject },
  pendingTotalBytesMax: wholeNumber("bytes", 1),
  queuedTotalBytesMax: wholeNumber("bytes", 1),
  receivedTotalBytesMax: wholeNumber("bytes", 1),
  subscriptionsTotalBytesMax: wholeNumber("bytes", 1),
};

/** A group of sockets that share transports and bounds on memory and reach each other over `inproc://`. */
export class Context {
  /** @internal */
  readonly runtime: Runtime;
  /** @internal */
  readonly features: Features;
  /** @internal What the platform's transports allow as their options. */
  readonly transportOptions: TransportOptionRows = platform.transportOptions ?? {};
  readonly #transports: Map<string, TransportFactory>;
  /** Schemes of the runtime's own transports, which are loaded when the first endpoint needs one. */
  readonly #schemes: readonly string[];
  readonly #sockets: Set<{ close(): void }> = new Set();
  readonly #whenEmpty: (() => void)[] = [];
  #adapter: Adapter | Promise<Adapter> | undefined;
  #closed = false;

  constructor(options: ContextOptions = {}) {
    const fault = callFault("a Context", options, CONTEXT_OPTIONS);
    if (fault !== undefined) throw fault;
    showLines(platform.lineOf);
    const { host, transports = {}, features, ...limits } = options;
    this.features = { ...platform.features, ...features } as Features;
    this.runtime = new Runtime(host ?? platform.createHost(), limits);
    this.#transports = new Map(Object.entries(transports));
    this.#schemes = host === undefined ? platform.schemes : [];
  }

  /** Whether {@link close} was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Adds a transport, which serves endpoints `scheme://…` from now on.
   *
   * @throws {MisuseError} `ERR_ENDPOINT`: the scheme is not a lower-case name, or is `inproc`.
   */
  register(scheme: string, transport: TransportFactory): void {
    if (!/^[a-z][a-z0-9+.-]*$/.test(scheme) || scheme === "inproc") {
      throw new MisuseError(
        "ERR_ENDPOINT",
        `Cannot register a transport: "${scheme}" is not an allowed scheme`,
      );
    }
    this.#transports.set(scheme, transport);
  }

  /** Closes every socket of this context; new ones are refused. */
  close(): void {
    this.#closed = true;
    for (const socket of [...this.#sockets]) socket.close();
  }

  /** The fields that `JSON.stringify` shows; `console.log` shows them on one line. */
  toJSON(): Readonly<Record<string, unknown>> {
    return { sockets: this.#sockets.size, transports: this.#schemesKnown(), closed: this.#closed };
  }

  /** Same as {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Closes every socket and log and waits until all are gone, for each socket at most its linger time. For
   * `await using`.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    if (this.#sockets.size > 0) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
  }

  /**
   * @internal Returns the scheme of an endpoint, which must be one that this context may be able to use.
   *
   * @throws {MisuseError} `ERR_ENDPOINT`
   */
  schemeOf(address: string, role: EndpointRole): string {
    const { scheme } = splitEndpoint(address);
    platform.checkEndpoint?.(address, role);
    return scheme;
  }

  /** @internal Returns the transport of a scheme, or a promise of it until the adapter is loaded. */
  transport(scheme: string): TransportFactory | Promise<TransportFactory> {
    const here = this.#transports.get(scheme);
    if (here !== undefined) return here;
    if (!this.#schemes.includes(scheme)) {
      const known = this.#schemesKnown().join(", ");
      throw new MisuseError("ERR_ENDPOINT", `Unknown transport "${scheme}": this context has ${known}`);
    }
    this.#adapter ??= platform.loadAdapter();
    const use = (adapter: Adapter): TransportFactory => {
      for (const [name, factory] of adapter.transports) {
        if (!this.#transports.has(name)) this.#transports.set(name, factory);
      }
      return this.#transports.get(scheme)!;
    };
    return this.#adapter instanceof Promise ? this.#adapter.then(use) : use(this.#adapter);
  }

  /** Lists each scheme once: when the adapter is loaded, its schemes are among the transports too. */
  #schemesKnown(): string[] {
    return [...new Set(["inproc", ...this.#schemes, ...this.#transports.keys()])];
  }

  /** @internal Adds a socket. */
  add(socket: { close(): void }): void {
    if (this.#closed) throw new MisuseError("ERR_CLOSED", "The context is closed");
    this.#sockets.add(socket);
  }

  /** @internal Removes a socket that was closed and no longer holds anything. */
  remove(socket: { close(): void }): void {
    this.#sockets.delete(socket);
    this.runtime.keepAlive.settle();
    if (this.#sockets.size === 0) { for (const tell of this.#whenEmpty.splice(0)) tell(); }
  }
}

showAs(Context.prototype, "Context", (context) => context.toJSON());

let defaultContext: Context | undefined;

/**
 * Returns the context of sockets that name none. It is created on first use, because loading a module must
 * have no side effects.
 */
export function sharedContext(): Context {
  return defaultContext ??= new Context();
}
