/**
 * A client's link to a broker that can be reached at several endpoints: each is tried in turn, and the one that answered is
 * kept.
 *
 * @module
 */

import { isPermissionError } from "../../errors.ts";
import { Backoff, waitToRetry } from "../../session/backoff.ts";
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
  /** Endpoints that this process has no permission for: they are not tried again. */
  readonly #denied: Set<string> = new Set();
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
    const { endpoints: _endpoints, ...rest } = this.#init;
    const events = this.#events;
    const link: DealerLink = new DealerLink({
      ...rest,
      backoff: this.#backoff,
      endpoint: this.#endpoint,
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

  get #endpoint(): string {
    const { endpoints } = this.#init;
    return endpoints[this.#index % endpoints.length]!;
  }

  /** The wait is the one that the same endpoint would have had. */
  #failed(link: DealerLink, reason: Error, retryMs: number): void {
    if (this.#closed || link !== this.#link) return;
    const denied = isPermissionError(reason);
    if (denied) this.#denied.add(this.#endpoint);
    const { endpoints, context } = this.#init;
    const left = endpoints.some((endpoint) => !this.#denied.has(endpoint));
    // Another endpoint is nobody's second attempt.
    const waitMs = denied && left ? 0 : retryMs;
    this.#events.failed?.(reason, waitMs);
    if (this.#closed || endpoints.length === 1 || waitMs === Infinity) return;
    link.close();
    do this.#index++; while (this.#denied.has(this.#endpoint));
    this.#cancelNext = waitToRetry(context.runtime.host, waitMs, () => {
      this.#link = this.#connect();
    });
  }
}
