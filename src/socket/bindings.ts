/**
 * What a socket is bound to. A page that only connects does not load this: features.ts brings it.
 *
 * @module
 */

import { MisuseError } from "../errors.ts";
import type { StreamOptions, TransportFactory } from "../ports.ts";
import type { AcceptSession } from "../session/accept_session.ts";
import type { InprocBinding, InprocSession } from "../session/inproc_session.ts";
import type { ListenSession } from "../session/listen_session.ts";
import type { Session, SessionOwner } from "../session/owner.ts";
import type { Runtime } from "../session/runtime.ts";
import { closedError } from "./wait_list.ts";

/** The socket whose bindings these are. */
export interface BindingsOwner extends SessionOwner {
  readonly runtime: Runtime;
}

/** Makes what listens on an endpoint; `accepted` is called with every connection. */
type MakeListener = (
  owner: SessionOwner,
  runtime: Runtime,
  accepted: (session: AcceptSession) => void,
) => ListenSession;

/** Makes the bound end of a name within the context. */
type MakeInproc = (
  owner: SessionOwner,
  runtime: Runtime,
  endpoint: string,
  accepted: (session: InprocSession) => void,
) => InprocBinding;

/** What bindings report to the endpoints that they belong to. */
export interface BindingsEvents {
  /** Bound to this real endpoint. */
  boundTo(endpoint: string): void;
  /** A peer has connected. */
  accepted(session: Session): void;
  /** A binding of a closed socket is gone. */
  review(): void;
}

/** The bindings of one socket. */
export class Bindings {
  readonly #core: BindingsOwner;
  readonly #events: BindingsEvents;
  readonly #bindings: Map<string, ListenSession | InprocBinding> = new Map();
  /** Those that open or close at present. */
  #changing = 0;

  constructor(core: BindingsOwner, events: BindingsEvents) {
    this.#core = core;
    this.#events = events;
  }

  /** The real endpoints that the socket is bound to. */
  get endpoints(): string[] {
    return [...this.#bindings.keys()];
  }

  /** Whether anything is bound, or is about to be, or is not gone yet. */
  get busy(): boolean {
    return this.#bindings.size + this.#changing > 0;
  }

  /** Binds and starts accepting. Resolves with the real endpoint. */
  async listen(
    feature: { readonly listen: MakeListener },
    address: string,
    transport: TransportFactory | Promise<TransportFactory>,
    options: StreamOptions,
  ): Promise<string> {
    const core = this.#core;
    const session = feature.listen(core, core.runtime, (accepted) => this.#events.accepted(accepted));
    this.#changing++;
    try {
      const factory = await transport;
      await session.open(factory.listen(address, options));
    } catch (error) {
      core.emit({ type: "bind:error", address, error: error as Error });
      throw error;
    } finally {
      this.#changing--;
      if (core.closed) void session.close().then(() => this.#events.review());
    }
    if (core.closed) throw closedError();
    this.#bound(session.endpoint, session);
    return session.endpoint;
  }

  /** Binds to a name within the context. */
  bindInproc(feature: { readonly bind: MakeInproc }, address: string): void {
    const core = this.#core;
    const binding = feature.bind(core, core.runtime, address, (session) => this.#events.accepted(session));
    if (binding.open(() => this.#bound(address, binding))) return;
    const error = new MisuseError("ERR_ADDRESS_IN_USE", `Cannot bind to "${address}": the name is in use`);
    core.emit({ type: "bind:error", address, error });
    throw error;
  }

  /** Stops accepting. Returns `undefined` if the socket is not bound to this real endpoint. */
  unbind(address: string): Promise<void> | undefined {
    const binding = this.#bindings.get(address);
    if (binding === undefined) return undefined;
    this.#bindings.delete(address);
    return Promise.resolve(binding.close()).then(() => this.#core.emit({ type: "close", address }));
  }

  /** Accepts with these options from now on. Rejects with the error of the first listener that cannot. */
  async renew(options: StreamOptions): Promise<void> {
    const renewals = [...this.#bindings.values()].flatMap((binding) =>
      isInproc(binding) ? [] : [binding.renew(options)]
    );
    const renewed = await Promise.allSettled(renewals);
    for (const result of renewed) if (result.status === "rejected") throw result.reason;
  }

  /** Closes all; a review follows when the last has gone. */
  close(): void {
    for (const binding of this.#bindings.values()) {
      if (isInproc(binding)) {
        binding.close();
        continue;
      }
      this.#changing++;
      void binding.close().then(() => {
        this.#changing--;
        this.#core.emit({ type: "close", address: binding.endpoint });
        this.#events.review();
      });
    }
    this.#bindings.clear();
  }

  #bound(endpoint: string, binding: ListenSession | InprocBinding): void {
    this.#bindings.set(endpoint, binding);
    this.#events.boundTo(endpoint);
  }
}

function isInproc(binding: ListenSession | InprocBinding): binding is InprocBinding {
  return binding.endpoint.startsWith("inproc:");
}
