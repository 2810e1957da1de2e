/**
 * The inproc names of one context: which sockets are bound to them, and which sessions wait for one (connect
 * before bind).
 *
 * @module
 */

import type { InprocBinding, InprocNames, InprocSession } from "./inproc_session.ts";

/** Finds the bound end for each connecting inproc session of a context. */
export class InprocRegistry implements InprocNames {
  readonly #bindings: Map<string, InprocBinding> = new Map();
  readonly #waiting: Map<string, Set<InprocSession>> = new Map();

  /**
   * Returns `false` if the name is taken. Otherwise calls `bound`, then connects the sessions that waited for
   * the name.
   */
  bind(binding: InprocBinding, bound: () => void): boolean {
    const { endpoint } = binding;
    if (this.#bindings.has(endpoint)) return false;
    this.#bindings.set(endpoint, binding);
    bound();
    // An event listener may have closed the socket.
    if (this.#bindings.get(endpoint) !== binding) return true;
    const waiting = this.#waiting.get(endpoint);
    this.#waiting.delete(endpoint);
    for (const session of waiting ?? []) binding.accept(session);
    return true;
  }

  unbind(binding: InprocBinding): void {
    if (this.#bindings.get(binding.endpoint) === binding) this.#bindings.delete(binding.endpoint);
  }

  /** Connects a session, now or when its name is bound. */
  connect(session: InprocSession): void {
    const { endpoint } = session;
    const binding = this.#bindings.get(endpoint);
    if (binding !== undefined) return binding.accept(session);
    const waiting = this.#waiting.get(endpoint) ?? new Set();
    this.#waiting.set(endpoint, waiting.add(session));
  }

  /** `session` no longer waits. */
  forget(session: InprocSession): void {
    const waiting = this.#waiting.get(session.endpoint);
    waiting?.delete(session);
    if (waiting?.size === 0) this.#waiting.delete(session.endpoint);
  }
}
