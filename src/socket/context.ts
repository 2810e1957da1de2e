/**
 * What sockets share: the runtime's host and transports, the inproc names, the bound on pending memory.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import type { Adapter, Host, TransportFactory } from "../ports.ts";
import { Runtime } from "../session/runtime.ts";
import { showAs } from "./inspect.ts";

/** What a context is made of. */
export interface ContextInit {
  readonly host: Host;
  /** The runtime's own transports, fetched when the first endpoint needs them. */
  readonly loadAdapter?: () => Promise<Adapter>;
  /** Schemes of the runtime's own transports; others are misuse at once. */
  readonly schemes?: readonly string[];
  /** Transports by scheme, besides or in place of the runtime's. */
  readonly transports?: Readonly<Record<string, TransportFactory>>;
  /** Bytes that wait undecoded over all connections before they are paused. Default 256 MiB. */
  readonly pendingTotalBytesMax?: number;
}

/** A place for sockets. Sockets of one context reach each other over `inproc://`. */
export class Context {
  /** For the socket layer. */
  readonly runtime: Runtime;
  readonly #transports: Map<string, TransportFactory>;
  readonly #schemes: readonly string[];
  readonly #loadAdapter: (() => Promise<Adapter>) | undefined;
  readonly #sockets: Set<{ close(): void }> = new Set();
  readonly #whenEmpty: (() => void)[] = [];
  #adapter: Promise<Adapter> | undefined;
  #closed = false;

  constructor(init: ContextInit) {
    const bytesMax = init.pendingTotalBytesMax;
    this.runtime = new Runtime(init.host, bytesMax === undefined ? {} : { pendingTotalBytesMax: bytesMax });
    this.#transports = new Map(Object.entries(init.transports ?? {}));
    this.#schemes = init.schemes ?? [];
    this.#loadAdapter = init.loadAdapter;
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

  /** A transport that is here already, or a promise of it. @internal */
  transport(scheme: string): TransportFactory | Promise<TransportFactory> {
    const here = this.#transports.get(scheme);
    if (here !== undefined) return here;
    if (this.#loadAdapter === undefined || !this.#schemes.includes(scheme)) {
      const known = this.#schemesKnown().join(", ");
      throw new MisuseError("ERR_ENDPOINT", `Unknown transport "${scheme}": this context has ${known}`);
    }
    this.#adapter ??= this.#loadAdapter();
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

  /** A socket lives here. @internal */
  add(socket: { close(): void }): void {
    if (this.#closed) throw new MisuseError("ERR_CLOSED", "The context is closed");
    this.#sockets.add(socket);
  }

  /** A socket was closed and holds nothing any more. @internal */
  remove(socket: { close(): void }): void {
    this.#sockets.delete(socket);
    if (this.#sockets.size === 0) { for (const tell of this.#whenEmpty.splice(0)) tell(); }
  }
}

showAs(Context.prototype, (context) => context.toJSON());

let makeDefault: (() => Context) | undefined;
let defaultContext: Context | undefined;

/** The entry point of a runtime says once how the default context is made. @internal */
export function provideDefaultContext(make: () => Context): void {
  makeDefault ??= make;
}

/** The context of sockets that name none. @internal */
export function sharedContext(): Context {
  if (defaultContext !== undefined) return defaultContext;
  if (makeDefault === undefined) {
    throw new MisuseError(
      "ERR_STATE",
      'No default context: import from "hawser", or give the option "context"',
    );
  }
  return defaultContext = makeDefault();
}
