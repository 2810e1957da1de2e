/**
 * What sockets share: the runtime's host and transports, the inproc names, the bounds on memory.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import type { TotalLimits } from "../engine/limits.ts";
import type { Adapter, Host, TransportFactory } from "../ports.ts";
import { Runtime } from "../session/runtime.ts";

/** What a context is made of. */
export interface ContextInit {
  readonly host: Host;
  /** The runtime's own transports, fetched when the first endpoint needs them. */
  readonly loadAdapter?: () => Promise<Adapter>;
  /** Schemes of the runtime's own transports; others are misuse at once. */
  readonly schemes?: readonly string[];
  /** Transports by scheme, besides or in place of the runtime's. */
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

/** A place for sockets. Sockets of one context reach each other over `inproc://`. */
export class Context {
  /** For the socket layer. */
  readonly runtime: Runtime;
  readonly #transports: Map<string, TransportFactory>;
  readonly #schemes: readonly string[];
  readonly #loadAdapter: (() => Promise<Adapter>) | undefined;
  readonly #sockets: Set<{ close(): void }> = new Set();
  #adapter: Promise<Adapter> | undefined;
  #closed = false;

  constructor(init: ContextInit) {
    this.runtime = new Runtime(init.host, totalLimits(init));
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

  /** A transport that is here already, or a promise of it. @internal */
  transport(scheme: string): TransportFactory | Promise<TransportFactory> {
    const here = this.#transports.get(scheme);
    if (here !== undefined) return here;
    if (this.#loadAdapter === undefined || !this.#schemes.includes(scheme)) {
      const known = ["inproc", ...this.#transports.keys(), ...this.#schemes].join(", ");
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

  /** A socket lives here. @internal */
  add(socket: { close(): void }): void {
    if (this.#closed) throw new MisuseError("ERR_CLOSED", "The context is closed");
    this.#sockets.add(socket);
  }

  /** A socket was closed. @internal */
  remove(socket: { close(): void }): void {
    this.#sockets.delete(socket);
  }
}

/** The bounds that were given. */
function totalLimits(init: ContextInit): Partial<TotalLimits> {
  const limits: { -readonly [Name in keyof TotalLimits]?: number } = {};
  for (const name of ["pendingTotalBytesMax", "queuedTotalBytesMax", "subscriptionsTotalBytesMax"] as const) {
    const value = init[name];
    if (value === undefined) continue;
    if (typeof value !== "number" || !(value >= 1)) {
      throw new MisuseError(
        "ERR_OPTION",
        `Cannot set option "${name}" to ${String(value)}: allowed is bytes, a number of 1 or more`,
      );
    }
    limits[name] = value;
  }
  return limits;
}

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
