/**
 * A client's link to a broker that can be reached at several endpoints: each is tried in turn, and the one that answered is
 * kept.
 *
 * @module
 */

import { Backoff } from "../../session/backoff.ts";
import type { ClientLinkEvents } from "./client_link.ts";
import type { RenewedLink } from "./connection.ts";
import { DealerLink, type DealerLinkInit } from "./dealer_link.ts";

/** What an {@link EndpointsLink} is made of. */
export interface EndpointsLinkInit extends Omit<DealerLinkInit, "endpoint" | "backoff"> {
  /** One or more. */
  readonly endpoints: readonly string[];
}

/** See the module. */
export class EndpointsLink implements RenewedLink {
  readonly local = false;
  readonly #init: EndpointsLinkInit;
  readonly #events: ClientLinkEvents;
  /** Of all endpoints together: where none can be reached, each is tried less and less often. */
  readonly #backoff: Backoff;
  #index = 0;
  #link: DealerLink;
  #closed = false;
  #cancelNext: (() => void) | undefined;

  /** Begins to connect. @throws {MisuseError} `ERR_ENDPOINT`, `ERR_OPTION`, `ERR_CLOSED`: there is no link. */
  constructor(init: EndpointsLinkInit) {
    this.#init = init;
    this.#events = init.events;
    this.#backoff = new Backoff((into) => init.context.runtime.host.random(into));
    this.#link = this.#connect();
  }

  get ended(): Promise<void> {
    return this.#link.ended;
  }

  trySend(frames: readonly Uint8Array[]): boolean {
    return this.#link.trySend(frames);
  }

  reset(reason?: Error): void {
    this.#link.reset(reason);
  }

  close(reason?: Error): void {
    this.#closed = true;
    this.#cancelNext?.();
    this.#link.close(reason);
  }

  #connect(): DealerLink {
    const { endpoints, ...rest } = this.#init;
    const events = this.#events;
    const link: DealerLink = new DealerLink({
      ...rest,
      backoff: this.#backoff,
      endpoint: endpoints[this.#index % endpoints.length]!,
      events: {
        opened: () => events.opened(),
        message: (frames) => events.message(frames),
        writable: () => events.writable(),
        endOfBurst: () => events.endOfBurst?.(),
        closed: (reason, retryMs) => events.closed(reason, retryMs),
        failed: (reason, retryMs) => this.#failed(link, reason, retryMs),
      },
    });
    return link;
  }

  /** The wait is the one that the same endpoint would have had. */
  #failed(link: DealerLink, reason: Error, retryMs: number): void {
    if (this.#closed || link !== this.#link) return;
    this.#events.failed?.(reason, retryMs);
    if (this.#init.endpoints.length === 1 || retryMs === Infinity) return;
    link.close();
    this.#index++;
    this.#cancelNext = this.#init.context.runtime.host.schedule(retryMs, () => {
      this.#link = this.#connect();
    }, false);
  }
}
