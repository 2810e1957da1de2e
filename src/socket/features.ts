/**
 * What sockets can do besides connecting over a byte stream. The runtimes' platforms have all of it. That of
 * a browser has none, so that a page which only connects need not load the rest, and gets it from those who
 * need it: `new Context({ features: { inproc } })`.
 *
 * @module
 */

import type { AcceptSession } from "../session/accept_session.ts";
import { InprocRegistry } from "../session/inproc_registry.ts";
import { InprocBinding, type InprocRuntime, InprocSession } from "../session/inproc_session.ts";
import { ListenSession } from "../session/listen_session.ts";
import type { SessionOwner } from "../session/owner.ts";
import type { Runtime } from "../session/runtime.ts";
import { Bindings, type BindingsEvents, type BindingsOwner } from "./bindings.ts";

/** Accepting connections: `bind` over transports that can listen. */
export interface Listening {
  /** @internal Makes what holds the bindings of a socket. */
  bindings(core: BindingsOwner, events: BindingsEvents): Bindings;
  /** @internal Makes what listens on an endpoint; `accepted` is called with every connection. */
  listen(
    owner: SessionOwner,
    runtime: Runtime,
    accepted: (session: AcceptSession) => void,
  ): ListenSession;
}

/** Connections over `inproc://`, within a context. */
export interface Inproc {
  /** @internal Makes what holds the bindings of a socket. */
  bindings(core: BindingsOwner, events: BindingsEvents): Bindings;
  /** @internal */
  connect(
    owner: SessionOwner,
    runtime: Runtime,
    endpoint: string,
    routingId: Uint8Array | undefined,
  ): InprocSession;
  /** @internal */
  bind(
    owner: SessionOwner,
    runtime: Runtime,
    endpoint: string,
    accepted: (session: InprocSession) => void,
  ): InprocBinding;
}

/** What a context can do besides connecting over its transports. */
export interface Features {
  readonly listening?: Listening;
  readonly inproc?: Inproc;
}

/** Accepting connections. Node, Deno and Bun always have it. */
export const listening: Listening = {
  bindings: makeBindings,
  listen: (owner, runtime, accepted) => new ListenSession(owner, runtime, accepted),
};

/** `inproc://`. Node, Deno and Bun always have it. */
export const inproc: Inproc = {
  bindings: makeBindings,
  connect: (owner, runtime, endpoint, routingId) =>
    new InprocSession(owner, withNames(runtime), endpoint, true, routingId),
  bind: (owner, runtime, endpoint, accepted) =>
    new InprocBinding(owner, withNames(runtime), endpoint, accepted),
};

function makeBindings(core: BindingsOwner, events: BindingsEvents): Bindings {
  return new Bindings(core, events);
}

function withNames(runtime: Runtime): InprocRuntime {
  runtime.inproc ??= new InprocRegistry();
  return runtime as InprocRuntime;
}
