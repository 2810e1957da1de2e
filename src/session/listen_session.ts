/**
 * One bound endpoint: accepts streams, within a limit on unfinished handshakes. At the limit, a newcomer
 * takes the place of one of them, so that peers that never finish cannot lock others out.
 *
 * @module
 */

import { PeerError } from "../errors.ts";
import { closeQuietly, disown, isTransport } from "../engine/transport_rules.ts";
import type { Attach, Listen, Listener, StreamOptions } from "../ports.ts";
import { type AcceptEvents, AcceptSession } from "./accept_session.ts";
import { HalfOpen, hostOf } from "./half_open.ts";
import type { SessionOptions, SessionOwner } from "./owner.ts";
import type { Runtime } from "./runtime.ts";

/** A bound endpoint over byte streams, and its listener. */
export class ListenSession implements AcceptEvents {
  readonly #owner: SessionOwner;
  readonly #options: SessionOptions;
  readonly #runtime: Runtime;
  readonly #accepted: (session: AcceptSession) => void;
  #listener: Listener | undefined;
  readonly #handshakes: HalfOpen<AcceptSession> = new HalfOpen();
  #closed = false;

  /** `accepted` is called with every new session before it starts. */
  constructor(owner: SessionOwner, runtime: Runtime, accepted: (session: AcceptSession) => void) {
    this.#owner = owner;
    this.#options = owner.sessionOptions;
    this.#runtime = runtime;
    this.#accepted = accepted;
  }

  /** The real endpoint, once bound. */
  get endpoint(): string {
    return this.#listener?.address ?? "";
  }

  /** Binds. The promise settles with the transport's: resolved when bound, rejected when that fails. */
  open(listen: Listen): Promise<void> {
    const { keepAlive } = this.#runtime;
    const listening = listen((attach) => this.#accept(attach), (cause) => {
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

  /** Accepts with other stream options from now on, if its transport has any that can be renewed. */
  renew(options: StreamOptions): Promise<void> {
    return this.#listener?.renew?.(options) ?? Promise.resolve();
  }

  /** Stops listening; accepted connections live on. */
  close(): Promise<void> {
    if (this.#closed || this.#listener === undefined) return Promise.resolve();
    this.#closed = true;
    // Held until it is closed: a caller may await that, and an unreferenced listener does not keep the
    // process alive.
    return this.#listener.close().then(() => this.#runtime.keepAlive.release());
  }

  // What accepted connections report.

  opened(session: AcceptSession, remoteAddress: string): void {
    this.#handshakes.add(session, hostOf(remoteAddress));
  }

  handshakeEnded(session: AcceptSession): void {
    this.#handshakes.delete(session);
  }

  #accept(attach: Attach): void {
    if (this.#closed) return turnAway(attach);
    const session = new AcceptSession(this.#owner, this.#runtime, this.endpoint, this.#options, this);
    const { handshakesMax } = this.#options;
    if (this.#handshakes.size >= handshakesMax) {
      this.#handshakes.worst!.evict(
        new PeerError(
          "ERR_PEER_HANDSHAKES",
          `Gave up a handshake: the listener's limit of ${handshakesMax} unfinished handshakes was reached`,
        ),
      );
    }
    // An event listener may have closed the socket.
    if (this.#closed || this.#owner.closed) return turnAway(attach);
    this.#handshakes.add(session, "");
    this.#accepted(session);
    session.start(attach);
  }
}

/** Refuses a stream. Mistakes of the transport have no listener here; they must only do no harm. */
function turnAway(attach: Attach): void {
  const ignore = (): void => {};
  let transport: unknown;
  try {
    transport = attach({ open: ignore, data: ignore, drain: ignore, end: ignore, close: ignore });
  } catch (error) {
    return disown(error);
  }
  if (isTransport(transport)) closeQuietly(transport);
  else disown(transport);
}
