/**
 * A client's link to the broker of its own process. The broker ends it when a topic had to be reopened; it is made again then.
 *
 * @module
 */

import type { Runtime } from "../../session/runtime.ts";
import type { Broker } from "../broker/broker.ts";
import type { ClientLink, ClientLinkEvents } from "./client_link.ts";
import type { RenewedLink } from "./connection.ts";
import { joinLocally } from "./local_link.ts";

/** A broker that ends links again and again is not asked more often. */
const REJOIN_MS = 100;

/** See the module. */
export class EmbeddedLink implements RenewedLink {
  readonly local = true;
  readonly #runtime: Runtime;
  readonly #broker: Broker;
  readonly #events: ClientLinkEvents;
  #link: ClientLink;
  #closed = false;
  #cancelRejoin: (() => void) | undefined;

  constructor(runtime: Runtime, broker: Broker, events: ClientLinkEvents) {
    this.#runtime = runtime;
    this.#broker = broker;
    this.#events = events;
    this.#link = this.#join();
  }

  get ended(): Promise<void> {
    return this.#link.ended;
  }

  trySend(frames: readonly Uint8Array[]): boolean {
    return this.#link.trySend(frames);
  }

  reset(reason?: Error): void {
    this.#link.close(reason);
  }

  close(reason?: Error): void {
    this.#closed = true;
    this.#cancelRejoin?.();
    this.#link.close(reason);
  }

  #join(): ClientLink {
    const events = this.#events;
    return joinLocally({
      scheduler: this.#runtime.scheduler,
      accept: this.#broker.accept,
      endOfBurst: this.#broker.endOfBurst,
      events: {
        opened: () => events.opened(),
        message: (frames) => events.message(frames),
        writable: () => events.writable(),
        endOfBurst: () => events.endOfBurst?.(),
        closed: (reason) => this.#lost(reason),
      },
    });
  }

  #lost(reason: Error | undefined): void {
    if (!this.#closed) {
      this.#cancelRejoin = this.#runtime.host.schedule(REJOIN_MS, () => {
        this.#link = this.#join();
      }, false);
    }
    this.#events.closed(reason, this.#closed ? Infinity : REJOIN_MS);
  }
}
