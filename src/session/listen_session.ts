/**
 * One bound endpoint: accepts streams, within a bound on handshakes that are not done.
 *
 * @module
 */

import { PeerError } from "../errors.ts";
import type { Dial, Listen, Listener } from "../ports.ts";
import { AcceptSession } from "./accept_session.ts";
import type { SessionOwner } from "./owner.ts";
import type { Runtime } from "./runtime.ts";

/** See the module. */
export class ListenSession {
  readonly #owner: SessionOwner;
  readonly #runtime: Runtime;
  readonly #accepted: (session: AcceptSession) => void;
  #listener: Listener | undefined;
  #handshakes = 0;
  #closed = false;

  /** `accepted` is called with every new session before it starts. */
  constructor(owner: SessionOwner, runtime: Runtime, accepted: (session: AcceptSession) => void) {
    this.#owner = owner;
    this.#runtime = runtime;
    this.#accepted = accepted;
  }

  /** The real endpoint, once bound. */
  get endpoint(): string {
    return this.#listener?.address ?? "";
  }

  /** Binds; the promise is the transport's. */
  open(listen: Listen, address: string): Promise<void> {
    const { keepAlive } = this.#runtime;
    const listening = listen(address, (attach) => this.#accept(attach), (cause) => {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      this.#owner.emit({ type: "accept:error", address: this.endpoint, error });
    });
    keepAlive.hold();
    return listening.then((listener) => {
      this.#listener = listener;
      listener.setReferenced?.(false);
    }, (error) => {
      keepAlive.release();
      throw error;
    });
  }

  /** Stops listening; accepted connections live on. */
  close(): Promise<void> {
    if (this.#closed || this.#listener === undefined) return Promise.resolve();
    this.#closed = true;
    // Held until it is closed: somebody may await that, and a listener that is not referenced keeps nobody waiting.
    return this.#listener.close().then(() => this.#runtime.keepAlive.release());
  }

  #accept(attach: Dial): void {
    const { handshakesMax } = this.#owner.sessionOptions;
    if (this.#closed || this.#handshakes >= handshakesMax) return this.#turnAway(attach);
    this.#handshakes++;
    const session = new AcceptSession(this.#owner, this.#runtime, this.endpoint, () => this.#handshakes--);
    this.#accepted(session);
    session.start(attach);
  }

  #turnAway(attach: Dial): void {
    const ignore = (): void => {};
    attach({ open: ignore, data: ignore, drain: ignore, end: ignore, close: ignore }).close("abort");
    if (this.#closed) return;
    const error = new PeerError(
      "ERR_PEER_HANDSHAKES",
      `Cannot accept connection: ${this.#handshakes} handshakes are not done, the limit of this listener`,
    );
    this.#owner.emit({ type: "accept:error", address: this.endpoint, error });
  }
}
