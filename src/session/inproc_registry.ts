/**
 * The names that sockets of one context are bound to, and who waits for one: connect before bind.
 *
 * @module
 */

import type { InprocBinding, InprocNames, InprocSession } from "./inproc_session.ts";

/** See the module. */
export class InprocRegistry implements InprocNames {
  readonly #bindings: Map<string, InprocBinding> = new Map();
  readonly #waiting: Map<string, Set<InprocSession>> = new Map();

  /** False: the name is taken. Otherwise `bound` is called, and then whoever waited for the name is connected. */
  bind(binding: InprocBinding, bound: () => void): boolean {
    const { endpoint } = binding;
    if (this.#bindings.has(endpoint)) return false;
    this.#bindings.set(endpoint, binding);
    bound();
    // Whoever heard of it may have closed the socket.
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

  /** No longer waits. */
  forget(session: InprocSession): void {
    const waiting = this.#waiting.get(session.endpoint);
    waiting?.delete(session);
    if (waiting?.size === 0) this.#waiting.delete(session.endpoint);
  }
}
